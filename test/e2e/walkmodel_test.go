package e2e

import (
	"net/netip"
	"strings"
	"testing"
)

// walkState is what the API tells of the network service.
type walkState struct {
	Networks  []*walkNetwork
	Subnets   []*walkSubnet
	Ports     []*walkPort
	Routers   []*walkRouter
	Floating  []*walkFloating
	Groups    []*walkGroup
	Balancers []*walkBalancer
	outside   string
}

type walkNetwork struct {
	ID   string
	Name string
	Up   bool `json:"admin_state_up"`
}

type walkSubnet struct {
	ID, CIDR  string
	NetworkID string `json:"network_id"`
	Gateway   string `json:"gateway_ip"`
	DHCP      bool   `json:"enable_dhcp"`
}

type walkPort struct {
	ID, Status string
	NetworkID  string `json:"network_id"`
	Owner      string `json:"device_owner"`
	DeviceID   string `json:"device_id"`
	Up         bool   `json:"admin_state_up"`
	Secure     bool   `json:"port_security_enabled"`
	FixedIPs   []struct {
		SubnetID string `json:"subnet_id"`
		Address  string `json:"ip_address"`
	} `json:"fixed_ips"`
	GroupIDs []string `json:"security_groups"`
}

type walkRouter struct {
	ID      string
	Up      bool `json:"admin_state_up"`
	Gateway *struct {
		SNAT     bool `json:"enable_snat"`
		FixedIPs []struct {
			Address string `json:"ip_address"`
		} `json:"external_fixed_ips"`
	} `json:"external_gateway_info"`
}

type walkFloating struct {
	ID, Status string
	Address    string `json:"floating_ip_address"`
	Fixed      string `json:"fixed_ip_address"`
	PortID     string `json:"port_id"`
	RouterID   string `json:"router_id"`
}

type walkGroup struct {
	ID, Name string
	Rules    []*walkRule `json:"security_group_rules"`
}

type walkRule struct {
	ID, Direction, EtherType, Protocol string
	Min                                *int   `json:"port_range_min"`
	Max                                *int   `json:"port_range_max"`
	Prefix                             string `json:"remote_ip_prefix"`
	Group                              string `json:"remote_group_id"`
}

type walkBalancer struct {
	ID, Provisioning string
	Status           string `json:"provisioning_status"`
	Up               bool   `json:"admin_state_up"`
	Port             string `json:"vip_port_id"`
	Address          string `json:"vip_address"`
}

// look reads everything from the API.
func (w *walk) look(t *testing.T) *walkState {
	t.Helper()
	s := &walkState{outside: w.outside.ID}
	for name, list := range map[string]any{
		"networks": &s.Networks, "subnets": &s.Subnets, "ports": &s.Ports, "routers": &s.Routers, "floatingips": &s.Floating,
		"security_groups": &s.Groups,
	} {
		w.read(t, w.Network.ServiceURL(strings.ReplaceAll(name, "_", "-")), name, list)
	}
	w.read(t, w.LoadBalancer.ServiceURL("lbaas", "loadbalancers"), "loadbalancers", &s.Balancers)
	return s
}

// inside are the walk's own networks, but for the one outside.
func (s *walkState) inside(w *walk) []*walkNetwork {
	var all []*walkNetwork
	for _, n := range s.Networks {
		if n.ID != w.outside.ID && n.Name != "private" && n.Name != "public" {
			all = append(all, n)
		}
	}
	return all
}

func (s *walkState) network(id string) *walkNetwork {
	for _, n := range s.Networks {
		if n.ID == id {
			return n
		}
	}
	return nil
}

func (s *walkState) subnet(id string) *walkSubnet {
	for _, n := range s.Subnets {
		if n.ID == id {
			return n
		}
	}
	return nil
}

func (s *walkState) subnetOf(networkID string) *walkSubnet {
	for _, n := range s.Subnets {
		if n.NetworkID == networkID {
			return n
		}
	}
	return nil
}

func (s *walkState) port(id string) *walkPort {
	for _, p := range s.Ports {
		if p.ID == id {
			return p
		}
	}
	return nil
}

