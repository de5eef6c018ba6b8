package neutron

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"plimsoll/internal/identity"
	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

func portSpec() spec {
	return spec{
		"id": readOnly, "status": readOnly, "tags": readOnly, "revision_number": readOnly, "created_at": readOnly, "updated_at": readOnly,
		"binding:vif_type": readOnly, "binding:vif_details": readOnly,
		"project_id": postOnly, "tenant_id": postOnly, "network_id": postOnly,
		"name": postAndPut, "description": postAndPut, "admin_state_up": postAndPut, "mac_address": postAndPut,
		"fixed_ips": postAndPut, "device_id": postAndPut, "device_owner": postAndPut, "security_groups": postAndPut,
		"port_security_enabled": postAndPut, "allowed_address_pairs": postAndPut, "extra_dhcp_opts": postAndPut,
		"binding:host_id": postAndPut, "binding:profile": postAndPut, "binding:vnic_type": postAndPut,
	}
}

func (s *service) ports() *resource {
	return &resource{
		name: "port", plural: "ports", spec: portSpec(), notFound: func(id string) error { return network.PortNotFound(id) },
		list: s.listPorts, show: s.showPort, create: s.createPorts, update: s.updatePort, remove: s.deletePort,
		retag: s.retagPort,
	}
}

func portView(a *identity.Actor, p *network.Port) view {
	v := view{
		"id": p.ID, "project_id": p.ProjectID, "tenant_id": p.ProjectID, "network_id": p.NetworkID, "name": p.Name,
		"description": p.Description, "admin_state_up": p.AdminStateUp, "status": p.Status(), "mac_address": p.MAC,
		"fixed_ips": fixedView(p.FixedIPs), "device_id": p.DeviceID, "device_owner": p.DeviceOwner,
		"security_groups": listed(p.SecurityGroupIDs), "port_security_enabled": p.PortSecurity, "allowed_address_pairs": pairsView(p), "extra_dhcp_opts": optionsView(p),
		"binding:vnic_type": vnicNormal,
		"tags":              listed(p.Tags), "revision_number": p.Revision,
		"created_at": moment(p.CreatedAt), "updated_at": moment(p.UpdatedAt),
	}
	if a.Admin() {
		bindingView(v, p)
	}
	return v
}

const vnicNormal = "normal"

func bindingView(v view, p *network.Port) {
	profile, vif, details := map[string]string{}, "unbound", map[string]any{}
	if p.Binding.NetNS != "" {
		profile["netns"] = p.Binding.NetNS
	}
	if p.Binding.Host != "" {
		vif, details = "bridge", map[string]any{"connectivity": "l2", "port_filter": p.Guarded()}
	}
	v["binding:host_id"], v["binding:profile"] = p.Binding.Host, profile
	v["binding:vif_type"], v["binding:vif_details"] = vif, details
	if p.Binding.Reason != "" {
		v["status_reason"] = p.Binding.Reason
	}
}

type fixedJSON struct {
	SubnetID string `json:"subnet_id"`
	Address  string `json:"ip_address"`
}

func (s *service) listPorts(ctx context.Context, a *identity.Actor, q store.Query) ([]view, error) {
	found, err := s.store.Ports(ctx, visible(a, q))
	if err != nil {
		return nil, err
	}
	return viewsOf(found, func(p *network.Port) view { return portView(a, p) }), nil
}

