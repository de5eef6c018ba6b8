package neutron

import (
	"context"
	"encoding/json"
	"net/netip"

	"plimsoll/internal/identity"
	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

func subnetSpec() spec {
	return spec{
		"id": readOnly, "tags": readOnly, "revision_number": readOnly, "created_at": readOnly, "updated_at": readOnly,
		"project_id": postOnly, "tenant_id": postOnly, "network_id": postOnly, "cidr": postOnly, "ip_version": postOnly,
		"ipv6_address_mode": postOnly, "ipv6_ra_mode": postOnly, "subnetpool_id": postOnly, "prefixlen": postOnly,
		"name": postAndPut, "description": postAndPut, "gateway_ip": postAndPut, "allocation_pools": postAndPut,
		"dns_nameservers": postAndPut, "host_routes": postAndPut, "enable_dhcp": postAndPut, "service_types": postAndPut,
	}
}

func (s *service) subnets() *resource {
	return &resource{
		name: "subnet", plural: "subnets", spec: subnetSpec(), notFound: func(id string) error { return network.SubnetNotFound(id) },
		filters: []string{network.SharedSubnet},
		list:    s.listSubnets, show: s.showSubnet, create: s.createSubnets, update: s.updateSubnet, remove: s.deleteSubnet,
		retag: s.retagSubnet,
	}
}

func subnetView(s *network.Subnet) view {
	pools := make([]poolJSON, 0, len(s.AllocationPools))
	for _, p := range s.AllocationPools {
		pools = append(pools, poolJSON{p.Start.String(), p.End.String()})
	}
	var gateway any
	if s.Gateway.IsValid() {
		gateway = s.Gateway.String()
	}
	return view{
		"id": s.ID, "project_id": s.ProjectID, "tenant_id": s.ProjectID, "network_id": s.NetworkID, "name": s.Name,
		"description": s.Description, "ip_version": s.IPVersion(), "cidr": s.CIDR.String(), "gateway_ip": gateway,
		"allocation_pools": pools, "dns_nameservers": listed(s.DNSNameservers), "host_routes": routesView(s.HostRoutes), "enable_dhcp": s.EnableDHCP,
		"ipv6_address_mode": orNull(s.IPv6AddressMode), "ipv6_ra_mode": orNull(s.IPv6RAMode),
		"subnetpool_id": nil, "service_types": []string{},
		"tags": listed(s.Tags), "revision_number": s.Revision, "created_at": moment(s.CreatedAt), "updated_at": moment(s.UpdatedAt),
	}
}

type poolJSON struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

type routeJSON struct {
	Destination string `json:"destination"`
	NextHop     string `json:"nexthop"`
}

func (s *service) listSubnets(ctx context.Context, a *identity.Actor, q store.Query) ([]view, error) {
	found, err := s.store.Subnets(ctx, visible(a, q))
	if err != nil {
		return nil, err
	}
	return viewsOf(found, subnetView), nil
}

func (s *service) showSubnet(ctx context.Context, a *identity.Actor, id string) (view, error) {
	sub, err := s.subnetSeen(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return subnetView(sub), nil
}

// subnetSeen reads a subnet that the actor may know of: its own ones, and those of networks that it sees.
func (s *service) subnetSeen(ctx context.Context, a *identity.Actor, id string) (*network.Subnet, error) {
	sub, err := s.store.Subnet(ctx, id)
	if err != nil || owns(a, sub.ProjectID) {
		return sub, err
	}
	n, err := s.store.Network(ctx, sub.NetworkID)
	if err != nil || !seesNetwork(a, n) {
		return nil, network.SubnetNotFound(id)
	}
	return sub, nil
}

func (s *service) createSubnets(ctx context.Context, a *identity.Actor, bodies []*body) ([]view, error) {
	var list []*network.Subnet
	for _, b := range bodies {
		sub, err := s.newSubnet(ctx, a, b)
		if err != nil {
			return nil, err
		}
		list = append(list, sub)
	}
	if err := s.store.CreateSubnets(ctx, list); err != nil {
		return nil, err
	}
	return viewsOf(list, subnetView), nil
}

func (s *service) newSubnet(ctx context.Context, a *identity.Actor, b *body) (*network.Subnet, error) {
	b.required("network_id", "ip_version")
	sub := &network.Subnet{ProjectID: b.owner(a), EnableDHCP: true}
	b.uuid("network_id", &sub.NetworkID)
	version := b.version()
	b.subnetPool()
	b.cidr(sub, version)
	if err := readSubnet(b, sub); err != nil {
		return nil, err
	}
	if !b.has("gateway_ip") {
		sub.Gateway = network.DefaultGateway(sub.CIDR)
	}
	b.oneOf("ipv6_address_mode", &sub.IPv6AddressMode, network.DHCPv6Stateful, network.DHCPv6Stateless, network.SLAAC)
	b.oneOf("ipv6_ra_mode", &sub.IPv6RAMode, network.DHCPv6Stateful, network.DHCPv6Stateless, network.SLAAC)
	if err := b.err(); err != nil {
		return nil, err
	}
	n, err := s.networkSeen(ctx, a, sub.NetworkID)
	if err != nil {
		return nil, err
	}
	if !owns(a, n.ProjectID) {
		return nil, disallowed("create_subnet")
	}
	return sub, nil
}

func (b *body) version() int {
	var version int
	b.integer("ip_version", &version)
	if b.err() == nil && version != 4 && version != 6 {
		b.fail(invalid("ip_version", "%d is not in [4, 6]", version))
	}
	return version
}

// subnetPool refuses what asks for a subnet pool: there are none.
func (b *body) subnetPool() {
	if b.given("subnetpool_id") {
		b.fail(&lbaas.Error{Kind: lbaas.NotFound, Type: "SubnetPoolNotFound",
			Text: "Subnet pool " + shown(b.Object["subnetpool_id"]) + " could not be found."})
	}
	if b.given("prefixlen") {
		b.fail(network.BadRequest("subnets", "a subnetpool must be specified in the absence of a cidr"))
	}
}

func (b *body) cidr(sub *network.Subnet, version int) {
	if !b.given("cidr") {
		b.fail(network.BadRequest("subnets", "a subnetpool must be specified in the absence of a cidr"))
		return
	}
	var text string
	b.text("cidr", &text, 64)
	if b.err() != nil {
		return
	}
	cidr, err := network.ParseCIDR(text)
	if err != nil {
		b.fail(invalid("cidr", "%v", err))
		return
	}
	sub.CIDR = cidr
	if sub.IPVersion() != version {
		b.fail(network.InvalidInput("cidr '%s' does not match the ip_version '%d'", cidr, version))
	}
}

// readSubnet reads the attributes that a subnet may have at its making and afterwards.
func readSubnet(b *body, sub *network.Subnet) error {
	b.text("name", &sub.Name, 255)
	b.text("description", &sub.Description, 255)
	b.boolean("enable_dhcp", &sub.EnableDHCP)
	b.nothing("service_types")
	if b.isNull("gateway_ip") {
		sub.Gateway = netip.Addr{}
	}
	b.address("gateway_ip", &sub.Gateway)
	b.pools(sub)
	b.nameservers(sub)
	b.routes(sub)
	return b.err()
}

// address reads an address; null leaves the target alone.
func (b *body) address(name string, target *netip.Addr) {
	if !b.given(name) {
		return
	}
	a, err := network.ParseAddr(shown(b.Object[name]))
	if err != nil {
		b.fail(invalid(name, "%v", err))
		return
	}
	*target = a
}

func (b *body) pools(sub *network.Subnet) {
	if !b.given("allocation_pools") {
		return
	}
	sub.AllocationPools = []network.Range{}
	for _, raw := range b.items("allocation_pools", "IP pool") {
		var p poolJSON
		if strict(raw, &p, "start", "end") != nil {
			b.fail(invalid("allocation_pools", "Invalid data format for IP pool: '%s'", shown(raw)))
			return
		}
		start, err := network.ParseAddr(p.Start)
		if err == nil {
			var end netip.Addr
			end, err = network.ParseAddr(p.End)
			sub.AllocationPools = append(sub.AllocationPools, network.Range{Start: start, End: end})
		}
		if err != nil {
			b.fail(invalid("allocation_pools", "%v", err))
			return
		}
	}
}

// strict reads an object that has those keys and no others.
func strict(raw json.RawMessage, into any, keys ...string) error {
	o, err := object(raw)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if _, ok := o[k]; !ok {
			return errNoObject
		}
	}
	if len(o) != len(keys) {
		return errNoObject
	}
	return json.Unmarshal(raw, into)
}

func (b *body) nameservers(sub *network.Subnet) {
	if !b.has("dns_nameservers") {
		return
	}
	list, seen := []string{}, map[netip.Addr]bool{}
	for _, raw := range b.items("dns_nameservers", "nameserver") {
		a, err := network.ParseAddr(shown(raw))
		if err != nil {
			b.fail(invalid("dns_nameservers", "'%s' is not a valid nameserver. %v", shown(raw), err))
			return
		}
		if seen[a] {
			b.fail(invalid("dns_nameservers", "Duplicate nameserver '%s'", a))
			return
		}
		list, seen[a] = append(list, a.String()), true
	}
	sub.DNSNameservers = list
}

func (b *body) routes(sub *network.Subnet) {
	if routes, given := b.routeList("host_routes"); given {
		sub.HostRoutes = routes
	}
}

func parseRoute(raw json.RawMessage) (network.Route, error) {
	var text routeJSON
	if err := strict(raw, &text, "destination", "nexthop"); err != nil {
		return network.Route{}, err
	}
	destination, err := network.ParseCIDR(text.Destination)
	if err != nil {
		return network.Route{}, err
	}
	hop, err := network.ParseAddr(text.NextHop)
	return network.Route{Destination: destination, NextHop: hop}, err
}

func (s *service) updateSubnet(ctx context.Context, a *identity.Actor, id string, b *body) (view, error) {
	if err := s.mayChangeSubnet(ctx, a, id, "update_subnet"); err != nil {
		return nil, err
	}
	sub, err := s.store.UpdateSubnet(ctx, id, func(sub *network.Subnet) error { return readSubnet(b, sub) })
	if err != nil {
		return nil, err
	}
	return subnetView(sub), nil
}

func (s *service) retagSubnet(ctx context.Context, a *identity.Actor, id string, fn func([]string) ([]string, error)) ([]string, error) {
	if err := s.mayChangeSubnet(ctx, a, id, "update_subnets_tags"); err != nil {
		return nil, err
	}
	sub, err := s.store.UpdateSubnet(ctx, id, func(sub *network.Subnet) (err error) {
		sub.Tags, err = fn(sub.Tags)
		return err
	})
	if err != nil {
		return nil, err
	}
	return sub.Tags, nil
}

func (s *service) deleteSubnet(ctx context.Context, a *identity.Actor, id string) error {
	if err := s.mayChangeSubnet(ctx, a, id, "delete_subnet"); err != nil {
		return err
	}
	return s.store.DeleteSubnet(ctx, id)
}

// mayChangeSubnet lets those change a subnet who own it or its network.
func (s *service) mayChangeSubnet(ctx context.Context, a *identity.Actor, id, rule string) error {
	sub, err := s.subnetSeen(ctx, a, id)
	if err != nil || owns(a, sub.ProjectID) {
		return err
	}
	n, err := s.store.Network(ctx, sub.NetworkID)
	if err != nil {
		return err
	}
	if !owns(a, n.ProjectID) {
		return disallowed(rule)
	}
	return nil
}
