package neutron

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"plimsoll/internal/identity"
	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

func floatingIPSpec() spec {
	return spec{
		"id": readOnly, "status": readOnly, "router_id": readOnly, "port_details": readOnly, "tags": readOnly, "revision_number": readOnly,
		"created_at": readOnly, "updated_at": readOnly,
		"project_id": postOnly, "tenant_id": postOnly, "floating_network_id": postOnly, "subnet_id": postOnly, "floating_ip_address": postOnly,
		"port_id": postAndPut, "fixed_ip_address": postAndPut, "description": postAndPut,
	}
}

func (s *service) floatingIPs() *resource {
	return &resource{
		name: "floatingip", plural: "floatingips", spec: floatingIPSpec(), notFound: func(id string) error { return network.FloatingIPNotFound(id) },
		list: s.listFloatingIPs, show: s.showFloatingIP, create: s.createFloatingIPs, update: s.updateFloatingIP, remove: s.deleteFloatingIP,
		retag: s.retagFloatingIP,
	}
}

func floatingIPView(f *network.FloatingIP, ports map[string]*network.Port) view {
	v := view{
		"id": f.ID, "project_id": f.ProjectID, "tenant_id": f.ProjectID, "description": f.Description, "status": f.Status(),
		"floating_network_id": f.NetworkID, "floating_ip_address": f.Address.String(), "router_id": orNull(f.RouterID), "port_id": orNull(f.PortID),
		"fixed_ip_address": nil, "port_details": nil,
		"tags": listed(f.Tags), "revision_number": f.Revision, "created_at": moment(f.CreatedAt), "updated_at": moment(f.UpdatedAt),
	}
	if f.FixedAddress.IsValid() {
		v["fixed_ip_address"] = f.FixedAddress.String()
	}
	if p := ports[f.PortID]; p != nil {
		v["port_details"] = map[string]any{
			"name": p.Name, "network_id": p.NetworkID, "mac_address": p.MAC, "admin_state_up": p.AdminStateUp, "status": p.Status(),
			"device_id": p.DeviceID, "device_owner": p.DeviceOwner,
		}
	}
	return v
}

// floatingIPViews shows floating addresses with the ports that they stand for.
func (s *service) floatingIPViews(ctx context.Context, list []*network.FloatingIP) ([]view, error) {
	var ids []string
	for _, f := range list {
		if f.PortID != "" {
			ids = append(ids, f.PortID)
		}
	}
	ports := map[string]*network.Port{}
	for chunk := range slices.Chunk(ids, 500) {
		found, err := s.store.Ports(ctx, store.Query{Filters: []store.Filter{{Attribute: "id", Values: chunk}}})
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			ports[p.ID] = p
		}
	}
	return viewsOf(list, func(f *network.FloatingIP) view { return floatingIPView(f, ports) }), nil
}

func (s *service) listFloatingIPs(ctx context.Context, a *identity.Actor, q store.Query) ([]view, error) {
	found, err := s.store.FloatingIPs(ctx, visible(a, q))
	if err != nil {
		return nil, err
	}
	return s.floatingIPViews(ctx, found)
}

func (s *service) showFloatingIP(ctx context.Context, a *identity.Actor, id string) (view, error) {
	f, err := s.store.FloatingIP(ctx, id)
	if err != nil {
		return nil, err
	}
	if !owns(a, f.ProjectID) {
		return nil, network.FloatingIPNotFound(id)
	}
	return s.oneFloatingIP(ctx, f)
}

func (s *service) oneFloatingIP(ctx context.Context, f *network.FloatingIP) (view, error) {
	views, err := s.floatingIPViews(ctx, []*network.FloatingIP{f})
	if err != nil {
		return nil, err
	}
	return views[0], nil
}

func (s *service) createFloatingIPs(ctx context.Context, a *identity.Actor, bodies []*body) ([]view, error) {
	var list []*network.FloatingIP
	for _, b := range bodies {
		f, subnetID, err := s.newFloatingIP(ctx, a, b)
		if err == nil {
			err = s.store.CreateFloatingIP(ctx, f, subnetID)
		}
		if err != nil {
			return nil, undo(ctx, err, list, func(f *network.FloatingIP) string { return f.ID }, s.store.DeleteFloatingIP)
		}
		list = append(list, f)
	}
	return s.floatingIPViews(ctx, list)
}

