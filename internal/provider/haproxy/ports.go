package haproxy

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/network"
	"plimsoll/internal/provider"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// A plan is how a load balancer is reached by, and reaches, its networks.
type plan struct {
	served   *lbaas.LoadBalancer // without the members that cannot be reached
	ports    []*enginepb.Port    // the VIP's first, those that leave last
	surplus  []*network.Port     // no member needs them any more; freed after the engine let go of them
	failures map[string]provider.Failure
	secrets  haproxy.Secrets // what listeners and pools refer to
	held     []string        // listeners and pools whose secrets are of no use
}

// plug ensures that the load balancer has a port in each subnet of its members, besides the VIP's.
func (p *Provider) plug(ctx context.Context, lb *lbaas.LoadBalancer) (*plan, error) {
	vip, err := p.networks.PortPlan(ctx, lb.VIPPortID)
	if err != nil {
		return nil, fmt.Errorf("plan the VIP's port %s: %w", lb.VIPPortID, err)
	}
	have, err := p.memberPorts(ctx, lb)
	if err != nil {
		return nil, err
	}
	k := &plugging{plan: &plan{served: lb, failures: map[string]provider.Failure{}}}
	k.use(vip, true)
	for _, subnet := range subnets(lb) {
		if err := p.join(ctx, k, lb, subnet, have); err != nil {
			return nil, fmt.Errorf("ensure a port in subnet %s: %w", subnet, err)
		}
	}
	k.surplus = slices.DeleteFunc(have, func(port *network.Port) bool { return k.used[port.ID] })
	if err := p.leave(ctx, k); err != nil {
		return nil, err
	}
	k.served = without(lb, k.failures)
	return k.plan, nil
}

// join adds a port in a member's subnet to the plan, or fails the subnet's members when the subnet is to blame.
func (p *Provider) join(ctx context.Context, k *plugging, lb *lbaas.LoadBalancer, id string, have []*network.Port) error {
	subnet, err := p.networks.Subnet(ctx, id)
	if told := unreachable(err); told != "" {
		k.fail(lb, id, told)
		return nil
	}
	if err != nil {
		return err
	}
	if clash := k.overlap(subnet.CIDR); clash.IsValid() {
		k.fail(lb, id, fmt.Sprintf("Subnet %s overlaps with another subnet of this load balancer (%s), "+
			"so its members cannot be reached.", id, clash))
		return nil
	}
	port, err := p.ensure(ctx, lb, subnet, have)
	if told := unreachable(err); told != "" {
		k.fail(lb, id, told)
		return nil
	}
	if err != nil {
		return err
	}
	ports, err := p.networks.PortPlan(ctx, port.ID)
	if err != nil {
		return err
	}
	k.use(ports, false)
	return nil
}

// leave adds the ports that no member needs any more to the plan: connections may go by them yet. They come last, so that
// they give no route that another has, and one that is in the way of another is not kept.
func (p *Provider) leave(ctx context.Context, k *plugging) error {
	for _, port := range k.surplus {
		plan, err := p.networks.PortPlan(ctx, port.ID)
		if unreachable(err) != "" {
			continue // nobody can say any more what it was
		}
		if err != nil {
			return fmt.Errorf("plan port %s, which leaves: %w", port.ID, err)
		}
		if slices.ContainsFunc(plan.Addresses, func(a netip.Prefix) bool { return k.overlap(a.Masked()).IsValid() }) {
			continue
		}
		k.use(plan, false)
		k.ports[len(k.ports)-1].Leaving = true
	}
	return nil
}

// drop takes the leaving ports that are not needed out of a plan, and tells whether there were any.
func (p *plan) drop(needed []string) bool {
	before := len(p.ports)
	p.ports = slices.DeleteFunc(p.ports, func(port *enginepb.Port) bool { return port.Leaving && !slices.Contains(needed, port.Id) })
	p.surplus = slices.DeleteFunc(p.surplus, func(port *network.Port) bool { return slices.Contains(needed, port.ID) })
	return len(p.ports) < before
}

// plugging is a plan in the making.
type plugging struct {
	*plan
	prefixes []netip.Prefix
	routes   map[netip.Prefix]bool
	used     map[string]bool // ports
}

// use plans a port. Only the VIP's gives default routes, one of each family, and a destination has one route: the first.
func (k *plugging) use(p *network.PortPlan, vip bool) {
	if k.used == nil {
		k.used, k.routes = map[string]bool{}, map[netip.Prefix]bool{}
	}
	port := &enginepb.Port{Id: p.PortID, NetworkId: p.NetworkID, Mac: p.MAC, Mtu: int32(p.MTU),
		Link: p.Link, Guarded: p.Guarded}
	if p.Segment.Wide() {
		port.Segment = &enginepb.Segment{Type: p.Segment.Type, Physical: p.Segment.Physical, Id: int32(p.Segment.ID)}
	}
	for _, a := range p.Addresses {
		port.Addresses = append(port.Addresses, a.String())
		k.prefixes = append(k.prefixes, a.Masked())
	}
	routes := p.Routes
	for _, g := range p.Gateways {
		routes = append(slices.Clip(routes), network.Route{Destination: everything(g), NextHop: g})
	}
	for _, r := range routes {
		if k.routes[r.Destination] || r.Destination.Bits() == 0 && !vip {
			continue
		}
		k.routes[r.Destination] = true
		port.Routes = append(port.Routes, &enginepb.Route{Destination: r.Destination.String(), NextHop: r.NextHop.String()})
	}
	k.used[p.PortID] = true
	k.ports = append(k.ports, port)
}