func (s *service) showPort(ctx context.Context, a *identity.Actor, id string) (view, error) {
	p, err := s.portSeen(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return portView(a, p), nil
}

// portSeen reads a port that the actor may know of: its own ones, and those in its networks.
func (s *service) portSeen(ctx context.Context, a *identity.Actor, id string) (*network.Port, error) {
	p, err := s.store.Port(ctx, id)
	if err != nil || owns(a, p.ProjectID) {
		return p, err
	}
	n, err := s.store.Network(ctx, p.NetworkID)
	if err != nil || !owns(a, n.ProjectID) {
		return nil, network.PortNotFound(id)
	}
	return p, nil
}

func (s *service) createPorts(ctx context.Context, a *identity.Actor, bodies []*body) ([]view, error) {
	var list []*network.Port
	for _, b := range bodies {
		p, err := s.newPort(ctx, a, b)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	if err := s.store.CreatePorts(ctx, list); err != nil {
		return nil, err
	}
	return viewsOf(list, func(p *network.Port) view { return portView(a, p) }), nil
}

func (s *service) newPort(ctx context.Context, a *identity.Actor, b *body) (*network.Port, error) {
	b.required("network_id")
	p := &network.Port{ProjectID: b.owner(a), AdminStateUp: true}
	b.uuid("network_id", &p.NetworkID)
	if err := b.err(); err != nil {
		return nil, err
	}
	n, err := s.networkSeen(ctx, a, p.NetworkID)
	if err != nil {
		return nil, err
	}
	p.PortSecurity = n.PortSecurity
	if err := readPort(b, p, s.groups); err != nil {
		return nil, err
	}
	if !owns(a, n.ProjectID) && !n.Shared {
		return nil, lbaas.Errorf(lbaas.Forbidden, "Tenant %s not allowed to create port on this network", p.ProjectID)
	}
	if err := allowedOnPort(a, b, n, "create_port"); err != nil {
		return nil, err
	}
	if err := serviceKeeps(false, &network.Port{}, p); err != nil {
		return nil, err
	}
	return p, s.groupsOfNew(ctx, a, p)
}

// readPort reads the attributes that a request carries into a port.
func readPort(b *body, p *network.Port, groups bool) error {
	b.text("name", &p.Name, 255)
	b.text("description", &p.Description, 255)
	b.boolean("admin_state_up", &p.AdminStateUp)
	b.textOrNull("device_id", &p.DeviceID, 255)
	b.textOrNull("device_owner", &p.DeviceOwner, 255)
	b.mac(p)
	b.fixedIPs(p)
	b.binding(p)
	b.portSecurity(p, groups)
	b.dhcpOptions(p)
	return b.err()
}

func (b *body) mac(p *network.Port) {
	if !b.given("mac_address") {
		return
	}
	mac, err := network.ParseMAC(shown(b.Object["mac_address"]))
	if err != nil {
		b.fail(invalid("mac_address", "%v", err))
		return
	}
	p.MAC = mac
}

// fixedIPs reads the addresses. Absent at the making means one per family; an empty list is none.
func (b *body) fixedIPs(p *network.Port) {
	if !b.given("fixed_ips") {
		return
	}
	list := []network.FixedIP{}
	for _, raw := range b.items("fixed_ips", "fixed IP") {
		f, err := parseFixedIP(raw)
		if err != nil {
			b.fail(err)
			return
		}
		if f.Address.IsValid() && slices.ContainsFunc(list, func(o network.FixedIP) bool { return o.Address == f.Address }) {
			b.fail(invalid("fixed_ips", "Duplicate IP address '%s'", f.Address))
			return
		}
		list = append(list, f)
	}
	p.FixedIPs = list
}

func parseFixedIP(raw json.RawMessage) (f network.FixedIP, err error) {
	o, err := object(raw)
	if err != nil {
		return f, invalid("fixed_ips", "Invalid data format for fixed IP: '%s'", shown(raw))
	}
	for key, value := range o {
		text := shown(value)
		switch {
		case string(value) == "null":
		case key == "ip_address":
			if f.Address, err = network.ParseAddr(text); err != nil {
				return f, invalid("fixed_ips", "%v", err)
			}
		case key == "subnet_id" && isUUID(text):
			f.SubnetID = text
		case key == "subnet_id":
			return f, invalid("fixed_ips", "'%s' is not a valid UUID", text)
		default:
			return f, invalid("fixed_ips", "Unexpected key '%s' in fixed IP", key)
		}
	}
	return f, nil
}

// binding reads where the port is to be plugged: the host, and in the profile the network namespace.
func (b *body) binding(p *network.Port) {
	b.textOrNull("binding:host_id", &p.Binding.Host, 255)
	b.oneOf("binding:vnic_type", new(string), vnicNormal)
	if !b.has("binding:profile") {
		return
	}
	p.Binding.NetNS = ""
	if b.isNull("binding:profile") || shown(b.Object["binding:profile"]) == "" {
		return
	}
	profile, err := object(b.Object["binding:profile"])
	if err != nil {
		b.fail(invalid("binding:profile", "'%s' is not a dictionary", shown(b.Object["binding:profile"])))
		return
	}
	inner := &body{Object: profile}
	for _, key := range inner.names() {
		if key != "netns" {
			b.fail(invalid("binding:profile", "Unexpected key '%s': the only one is 'netns'", key))
			return
		}
	}
	inner.textOrNull("netns", &p.Binding.NetNS, 64)
	if p.Binding.NetNS != "" && inner.err() == nil {
		if err := network.ValidateNetNS(p.Binding.NetNS); err != nil {
			inner.fail(invalid("binding:profile", "%v", err))
		}
	}
	if err := inner.err(); err != nil {
		b.fail(err)
	}
}

// allowedOnPort is Neutron's default policy of the attributes that not everybody may set.
func allowedOnPort(a *identity.Actor, b *body, n *network.Network, rule string) error {
	if err := b.adminOnly(a, rule, "binding:host_id", "binding:profile"); err != nil {
		return err
	}
	var owner string
	b.textOrNull("device_owner", &owner, 255)
	networkOwner := owns(a, n.ProjectID)
	switch {
	case a.Admin():
		return nil
	case owner == network.OwnerLoadBalancer, strings.HasPrefix(owner, "network:") && !networkOwner:
		return disallowed(rule, rule+":device_owner")
	case b.given("mac_address") && (!networkOwner || rule == "update_port"):
		return disallowed(rule, rule+":mac_address")
	case networkOwner:
		return nil
	}
	if err := allowedOnGuard(b, rule); err != nil {
		return err
	}
	for _, raw := range b.items("fixed_ips", "fixed IP") {
		f, err := parseFixedIP(raw)
		if err != nil {
			return err
		}
		if f.Address.IsValid() {
			return disallowed(rule, rule+":fixed_ips", rule+":fixed_ips:ip_address")
		}
	}
	return nil
}

func (s *service) updatePort(ctx context.Context, a *identity.Actor, id string, b *body) (view, error) {
	seen, err := s.mayChangePort(ctx, a, id, b)
	if err != nil {
		return nil, err
	}
	balanced, err := s.isBalancers(ctx, a, seen)
	if err != nil {
		return nil, err
	}
	p, err := s.store.UpdatePort(ctx, id, func(p *network.Port) error {
		before := *p
		before.FixedIPs = slices.Clone(p.FixedIPs)
		if err := readPort(b, p, s.groups); err != nil {
			return err
		}
		return serviceKeeps(balanced, &before, p)
	})
	if err != nil {
		return nil, err
	}
	return portView(a, p), nil
}

// mayChangePort returns the port that a request is about, if the actor may make of it what the request says.
func (s *service) mayChangePort(ctx context.Context, a *identity.Actor, id string, b *body) (*network.Port, error) {
	p, err := s.portSeen(ctx, a, id)
	if err != nil {
		return nil, err
	}
	if !owns(a, p.ProjectID) {
		return nil, disallowed("update_port")
	}
	n, err := s.store.Network(ctx, p.NetworkID)
	if err != nil {
		return nil, err
	}
	if err := allowedOnPort(a, b, n, "update_port"); err != nil {
		return nil, err
	}
	return p, s.groupsOfChanged(ctx, a, p, b)
}

// serviceKeeps keeps all from taking the port of a load balancer away from it (balanced), or those of routers, of floating addresses and
// of DHCP servers from these, or making some of their own.
func serviceKeeps(balanced bool, before, after *network.Port) error {
	if !before.OfRouting() && after.OfRouting() {
		return network.InvalidInput("ports get the device_owner '%s' by requests of routers and floating IPs only", after.DeviceOwner)
	}
	ours := before.OfRouting() || before.ServesLeases()
	if !ours && !balanced {
		return nil
	}
	same := before.DeviceOwner == after.DeviceOwner && before.DeviceID == after.DeviceID && sameIPs(before.FixedIPs, after.FixedIPs)
	if same && (!ours || before.Binding.Host == after.Binding.Host && before.Binding.NetNS == after.Binding.NetNS) {
		return nil
	}
	e := network.ServicePortInUse(before.ID, "has device owner "+before.DeviceOwner)
	e.Text = strings.Replace(e.Text, "deleted directly", "changed directly", 1)
	return e
}

// balancerKeeps keeps the port of a load balancer from being deleted while the load balancer is there.
func (s *service) balancerKeeps(ctx context.Context, a *identity.Actor, p *network.Port) error {
	balanced, err := s.isBalancers(ctx, a, p)
	if balanced {
		return network.ServicePortInUse(p.ID, "has device owner "+p.DeviceOwner)
	}
	return err
}

// isBalancers tells whether a port is a load balancer's, which the actor may not take from it. One whose load balancer is not there any
// more, or is of another service, is an admin's to clear away.
func (s *service) isBalancers(ctx context.Context, a *identity.Actor, p *network.Port) (bool, error) {
	if p.DeviceOwner != network.OwnerLoadBalancer || !a.Admin() {
		return p.DeviceOwner == network.OwnerLoadBalancer, nil
	}
	_, err := s.store.LoadBalancer(ctx, strings.TrimPrefix(p.DeviceID, "lb-"))
	if errors.Is(err, lbaas.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// sameIPs tells whether the wanted addresses are those that the port has.
func sameIPs(have, want []network.FixedIP) bool {
	return slices.EqualFunc(have, want, func(h, w network.FixedIP) bool {
		return (w.Address == h.Address || w.Address == netip.Addr{}) && (w.SubnetID == h.SubnetID || w.SubnetID == "")
	})
}

func (s *service) retagPort(ctx context.Context, a *identity.Actor, id string, fn func([]string) ([]string, error)) ([]string, error) {
	p, err := s.store.UpdatePort(ctx, id, func(p *network.Port) (err error) {
		if !owns(a, p.ProjectID) {
			return disallowed("update_ports_tags")
		}
		p.Tags, err = fn(p.Tags)
		return err
	})
	if err != nil {
		return nil, err
	}
	return p.Tags, nil
}

// deletePort deletes a port of the actor's, or one in a network of its. Ports of load balancers go with them.
func (s *service) deletePort(ctx context.Context, a *identity.Actor, id string) error {
	p, err := s.portSeen(ctx, a, id)
	if err != nil {
		return err
	}
	if err := s.balancerKeeps(ctx, a, p); err != nil {
		return err
	}
	if err := s.ownFloating(ctx, a, id); err != nil {
		return err
	}
	return s.store.DeletePort(ctx, id)
}