func (s *walkState) router(id string) *walkRouter {
	for _, r := range s.Routers {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// plugged tells whether a port of a guest, of a router or of a DHCP server has to be in its namespace.
func (s *walkState) plugged(p *walkPort) bool {
	return p.Up && s.network(p.NetworkID).Up && p.Owner != "network:floatingip"
}

// at is the port of a network that has an address and is plugged.
func (s *walkState) at(networkID, address string) *walkPort {
	for _, p := range s.Ports {
		if p.NetworkID == networkID && len(p.FixedIPs) > 0 && p.FixedIPs[0].Address == address && s.plugged(p) {
			return p
		}
	}
	return nil
}

func within(cidr, address string) bool {
	return netip.MustParsePrefix(cidr).Contains(netip.MustParseAddr(address))
}

// gatewayOf is the router that is the gateway of a port's subnet, and forwards.
func (s *walkState) gatewayOf(p *walkPort) *walkRouter {
	sub := s.subnet(p.FixedIPs[0].SubnetID)
	if sub.Gateway == "" {
		return nil
	}
	g := s.at(sub.NetworkID, sub.Gateway)
	if g == nil || g.Owner != "network:router_interface" {
		return nil
	}
	if r := s.router(g.DeviceID); r.Up {
		return r
	}
	return nil
}

// leads tells whether a router that forwards has an interface in a port's subnet.
func (s *walkState) leads(r *walkRouter, p *walkPort) bool {
	for _, i := range s.Ports {
		if i.Owner == "network:router_interface" && i.DeviceID == r.ID && i.FixedIPs[0].SubnetID == p.FixedIPs[0].SubnetID && s.plugged(i) {
			return true
		}
	}
	return false
}

// external tells whether a router that forwards reaches the outside.
func (s *walkState) external(r *walkRouter) bool {
	return r != nil && r.Up && r.Gateway != nil && s.at(s.outside, r.Gateway.FixedIPs[0].Address) != nil
}

// behind is the port that a floating address leads to, with its router.
func (s *walkState) behind(address string) (*walkPort, *walkRouter) {
	for _, f := range s.Floating {
		if f.Address != address || f.RouterID == "" {
			continue
		}
		r := s.router(f.RouterID)
		p := s.port(f.PortID)
		if !s.external(r) || !s.plugged(p) || !s.leads(r, p) {
			return nil, nil
		}
		return p, r
	}
	return nil, nil
}

// known is by which address a port is seen outside of a router; its own when that does not translate.
func (s *walkState) known(p *walkPort, r *walkRouter) string {
	lowest := ""
	for _, f := range s.Floating {
		if f.RouterID == r.ID && f.PortID == p.ID && (lowest == "" || netip.MustParseAddr(f.Address).Less(netip.MustParseAddr(lowest))) {
			lowest = f.Address
		}
	}
	if lowest != "" {
		return lowest
	}
	if r.Gateway.SNAT {
		return r.Gateway.FixedIPs[0].Address
	}
	return p.FixedIPs[0].Address
}

// arrives tells at which port packets to an address end, and which sender that sees. Port nil is none.
func (s *walkState) arrives(from *walkPort, address string) (to *walkPort, sender string) {
	own := from.FixedIPs[0].Address
	if within(s.subnet(from.FixedIPs[0].SubnetID).CIDR, address) {
		if from.NetworkID == s.outside {
			if p, _ := s.behind(address); p != nil {
				return p, own
			}
		}
		return s.at(from.NetworkID, address), own
	}
	r := s.gatewayOf(from)
	if r == nil {
		return nil, ""
	}
	for _, p := range s.Ports {
		if len(p.FixedIPs) > 0 && p.FixedIPs[0].Address == address && p.NetworkID != s.outside && s.plugged(p) && s.leads(r, p) {
			return p, own
		}
	}
	if !s.external(r) || !within(s.subnetOf(s.outside).CIDR, address) {
		return nil, ""
	}
	known := s.known(from, r)
	if p, by := s.behind(address); p != nil {
		if by != r {
			return p, outsideOnly(known)
		}
		if known == own { // that of the router's link, so that answers come back
			known = s.subnet(p.FixedIPs[0].SubnetID).Gateway
		}
		return p, known
	}
	return s.at(s.outside, address), outsideOnly(known)
}

// outsideOnly is "" for a sender whom nobody outside can answer.
func outsideOnly(address string) string {
	if within("192.0.2.0/24", address) {
		return address
	}
	return ""
}

// reaches tells whether a port can connect to TCP port 8080 of an address, behind which somebody listens.
func (s *walkState) reaches(w *walk, from *walkPort, address string) bool {
	if !s.plugged(from) {
		return false
	}
	to, sender := s.arrives(from, address)
	if to == nil || sender == "" || !s.listens(w, to) {
		return false
	}
	if to == from && address == from.FixedIPs[0].Address {
		return true
	}
	return s.passes(from, "egress", address) && s.passes(to, "ingress", sender)
}

func (s *walkState) listens(w *walk, p *walkPort) bool {
	for _, lb := range s.Balancers {
		if lb.Port == p.ID {
			return lb.Up
		}
	}
	return w.guests[p.ID] != nil
}

// passes tells whether a port's groups let TCP port 8080 through.
func (s *walkState) passes(p *walkPort, direction, remote string) bool {
	if !p.Secure || p.Owner == "Octavia" && len(p.GroupIDs) == 0 {
		return true
	}
	for _, g := range s.Groups {
		for _, id := range p.GroupIDs {
			for _, r := range g.Rules {
				if g.ID == id && r.Direction == direction && s.lets(r, remote) {
					return true
				}
			}
		}
	}
	return false
}

func (s *walkState) lets(r *walkRule, remote string) bool {
	if r.EtherType != "IPv4" || r.Protocol != "" && r.Protocol != "tcp" || r.Max != nil && *r.Max < 8080 {
		return false
	}
	if r.Prefix != "" {
		return within(r.Prefix, remote)
	}
	if r.Group == "" {
		return true
	}
	for _, p := range s.Ports {
		for _, id := range p.GroupIDs {
			if id == r.Group && len(p.FixedIPs) > 0 && p.FixedIPs[0].Address == remote {
				return true
			}
		}
	}
	return false
}
