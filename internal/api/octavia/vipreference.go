package octavia

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

// placeAdditional finds the places of the additional VIPs: each in a subnet of its own, all in the VIP's network and on its port.
func (a *API) placeAdditional(ctx context.Context, r *request, lb *lbaas.LoadBalancer, place *vip) error {
	if len(lb.AdditionalVIPs) == 0 {
		return nil
	}
	used := []string{place.subnets[0]}
	for _, v := range lb.AdditionalVIPs {
		if slices.Contains(used, v.SubnetID) {
			return lbaas.ValidationFailure("Duplicate VIP subnet(s) specified. Only one IP can be bound per subnet.")
		}
		used = append(used, v.SubnetID)
	}
	for _, v := range lb.AdditionalVIPs {
		if err := a.checkAdditional(ctx, r, lb.ProjectID, v, place); err != nil {
			return err
		}
	}
	place.additional = slices.Clone(lb.AdditionalVIPs)
	if place.port != nil {
		return onPort(place)
	}
	place.subnets = slices.DeleteFunc(place.subnets, func(id string) bool { return slices.Contains(used[1:], id) })
	return nil
}

func (a *API) checkAdditional(ctx context.Context, r *request, projectID string, v lbaas.AdditionalVIP, place *vip) error {
	s, err := a.visibleSubnet(ctx, r, projectID, v.SubnetID)
	if err != nil {
		return err
	}
	if s.NetworkID != place.network {
		return lbaas.ValidationFailure("All VIP subnets must belong to the same network.")
	}
	if v.PortID != "" && (place.port == nil || v.PortID != place.port.ID) {
		return lbaas.ValidationFailure("Additional VIPs are addresses of the VIP port, and port %s is another one.", v.PortID)
	}
	return nil
}

// onPort finds the additional VIPs among the addresses that the user's port has.
func onPort(place *vip) error {
	for i := range place.additional {
		v := &place.additional[i]
		at := slices.IndexFunc(place.port.FixedIPs, func(ip network.FixedIP) bool {
			return ip.SubnetID == v.SubnetID && (!v.Address.IsValid() || ip.Address == v.Address)
		})
		switch {
		case at >= 0:
			v.Address, v.PortID = place.port.FixedIPs[at].Address, place.port.ID
		case v.Address.IsValid():
			return lbaas.ValidationFailure("Specified VIP address not found on the specified VIP port.")
		default:
			return lbaas.ValidationFailure("No VIP address found on the specified VIP port within the specified subnet.")
		}
	}
	return nil
}

// checkGateways refuses the address of a subnet's router for a VIP: it is in use, though no port has it.
func (a *API) checkGateways(ctx context.Context, place vip) error {
	wanted := map[string]netip.Addr{}
	for _, id := range place.subnets {
		wanted[id] = place.address
	}
	for _, v := range place.additional {
		wanted[v.SubnetID] = v.Address
	}
	for id, address := range wanted {
		if !address.IsValid() {
			continue
		}
		s, err := a.subnet(ctx, id)
		if err != nil {
			return err
		}
		if s.Gateway == address {
			return vipConflict(network.AddressInUse(place.network, address))
		}
	}
	return nil
}

func (a *API) checkQoSPolicy(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	_, err := a.Networks.QoSPolicy(ctx, id)
	if errors.Is(err, lbaas.NotFound) {
		return missingResource("qos_policy", id)
	}
	return err
}

func (a *API) checkSecurityGroups(ctx context.Context, r *request, lb *lbaas.LoadBalancer) error {
	for _, id := range lb.VIPSecurityGroupIDs {
		g, err := a.Networks.SecurityGroup(ctx, id)
		if errors.Is(err, lbaas.NotFound) || err == nil && g.ProjectID != lb.ProjectID && !a.sees(r, g.ProjectID) {
			return missingResource("Security Group", id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkVNIC refuses security groups for a VIP on an SR-IOV port, which passes them by.
func checkVNIC(lb *lbaas.LoadBalancer) error {
	if lb.VIPVNICType == lbaas.VNICDirect && len(lb.VIPSecurityGroupIDs) > 0 {
		return lbaas.ValidationFailure("VIP Security Groups are not allowed with VNIC direct type")
	}
	return nil
}

// changeVIP gives the VIP's port what a PUT wants of it. It comes before the transaction, since the port may be another service's;
// restoreVIP undoes it.
func (a *API) changeVIP(ctx context.Context, r *request, old, wanted *lbaas.LoadBalancer) error {
	if wanted.VIPQoSPolicyID != old.VIPQoSPolicyID {
		if err := a.checkQoSPolicy(ctx, wanted.VIPQoSPolicyID); err != nil {
			return err
		}
	}
	if !slices.Equal(wanted.VIPSecurityGroupIDs, old.VIPSecurityGroupIDs) {
		if err := a.checkSecurityGroups(ctx, r, wanted); err != nil {
			return err
		}
	}
	if err := first(checkVNIC(wanted), wanted.Validate(), a.supported(wanted, a.lacking(old))); err != nil {
		return err
	}
	return elsewhere(a.setPort(ctx, old, wanted))
}

// setPort makes the VIP's port of one load balancer that of the other; both are the same but for what is wanted of it. It leaves alone
// what does not differ: a port that its user brought may have security groups of which the load balancer knows nothing.
func (a *API) setPort(ctx context.Context, from, to *lbaas.LoadBalancer) error {
	sameGroups := slices.Equal(from.VIPSecurityGroupIDs, to.VIPSecurityGroupIDs)
	if sameGroups && from.VIPQoSPolicyID == to.VIPQoSPolicyID {
		return nil
	}
	_, err := a.Networks.UpdatePort(ctx, to.VIPPortID, func(p *network.Port) error {
		p.QoSPolicyID = to.VIPQoSPolicyID
		if !sameGroups {
			p.PortSecurity = p.PortSecurity || len(to.VIPSecurityGroupIDs) > 0 // which ports of earlier releases lack
			p.SecurityGroupIDs = to.VIPSecurityGroupIDs
		}
		return nil
	})
	return err
}

// restoreVIP undoes changeVIP.
func (a *API) restoreVIP(ctx context.Context, wanted, old *lbaas.LoadBalancer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := a.setPort(ctx, wanted, old); err != nil && !errors.Is(err, lbaas.NotFound) {
		a.Log.Warn("VIP port keeps what its load balancer was refused", "load_balancer", old.ID, "port", old.VIPPortID, "err", err)
	}
}
