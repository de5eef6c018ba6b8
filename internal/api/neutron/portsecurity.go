package neutron

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"plimsoll/internal/identity"
	"plimsoll/internal/network"
)

// pairJSON is an address pair as answers show it.
type pairJSON struct {
	MAC     string `json:"mac_address"`
	Address string `json:"ip_address"`
}

func pairsView(p *network.Port) []pairJSON {
	list := make([]pairJSON, 0, len(p.AddressPairs))
	for _, a := range p.AddressPairs {
		mac := a.MAC
		if mac == "" {
			mac = p.MAC
		}
		list = append(list, pairJSON{mac, a.Text()})
	}
	return list
}

// optionJSON is a DHCP option as answers show it.
type optionJSON struct {
	Name      string `json:"opt_name"`
	Value     string `json:"opt_value"`
	IPVersion int    `json:"ip_version"`
}

func optionsView(p *network.Port) []optionJSON {
	list := make([]optionJSON, 0, len(p.DHCPOptions))
	for _, o := range p.DHCPOptions {
		list = append(list, optionJSON{o.Name, o.Value, o.IPVersion})
	}
	return list
}

// networkSecurity reads whether new ports of a network are guarded. Where security groups are switched off none is.
func (b *body) networkSecurity(n *network.Network, groups bool) {
	if groups {
		b.boolean("port_security_enabled", &n.PortSecurity)
	} else {
		b.never("port_security_enabled")
	}
}

// portSecurity reads what a request says of the port's guard. Where security groups are switched off nothing guards a port.
func (b *body) portSecurity(p *network.Port, groups bool) {
	if !groups {
		b.never("port_security_enabled")
		b.nothing("security_groups")
		b.nothing("allowed_address_pairs")
		return
	}
	b.boolean("port_security_enabled", &p.PortSecurity)
	b.securityGroups(p)
	b.addressPairs(p)
}