// undo deletes what a request for many made before it failed, as Neutron does where it makes one after the other. It does so for a client
// that has hung up, too: nobody else knows what was made.
func undo[T any](ctx context.Context, err error, made []T, id func(T) string, remove func(context.Context, string) error) error {
	ctx = context.WithoutCancel(ctx)
	for _, m := range made {
		if more := remove(ctx, id(m)); more != nil && !errors.Is(more, lbaas.NotFound) {
			err = errors.Join(err, more)
		}
	}
	return err
}

func (s *service) newFloatingIP(ctx context.Context, a *identity.Actor, b *body) (f *network.FloatingIP, subnetID string, err error) {
	b.required("floating_network_id")
	f = &network.FloatingIP{ProjectID: b.owner(a)}
	b.uuid("floating_network_id", &f.NetworkID)
	if b.given("subnet_id") {
		b.uuid("subnet_id", &subnetID)
	}
	b.address("floating_ip_address", &f.Address)
	readFloatingIP(b, f)
	if err := b.err(); err != nil {
		return nil, "", err
	}
	if f.Address.IsValid() && !a.Admin() {
		return nil, "", disallowed("create_floatingip", "create_floatingip:floating_ip_address")
	}
	if _, err := s.networkSeen(ctx, a, f.NetworkID); err != nil {
		return nil, "", err
	}
	return f, subnetID, s.mayFloat(ctx, a, f)
}

// readFloatingIP reads the attributes that a floating address may have at its making and afterwards.
func readFloatingIP(b *body, f *network.FloatingIP) {
	b.text("description", &f.Description, 255)
	if b.has("port_id") {
		f.PortID, f.FixedAddress = "", netip.Addr{}
		if b.given("port_id") {
			b.uuid("port_id", &f.PortID)
		}
	}
	b.address("fixed_ip_address", &f.FixedAddress)
	if b.given("fixed_ip_address") && !b.given("port_id") {
		b.fail(network.BadRequest("floatingip", "fixed_ip_address cannot be specified without a port_id"))
	}
}

// mayFloat lets those have a floating address stand for a port who own it.
func (s *service) mayFloat(ctx context.Context, a *identity.Actor, f *network.FloatingIP) error {
	if f.PortID == "" {
		return nil
	}
	p, err := s.portSeen(ctx, a, f.PortID)
	if err != nil {
		return err
	}
	if !owns(a, p.ProjectID) {
		return network.BadRequest("floatingip", "Cannot process floating IP association with Port %s, since that port is owned by a different tenant", p.ID)
	}
	return nil
}

// ownFloating refuses to delete a port that somebody else's floating address stands for.
func (s *service) ownFloating(ctx context.Context, a *identity.Actor, portID string) error {
	if a.Admin() {
		return nil
	}
	list, err := s.store.FloatingIPs(ctx, store.Query{Filters: []store.Filter{{Attribute: "port_id", Values: []string{portID}}}})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list, func(f *network.FloatingIP) bool { return !owns(a, f.ProjectID) }) {
		return network.FloatingIPAssociated(portID)
	}
	return nil
}

func (s *service) updateFloatingIP(ctx context.Context, a *identity.Actor, id string, b *body) (view, error) {
	wanted := &network.FloatingIP{}
	readFloatingIP(b, wanted)
	if err := b.err(); err != nil {
		return nil, err
	}
	if err := s.mayFloat(ctx, a, wanted); err != nil {
		return nil, err
	}
	f, err := s.store.UpdateFloatingIP(ctx, id, func(f *network.FloatingIP) error {
		readFloatingIP(b, f)
		return b.err()
	})
	if err != nil {
		return nil, err
	}
	return s.oneFloatingIP(ctx, f)
}

func (s *service) retagFloatingIP(ctx context.Context, _ *identity.Actor, id string, fn func([]string) ([]string, error)) ([]string, error) {
	f, err := s.store.UpdateFloatingIP(ctx, id, func(f *network.FloatingIP) (err error) {
		f.Tags, err = fn(f.Tags)
		return err
	})
	if err != nil {
		return nil, err
	}
	return f.Tags, nil
}

func (s *service) deleteFloatingIP(ctx context.Context, _ *identity.Actor, id string) error {
	return s.store.DeleteFloatingIP(ctx, id)
}