// preferLinks returns ports without the routes to ranges that one of them is in: the kernel keeps one route to a
// destination, and the link itself is the shorter.
func preferLinks(ports []*enginepb.Port) []*enginepb.Port {
	links := map[netip.Prefix]bool{}
	for _, port := range ports {
		for _, a := range port.Addresses {
			links[masked(a)] = true
		}
	}
	var all []*enginepb.Port
	for _, port := range ports {
		port = proto.CloneOf(port)
		port.Routes = slices.DeleteFunc(port.Routes, func(r *enginepb.Route) bool { return links[masked(r.Destination)] })
		all = append(all, port)
	}
	return all
}

// masked is the range that a prefix, written by use, is in.
func masked(prefix string) netip.Prefix {
	p, _ := netip.ParsePrefix(prefix)
	return p.Masked()
}

func everything(like netip.Addr) netip.Prefix {
	if like.Is4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}

// overlap is the plugged address range that cidr overlaps with; the zero Prefix is none. HAProxy 2.6 binds to a link
// only as root, so of two links with the same addresses one could not be reached.
func (k *plugging) overlap(cidr netip.Prefix) netip.Prefix {
	for _, plugged := range k.prefixes {
		if plugged.Overlaps(cidr) {
			return plugged
		}
	}
	return netip.Prefix{}
}

// fail gives up the members of a subnet until something changes.
func (k *plugging) fail(lb *lbaas.LoadBalancer, subnet, reason string) {
	for _, pool := range lb.Pools {
		for _, m := range pool.Members {
			if m.SubnetID == subnet {
				k.failures[m.ID] = provider.Failure{Reason: reason}
			}
		}
	}
}

// subnets are those of the members, in order, without the VIPs' own, which their port reaches.
func subnets(lb *lbaas.LoadBalancer) []string {
	var ids []string
	own := map[string]bool{lb.VIPSubnetID: true, "": true}
	for _, v := range lb.AdditionalVIPs {
		own[v.SubnetID] = true
	}
	for _, pool := range lb.Pools {
		for _, m := range pool.Members {
			if !own[m.SubnetID] {
				ids = append(ids, m.SubnetID)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// without is lb less the members that failed.
func without(lb *lbaas.LoadBalancer, failed map[string]provider.Failure) *lbaas.LoadBalancer {
	if len(failed) == 0 {
		return lb
	}
	served := *lb
	served.Pools = nil
	for _, pool := range lb.Pools {
		kept := *pool
		kept.Members = slices.DeleteFunc(slices.Clone(pool.Members), func(m *lbaas.Member) bool {
			_, gone := failed[m.ID]
			return gone
		})
		served.Pools = append(served.Pools, &kept)
	}
	return &served
}

// unreachable says why a subnet's members fail, when the subnet itself is the reason and not the network service; else "".
func unreachable(err error) string {
	var told *lbaas.Error
	if !errors.As(err, &told) || errors.Is(err, lbaas.Unavailable) || errors.Is(err, lbaas.Unauthorized) {
		return ""
	}
	return told.Text
}

// ensure returns the load balancer's port in a subnet, and makes it when there is none.
func (p *Provider) ensure(ctx context.Context, lb *lbaas.LoadBalancer, subnet *network.Subnet, have []*network.Port) (*network.Port, error) {
	for _, port := range have {
		if in(port, subnet.ID) {
			return port, nil
		}
	}
	port := &network.Port{
		ProjectID:    lb.ProjectID,
		NetworkID:    subnet.NetworkID,
		Name:         "octavia-lb-member-" + lb.ID,
		AdminStateUp: true,
		DeviceOwner:  network.OwnerLoadBalancer,
		DeviceID:     deviceID(lb.ID),
		FixedIPs:     []network.FixedIP{{SubnetID: subnet.ID}},
	}
	return port, p.networks.CreatePort(ctx, port)
}

func in(port *network.Port, subnetID string) bool {
	return slices.ContainsFunc(port.FixedIPs, func(f network.FixedIP) bool { return f.SubnetID == subnetID })
}

// memberPorts are the ports that were made for a load balancer's members, the oldest first: all that it has but the VIP's.
// Their names do not count, since users may change them.
func (p *Provider) memberPorts(ctx context.Context, lb *lbaas.LoadBalancer) ([]*network.Port, error) {
	ports, err := p.networks.Ports(ctx, store.Query{Filters: []store.Filter{
		{Attribute: "device_owner", Values: []string{network.OwnerLoadBalancer}},
		{Attribute: "device_id", Values: []string{deviceID(lb.ID)}},
	}})
	if err != nil {
		return nil, fmt.Errorf("list the member ports of load balancer %s: %w", lb.ID, err)
	}
	return slices.DeleteFunc(ports, func(port *network.Port) bool { return port.ID == lb.VIPPortID }), nil
}

// free deletes ports. One that is gone already is fine.
func (p *Provider) free(ctx context.Context, ports []*network.Port) error {
	for _, port := range ports {
		if err := p.networks.DeletePort(ctx, port.ID); err != nil && !errors.Is(err, lbaas.NotFound) {
			return fmt.Errorf("delete port %s: %w", port.ID, err)
		}
	}
	return nil
}

func deviceID(loadBalancerID string) string { return "lb-" + loadBalancerID }