// securityGroups reads the groups of a port. Null is none, or for a new port, which has no id yet, as if they were not named.
func (b *body) securityGroups(p *network.Port) {
	switch {
	case b.isNull("security_groups") && p.ID != "":
		p.SecurityGroupIDs = nil
		return
	case !b.given("security_groups"):
		return
	}
	ids := []string{}
	for _, raw := range b.items("security_groups", "security group") {
		id := shown(raw)
		if !isUUID(id) {
			b.fail(network.InvalidInput("'%s' is not an integer or uuid", id))
			return
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	p.SecurityGroupIDs = ids
}

// addressPairs reads the addresses that the port may send from besides its own ones; those that it had are replaced.
func (b *body) addressPairs(p *network.Port) {
	if !b.has("allowed_address_pairs") {
		return
	}
	var list []network.AddressPair
	for _, raw := range b.items("allowed_address_pairs", "allowed address pairs") {
		a, err := parsePair(raw)
		if err != nil {
			b.fail(err)
			return
		}
		list = append(list, a)
	}
	p.AddressPairs = list
}

func parsePair(raw json.RawMessage) (a network.AddressPair, err error) {
	o, err := object(raw)
	if err != nil {
		return a, invalid("allowed_address_pairs", "'%s' is not a dictionary", shown(raw))
	}
	for key, value := range o {
		text := shown(value)
		switch {
		case string(value) == "null":
		case key == "mac_address":
			if a.MAC, err = network.ParseMAC(text); err != nil {
				return a, invalid("allowed_address_pairs", "%v", err)
			}
		case key == "ip_address":
			if a.Address, err = network.ParseRemotePrefix(text); err != nil {
				return a, invalid("allowed_address_pairs", "'%s' is not a valid IP subnet", text)
			}
		default:
			return a, invalid("allowed_address_pairs", "Unrecognized attribute(s) '%s'", key)
		}
	}
	if !a.Address.IsValid() {
		return a, network.MissingPairAddress()
	}
	return a, nil
}

// dhcpOptions reads the options that the port's leases carry. An option that the port has gets the new value, or goes where that
// is null; the others stay, as in Neutron.
func (b *body) dhcpOptions(p *network.Port) {
	list := slices.Clone(p.DHCPOptions)
	for _, raw := range b.items("extra_dhcp_opts", "extra DHCP options") {
		o, drop, err := parseOption(raw)
		if err != nil {
			b.fail(err)
			return
		}
		list = slices.DeleteFunc(list, func(old network.DHCPOption) bool { return old.Name == o.Name && old.IPVersion == o.IPVersion })
		if !drop {
			list = append(list, o)
		}
	}
	if len(list) > maxOptions {
		b.fail(invalid("extra_dhcp_opts", "a port may have at most %d options", maxOptions))
		return
	}
	p.DHCPOptions = list
}

// maxOptions bounds the DHCP options of a port.
const maxOptions = 64

func parseOption(raw json.RawMessage) (o network.DHCPOption, drop bool, err error) {
	fields, err := object(raw)
	if err != nil {
		return o, false, invalid("extra_dhcp_opts", "'%s' is not a dictionary", shown(raw))
	}
	b := &body{Object: fields}
	o.IPVersion = 4
	for _, name := range b.names() {
		if name != "opt_name" && name != "opt_value" && name != "ip_version" {
			return o, false, invalid("extra_dhcp_opts", "Unrecognized attribute(s) '%s'", name)
		}
	}
	b.required("opt_name", "opt_value")
	b.text("opt_name", &o.Name, 64)
	b.textOrNull("opt_value", &o.Value, 255)
	b.integer("ip_version", &o.IPVersion)
	switch {
	case b.err() != nil:
	case o.Name == "":
		b.fail(invalid("extra_dhcp_opts", "'' Blank strings are not permitted"))
	case o.IPVersion != 4 && o.IPVersion != 6:
		b.fail(invalid("extra_dhcp_opts", "'%s' is not in [4, 6]", strconv.Itoa(o.IPVersion)))
	case strings.ContainsFunc(o.Name+o.Value, unicode.IsControl):
		b.fail(invalid("extra_dhcp_opts", "'%q' holds a control character", o.Value))
	case b.given("opt_value") && o.Value == "":
		b.fail(invalid("extra_dhcp_opts", "'' Blank strings are not permitted"))
	}
	return o, !b.given("opt_value"), b.err()
}

// groupsOfNew gives a new port that names no groups its project's default one. The ports of services are trusted: they are in none, and
// nothing guards them, whatever the request says.
func (s *service) groupsOfNew(ctx context.Context, a *identity.Actor, p *network.Port) error {
	switch {
	case p.Trusted():
		p.SecurityGroupIDs, p.PortSecurity = nil, false
		return nil
	case p.SecurityGroupIDs != nil:
		return s.groupsThere(ctx, a, p.ProjectID, p.SecurityGroupIDs)
	case !p.PortSecurity || !s.groups:
		return nil
	}
	id, err := s.store.DefaultSecurityGroup(ctx, p.ProjectID)
	p.SecurityGroupIDs = []string{id}
	return err
}

// groupsThere checks that the actor may know of the groups that a port is to be in, and that they are its project's; an admin may
// put any port into any.
func (s *service) groupsThere(ctx context.Context, a *identity.Actor, projectID string, ids []string) error {
	for _, id := range ids {
		g, err := s.groupSeen(ctx, a, id)
		switch {
		case err != nil:
			return err
		case g.ProjectID != projectID && !a.Admin():
			return network.SecurityGroupNotFound(id)
		}
	}
	return nil
}

// groupsOfChanged checks the groups that a change of a port names.
func (s *service) groupsOfChanged(ctx context.Context, a *identity.Actor, p *network.Port, b *body) error {
	if !b.given("security_groups") {
		return nil
	}
	wanted := &network.Port{}
	b.securityGroups(wanted)
	if err := b.err(); err != nil {
		return err
	}
	fresh := slices.DeleteFunc(wanted.SecurityGroupIDs, func(id string) bool { return slices.Contains(p.SecurityGroupIDs, id) })
	return s.groupsThere(ctx, a, p.ProjectID, fresh)
}

// allowedOnGuard is Neutron's default policy of what says who may pass a port: in a network of another project only its owner does.
func allowedOnGuard(b *body, rule string) error {
	for _, name := range []string{"port_security_enabled", "allowed_address_pairs"} {
		if b.given(name) {
			return disallowed(rule, rule+":"+name)
		}
	}
	return nil
}
