package neutron

import (
	"context"
	"maps"
	"slices"
	"strings"

	"plimsoll/internal/identity"
	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

func networkSpec() spec {
	return spec{
		"id": readOnly, "status": readOnly, "subnets": readOnly, "tags": readOnly, "revision_number": readOnly,
		"created_at": readOnly, "updated_at": readOnly, "availability_zones": readOnly,
		"ipv4_address_scope": readOnly, "ipv6_address_scope": readOnly,
		"project_id": postOnly, "tenant_id": postOnly, "availability_zone_hints": postOnly,
		"name": postAndPut, "description": postAndPut, "admin_state_up": postAndPut, "shared": postAndPut,
		"router:external": postAndPut, "mtu": postAndPut, "port_security_enabled": postAndPut,
		"provider:network_type": postAndPut, "provider:physical_network": postAndPut, "provider:segmentation_id": postAndPut,
		"segments": postOnly,
	}
}

func (s *service) networks() *resource {
	return &resource{
		name: "network", plural: "networks", spec: networkSpec(), notFound: func(id string) error { return network.NetworkNotFound(id) },
		list: s.listNetworks, show: s.showNetwork, create: s.createNetworks, update: s.updateNetwork, remove: s.deleteNetwork,
		retag: s.retagNetwork,
	}
}

func networkView(a *identity.Actor, n *network.Network) view {
	v := view{
		"id": n.ID, "project_id": n.ProjectID, "tenant_id": n.ProjectID, "name": n.Name, "description": n.Description,
		"admin_state_up": n.AdminStateUp, "status": "ACTIVE", "shared": n.Shared, "router:external": n.External, "mtu": n.MTU,
		"subnets": listed(n.SubnetIDs), "port_security_enabled": n.PortSecurity,
		"availability_zones": []string{}, "availability_zone_hints": []string{},
		"ipv4_address_scope": nil, "ipv6_address_scope": nil,
		"tags": listed(n.Tags), "revision_number": n.Revision, "created_at": moment(n.CreatedAt), "updated_at": moment(n.UpdatedAt),
	}
	if a.Admin() {
		v["provider:network_type"], v["provider:physical_network"], v["provider:segmentation_id"] = n.Segment.Type, orNull(n.Segment.Physical), orZero(n.Segment.ID)
	}
	return v
}

func (s *service) listNetworks(ctx context.Context, a *identity.Actor, q store.Query) ([]view, error) {
	found, err := s.store.Networks(ctx, visible(a, q))
	if err != nil {
		return nil, err
	}
	return viewsOf(found, func(n *network.Network) view { return networkView(a, n) }), nil
}

// visible narrows a list to what the actor may see.
func visible(a *identity.Actor, q store.Query) store.Query {
	if !a.Admin() {
		q.Filters = append(q.Filters, store.Filter{Attribute: network.VisibleTo, Values: []string{a.ProjectID}})
	}
	return q
}

func (s *service) showNetwork(ctx context.Context, a *identity.Actor, id string) (view, error) {
	n, err := s.networkSeen(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return networkView(a, n), nil
}

// networkSeen reads a network that the actor may know of.
func (s *service) networkSeen(ctx context.Context, a *identity.Actor, id string) (*network.Network, error) {
	n, err := s.store.Network(ctx, id)
	if err != nil {
		return nil, err
	}
	if !seesNetwork(a, n) {
		return nil, network.NetworkNotFound(id)
	}
	return n, nil
}

func (s *service) createNetworks(ctx context.Context, a *identity.Actor, bodies []*body) ([]view, error) {
	var list []*network.Network
	for _, b := range bodies {
		n := &network.Network{ProjectID: b.owner(a), AdminStateUp: true, PortSecurity: s.groups}
		if err := s.readNetwork(a, b, n, "create_network"); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	if err := s.store.CreateNetworks(ctx, list); err != nil {
		return nil, err
	}
	return viewsOf(list, func(n *network.Network) view { return networkView(a, n) }), nil
}

// readNetwork reads the attributes that a request carries into a network.
func (s *service) readNetwork(a *identity.Actor, b *body, n *network.Network, rule string) error {
	if err := b.adminOnly(a, rule, "provider:network_type", "provider:physical_network", "provider:segmentation_id", "segments"); err != nil {
		return err
	}
	shared, external := n.Shared, n.External
	b.text("name", &n.Name, 255)
	b.text("description", &n.Description, 255)
	b.boolean("admin_state_up", &n.AdminStateUp)
	b.boolean("shared", &n.Shared)
	b.boolean("router:external", &n.External)
	b.mtu(&n.MTU)
	b.networkSecurity(n, s.groups)
	b.nothing("availability_zone_hints")
	b.provider(n)
	switch { // what it is already may be sent by anybody
	case n.Shared != shared && !a.Admin():
		return disallowed(rule, rule+":shared")
	case n.External != external && !a.Admin():
		return disallowed(rule, rule+":router:external")
	}
	return b.err()
}

// adminOnly refuses attributes that only admins may set.
func (b *body) adminOnly(a *identity.Actor, rule string, names ...string) error {
	for _, name := range names {
		if b.has(name) && !a.Admin() {
			return disallowed(rule, rule+":"+name)
		}
	}
	return nil
}

// The bounds of an MTU: what IPv4 demands of every link (RFC 791), and what a bridge takes.
const (
	minMTU = 68
	maxMTU = 65535
)

func (b *body) mtu(target *int) {
	v := *target
	b.integer("mtu", &v)
	switch {
	case v == 0: // the store knows what the network's type carries
	case v < minMTU:
		b.fail(invalid("mtu", "'%d' is too small - must be at least '%d'", v, minMTU))
	case v > maxMTU:
		b.fail(invalid("mtu", "'%d' is too large - must be no larger than '%d'", v, maxMTU))
	}
	*target = v
}

// provider reads what a network is made of, which does not change later. Whether there is such a segment, the store knows.
func (b *body) provider(n *network.Network) {
	listed := b.oneSegment()
	if !b.given("provider:network_type") && !b.given("provider:physical_network") && !b.given("provider:segmentation_id") {
		return
	}
	segment := n.Segment
	b.oneText("provider:network_type", &segment.Type, 32)
	b.oneText("provider:physical_network", &segment.Physical, 64)
	if b.given("provider:segmentation_id") {
		b.integer("provider:segmentation_id", &segment.ID)
		if idless := segment.Type == network.TypeFlat || segment.Type == network.TypeLocal; segment.ID == 0 && !listed && !idless {
			segment.ID = -1 // as little an id as 0, which is none here
		}
	}
	switch {
	case b.err() != nil:
	case n.ID != "" && segment != n.Segment:
		b.fail(network.InvalidInput("Plugin does not support updating provider attributes"))
	case segment.Type == "":
		b.fail(network.InvalidInput("network_type required"))
	}
	n.Segment = segment
}

// oneSegment takes the attributes out of a list of segments, if there is one. That is how some clients write them, with 0 for an id that
// nobody gave. A network here has one segment.
func (b *body) oneSegment() (listed bool) {
	list := b.items("segments", "segments")
	switch {
	case b.err() != nil || len(list) == 0:
		return false
	case b.given("provider:network_type") || b.given("provider:physical_network") || b.given("provider:segmentation_id"):
		b.fail(failedSegments("Segments and provider values cannot both be set."))
		return false
	case len(list) > 1:
		b.fail(failedSegments("Networks of several segments are not supported by this network service."))
		return false
	}
	segment, err := object(list[0])
	if err != nil {
		b.fail(invalid("segments", "'%s' is not a dictionary", shown(list[0])))
		return false
	}
	for _, name := range slices.Sorted(maps.Keys(segment)) {
		if !strings.HasPrefix(name, "provider:") || networkSpec()[name] != postAndPut {
			b.fail(invalid("segments", "Unexpected keys supplied: %s", name))
			return false
		}
		b.Object[name] = segment[name]
	}
	return true
}

func failedSegments(text string) error {
	return &lbaas.Error{Kind: lbaas.Invalid, Type: "SegmentsSetInConjunctionWithProviders", Text: text}
}

// oneText reads a text that may be null, which is as if it were not there.
func (b *body) oneText(name string, target *string, limit int) {
	if b.given(name) {
		b.text(name, target, limit)
	}
}

func (s *service) updateNetwork(ctx context.Context, a *identity.Actor, id string, b *body) (view, error) {
	n, err := s.store.UpdateNetwork(ctx, id, func(n *network.Network) error {
		if !owns(a, n.ProjectID) {
			return disallowed("update_network")
		}
		return s.readNetwork(a, b, n, "update_network")
	})
	if err != nil {
		return nil, err
	}
	return networkView(a, n), nil
}

func (s *service) retagNetwork(ctx context.Context, a *identity.Actor, id string, fn func([]string) ([]string, error)) ([]string, error) {
	n, err := s.store.UpdateNetwork(ctx, id, func(n *network.Network) (err error) {
		if !owns(a, n.ProjectID) {
			return disallowed("update_networks_tags")
		}
		n.Tags, err = fn(n.Tags)
		return err
	})
	if err != nil {
		return nil, err
	}
	return n.Tags, nil
}

func (s *service) deleteNetwork(ctx context.Context, a *identity.Actor, id string) error {
	n, err := s.networkSeen(ctx, a, id)
	if err != nil {
		return err
	}
	if !owns(a, n.ProjectID) {
		return disallowed("delete_network")
	}
	return s.store.DeleteNetwork(ctx, id)
}
