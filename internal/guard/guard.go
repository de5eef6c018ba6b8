// Package guard decides how the kernel enforces security groups: it turns the guards and groups of a host's plan into two tables of
// nftables, and tells how the tables that a kernel has become the wanted ones. It decides everything and touches nothing; package linux
// carries out what it says.
//
// A frame walks through the tables so. In the table of the family bridge, `prerouting` drops what a guarded port may not send in
// anybody's name, and marks the rest with the set of groups that the port is in; `forward` marks the frame anew, for the port that it goes
// to. In between the bridge shows the packet to the table of the family inet (br_netfilter): `zone` gives each bridge connections of its
// own, `leaving` holds the packet against the rules of the groups of its sender, `arriving` against those of its receiver. What
// belongs to a connection that was let through passes in both. Ports that are in the same groups share all but their addresses, so that
// one port more is a few elements of sets.
package guard

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"plimsoll/internal/engine/enginepb"
)

// A MAC is an Ethernet address.
type MAC [6]byte

// String is the address as nft(8) reads it.
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// A Port is a guarded port.
type Port struct {
	ID     string
	Link   string // the host's end of its link
	Bridge string
	Groups []string
	Pairs  []Pair // what it may send from
}

// A Pair is a MAC address and a range of addresses.
type Pair struct {
	MAC       MAC
	Addresses netip.Prefix
}

// A Group is a security group.
type Group struct {
	ID      string
	Rules   []GroupRule
	Members []netip.Prefix // the addresses of its ports
}

// A GroupRule lets traffic through.
type GroupRule struct {
	Egress   bool
	Six      bool
	Protocol int          // IANA's number; -1 is any
	Min, Max int          // the ports; of ICMP the type and the code; -1 is any
	Remote   string       // a group; "" is none
	Prefix   netip.Prefix // of the other side; the zero Prefix is none
}

// Names tells how links and bridges are called on a host.
type Names struct {
	Link   func(portID string) string
	Bridge func(networkID string) string
}

// Parse reads the guards and groups of a plan. What no table can be made of is refused, by the id of the port or group: a port that is
// refused, or that is in a group that is, gets no rules and stays closed.
func Parse(plan *enginepb.HostPlan, names Names) (ports []Port, groups []Group, refused map[string]error) {
	refused = map[string]error{}
	known := map[string]bool{}
	for _, g := range plan.GetGroups() {
		group, err := parseGroup(g)
		if err == nil && known[group.ID] {
			err = errors.New("it is there twice")
		}
		if known[g.GetId()] = true; err != nil {
			refused[g.GetId()] = fmt.Errorf("security group %s: %w", g.GetId(), err)
			continue
		}
		groups = append(groups, group)
	}
	seen := map[string]bool{}
	for _, g := range plan.GetGuards() {
		port, err := parsePort(g, names)
		if err == nil && seen[port.Link] {
			err = errors.New("it is there twice")
		}
		for _, id := range g.GetGroupIds() {
			err = cmp.Or(err, refused[id], missing(id, known))
		}
		if seen[port.Link] = true; err != nil {
			refused[g.GetPortId()] = fmt.Errorf("guard of port %s: %w", g.GetPortId(), err)
			continue
		}
		ports = append(ports, port)
	}
	return ports, groups, refused
}

func missing(group string, known map[string]bool) error {
	if known[group] {
		return nil
	}
	return fmt.Errorf("the plan has no security group %q", group)
}

func parsePort(g *enginepb.Guard, names Names) (Port, error) {
	p := Port{ID: g.GetPortId()}
	if !plain(p.ID) || !plain(g.GetNetworkId()) {
		return p, fmt.Errorf("%q and %q are no ids", p.ID, g.GetNetworkId())
	}
	p.Link, p.Bridge = names.Link(p.ID), names.Bridge(g.GetNetworkId())
	p.Groups = slices.Compact(slices.Sorted(slices.Values(g.GetGroupIds())))
	for _, text := range g.GetPairs() {
		pair, err := parsePair(text)
		if err != nil {
			return p, err
		}
		p.Pairs = append(p.Pairs, pair)
	}
	return p, nil
}

func parsePair(a *enginepb.AddressPair) (Pair, error) {
	mac, err := net.ParseMAC(a.GetMac())
	if err != nil || len(mac) != len(MAC{}) {
		return Pair{}, fmt.Errorf("%q is no MAC address", a.GetMac())
	}
	to, err := parsePrefix(a.GetAddress())
	return Pair{MAC(mac), to}, err
}

func parsePrefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return p, fmt.Errorf("%q is no range of addresses", text)
	}
	return p.Masked(), nil
}

// plain tells whether an id can become part of a name in a table: letters, digits and hyphens.
func plain(id string) bool {
	return id != "" && len(id) <= 64 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
	})
}

func parseGroup(g *enginepb.Group) (Group, error) {
	group := Group{ID: g.GetId()}
	if !plain(group.ID) {
		return group, fmt.Errorf("%q is no id", group.ID)
	}
	for _, text := range g.GetMembers() {
		m, err := parsePrefix(text)
		if err != nil {
			return group, err
		}
		group.Members = append(group.Members, m)
	}
	for _, r := range g.GetRules() {
		rule, err := parseRule(r)
		if err != nil {
			return group, err
		}
		group.Rules = append(group.Rules, rule)
	}
	return group, nil
}

func parseRule(r *enginepb.GuardRule) (GroupRule, error) {
	rule := GroupRule{Egress: r.GetEgress(), Six: r.GetSix(), Protocol: int(r.GetProtocol()), Min: int(r.GetPortMin()), Max: int(r.GetPortMax()),
		Remote: r.GetRemoteGroupId()}
	if rule.Protocol < -1 || rule.Protocol > 255 {
		return rule, fmt.Errorf("%d is no protocol", rule.Protocol)
	}
	if rule.Remote != "" && !plain(rule.Remote) {
		return rule, fmt.Errorf("%q is no id", rule.Remote)
	}
	if text := r.GetRemotePrefix(); text != "" {
		p, err := parsePrefix(text)
		if err != nil {
			return rule, err
		}
		if p.Addr().Is6() != rule.Six {
			return rule, fmt.Errorf("%s is of another IP version than its rule", p)
		}
		rule.Prefix = p
	}
	return rule, rule.checkRange()
}

// checkRange refuses numbers that the protocol has not.
func (r GroupRule) checkRange() error {
	most := -1
	switch {
	case r.control():
		most = 255
	case r.ported():
		most = 65535
	}
	if r.Min < -1 || r.Max < -1 || r.Min > most || r.Max > most {
		return fmt.Errorf("protocol %d has no %d to %d", r.Protocol, r.Min, r.Max)
	}
	if r.ported() && r.Max >= 0 && r.Min > r.Max {
		return fmt.Errorf("there is no port from %d to %d", r.Min, r.Max)
	}
	if r.control() && r.Min < 0 && r.Max >= 0 {
		return fmt.Errorf("the code %d stands for no type", r.Max)
	}
	return nil
}

// The protocols that rules know more of than the number (IANA, protocol numbers).
const (
	icmp  = 1
	tcp   = 6
	udp   = 17
	dccp  = 33
	icmp6 = 58
	sctp  = 132
	lite  = 136
)

// control tells whether the rule is about ICMP of its IP version.
func (r GroupRule) control() bool {
	return !r.Six && r.Protocol == icmp || r.Six && r.Protocol == icmp6
}

// ported tells whether the protocol has ports, all of which have them in one place.
func (r GroupRule) ported() bool {
	return slices.Contains([]int{tcp, udp, dccp, sctp, lite}, r.Protocol)
}
