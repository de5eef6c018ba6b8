package octavia

import (
	"context"
	"errors"
	"slices"

	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

// checkSubnets checks the subnets of members that are to be in a pool: that they exist, that the actor may see them, and that
// the provider reaches them besides those that the load balancer is in already.
func (a *API) checkSubnets(ctx context.Context, r *request, p *lbaas.Pool, members ...*lbaas.Member) error {
	joining, err := a.memberSubnets(ctx, r, p.ProjectID, members)
	if err != nil || len(joining) == 0 {
		return err
	}
	lb, err := a.Store.Tree(ctx, p.LoadBalancerID)
	if err != nil {
		return err
	}
	if a.reachesOverlapping(lb) {
		return nil
	}
	used, err := a.usedSubnets(ctx, lb, joining)
	if err != nil {
		return err
	}
	return overlap(lb.Provider, used, joining)
}

// memberSubnets returns the subnets that members name, each once.
func (a *API) memberSubnets(ctx context.Context, r *request, projectID string, members []*lbaas.Member) ([]*network.Subnet, error) {
	var subnets []*network.Subnet
	seen := map[string]bool{"": true}
	for _, m := range members {
		if seen[m.SubnetID] {
			continue
		}
		seen[m.SubnetID] = true
		s, err := a.visibleSubnet(ctx, r, projectID, m.SubnetID)
		if err != nil {
			return nil, err
		}
		subnets = append(subnets, s)
	}
	return subnets, nil
}

// usedSubnets returns the subnets that a load balancer is in: its VIPs' and its members'. Those among joining are not asked for
// again, and one that is gone takes up no addresses.
func (a *API) usedSubnets(ctx context.Context, lb *lbaas.LoadBalancer, joining []*network.Subnet) ([]*network.Subnet, error) {
	var used []*network.Subnet
	for _, id := range subnetIDs(lb) {
		if i := slices.IndexFunc(joining, func(s *network.Subnet) bool { return s.ID == id }); i >= 0 {
			used = append(used, joining[i])
			continue
		}
		s, err := a.Networks.Subnet(ctx, id)
		if errors.Is(err, lbaas.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		used = append(used, s)
	}
	return used, nil
}

// subnetIDs are the ids of the subnets that a load balancer is in, each once.
func subnetIDs(lb *lbaas.LoadBalancer) []string {
	ids := []string{lb.VIPSubnetID}
	for _, v := range lb.AdditionalVIPs {
		ids = append(ids, v.SubnetID)
	}
	for _, p := range lb.Pools {
		for _, m := range p.Members {
			if m.SubnetID != "" {
				ids = append(ids, m.SubnetID)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// reachesOverlapping tells whether the provider of a load balancer tells subnets with the same addresses apart.
func (a *API) reachesOverlapping(lb *lbaas.LoadBalancer) bool {
	face := a.face(lb.Provider)
	return face != nil && face.Capabilities.OverlappingSubnets
}

// overlap is the error of a subnet that is new among those in use and has addresses that another one has, too.
func overlap(provider string, used, joining []*network.Subnet) error {
	all := slices.Concat(used, joining)
	for _, s := range joining {
		if slices.ContainsFunc(used, func(u *network.Subnet) bool { return u.ID == s.ID }) {
			continue
		}
		for _, o := range all {
			if o.ID != s.ID && o.CIDR.Overlaps(s.CIDR) {
				return unsupportedOption(provider, "member subnet_id "+s.ID+" ("+s.CIDR.String()+"), which overlaps with subnet "+
					o.ID+" ("+o.CIDR.String()+") of the same load balancer")
			}
		}
	}
	return nil
}
