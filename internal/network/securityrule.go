package network

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"plimsoll/lbaas"
)

// The directions of rules.
const (
	Ingress = "ingress"
	Egress  = "egress"
)

// The ether types of rules.
const (
	IPv4 = "IPv4"
	IPv6 = "IPv6"
)

// SecurityGroupRule lets traffic of one kind through.
type SecurityGroupRule struct {
	ID            string
	ProjectID     string
	GroupID       string
	Description   string
	Direction     string // Ingress or Egress
	EtherType     string // IPv4 or IPv6
	Protocol      string // as the user wrote it, lower-case: a name, a number as text; "" is any
	PortMin       *int   // of TCP, UDP, SCTP, UDP-Lite and DCCP; the ICMP type of ICMP
	PortMax       *int   // the last port; the ICMP code
	RemoteGroupID string // "" is none
	RemotePrefix  netip.Prefix
	Revision      int64
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// The numbers of protocols (IANA) that rules treat in a way of their own.
const (
	protocolICMP    = 1
	protocolTCP     = 6
	protocolUDP     = 17
	protocolDCCP    = 33
	protocolICMPv6  = 58
	protocolSCTP    = 132
	protocolUDPLite = 136
)

// AnyProtocol is the number of a rule that names no protocol.
const AnyProtocol = -1

// protocols are the names that rules may give protocols, as Neutron has them, with IANA's numbers.
func protocols() map[string]int {
	return map[string]int{
		"ah": 51, "dccp": protocolDCCP, "egp": 8, "esp": 50, "gre": 47, "hopopt": 0, "icmp": protocolICMP, "icmpv6": protocolICMPv6,
		"igmp": 2, "ip": 0, "ipip": 4, "ipv6-encap": 41, "ipv6-frag": 44, "ipv6-icmp": protocolICMPv6, "ipv6-nonxt": 59, "ipv6-opts": 60,
		"ipv6-route": 43, "ospf": 89, "pgm": 113, "rsvp": 46, "sctp": protocolSCTP, "tcp": protocolTCP, "udp": protocolUDP,
		"udplite": protocolUDPLite, "vrrp": 112,
	}
}

// ParseProtocol reads the protocol of a rule: a name in any case, or a number; "any" is none, as in Neutron.
func ParseProtocol(text string) (string, error) {
	lower := strings.ToLower(text)
	if lower == "any" {
		return "", nil
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n <= 255 {
		return strconv.Itoa(n), nil
	}
	if _, known := protocols()[lower]; known {
		return lower, nil
	}
	names := []string{"None"}
	for _, name := range slices.Sorted(maps.Keys(protocols())) {
		names = append(names, "'"+name+"'")
	}
	return "", failure(lbaas.Invalid, "SecurityGroupRuleInvalidProtocol", "Security group rule protocol %s not supported. "+
		"Only protocol values [%s] and integer representations [0 to 255] are supported.", text, strings.Join(names, ", "))
}

// ProtocolNumber is IANA's number of the rule's protocol, or AnyProtocol.
func (r *SecurityGroupRule) ProtocolNumber() int {
	if r.Protocol == "" {
		return AnyProtocol
	}
	if n, known := protocols()[r.Protocol]; known {
		return n
	}
	n, err := strconv.Atoi(r.Protocol)
	if err != nil {
		return AnyProtocol // no rule is kept that has such a one
	}
	return n
}

// Canonical writes the protocol of a rule for IPv6 as Neutron does: ICMP is then ICMPv6, whatever it was called.
func (r *SecurityGroupRule) Canonical() {
	if r.EtherType != IPv6 {
		return
	}
	switch r.Protocol {
	case "icmp", "icmpv6":
		r.Protocol = "ipv6-icmp"
	case strconv.Itoa(protocolICMP):
		r.Protocol = strconv.Itoa(protocolICMPv6)
	}
}

// Validate checks a rule as Neutron does.
func (r *SecurityGroupRule) Validate() error {
	for _, check := range []func() error{r.validatePorts, r.validatePrefix, r.validateEtherType} {
		if err := check(); err != nil {
			return err
		}
	}
	if r.RemoteGroupID != "" && r.RemotePrefix.IsValid() {
		return failure(lbaas.Invalid, "SecurityGroupRemoteGroupAndRemoteIpPrefix", "Only remote_ip_prefix or remote_group_id may be provided.")
	}
	return nil
}

func (r *SecurityGroupRule) validatePorts() error {
	if r.PortMin == nil && r.PortMax == nil {
		return nil
	}
	switch n := r.ProtocolNumber(); n {
	case AnyProtocol:
		return failure(lbaas.Invalid, "SecurityGroupProtocolRequiredWithPorts", "Must also specify protocol if port range is given.")
	case protocolTCP, protocolUDP, protocolDCCP, protocolSCTP, protocolUDPLite:
		return r.validateRange()
	case protocolICMP, protocolICMPv6:
		return r.validateICMP()
	default:
		return failure(lbaas.Invalid, "SecurityGroupInvalidProtocolForPort",
			"Invalid protocol %d for port range, only supported for DCCP, SCTP, TCP, UDP, UDPLITE.", n)
	}
}

func (r *SecurityGroupRule) validateRange() error {
	switch {
	case r.PortMin != nil && *r.PortMin == 0, r.PortMax != nil && *r.PortMax == 0:
		return InvalidPort("0")
	case r.PortMin == nil, r.PortMax == nil, *r.PortMin > *r.PortMax:
		return failure(lbaas.Invalid, "SecurityGroupInvalidPortRange", "For TCP/UDP protocols, port_range_min must be <= port_range_max")
	}
	return nil
}

func (r *SecurityGroupRule) validateICMP() error {
	for _, part := range []struct {
		value            *int
		field, attribute string
	}{{r.PortMin, "type", "port_range_min"}, {r.PortMax, "code", "port_range_max"}} {
		if part.value != nil && *part.value > 255 {
			return failure(lbaas.Invalid, "SecurityGroupInvalidIcmpValue", "Invalid value for ICMP %s (%s) %d. It must be 0 to 255.",
				part.field, part.attribute, *part.value)
		}
	}
	if r.PortMin == nil {
		return failure(lbaas.Invalid, "SecurityGroupMissingIcmpType",
			"ICMP code (port-range-max) %d is provided but ICMP type (port-range-min) is missing.", *r.PortMax)
	}
	return nil
}

func (r *SecurityGroupRule) validatePrefix() error {
	if r.RemotePrefix.IsValid() && r.RemotePrefix.Addr().Is4() != (r.EtherType == IPv4) {
		return failure(lbaas.Invalid, "SecurityGroupRuleParameterConflict", "Conflicting value ethertype %s for CIDR %s", r.EtherType, r.RemotePrefix)
	}
	return nil
}

// validateEtherType refuses the protocols for IPv4 that only IPv6 has. "hopopt" is "ip" by its number, and stays out of it, as in Neutron.
func (r *SecurityGroupRule) validateEtherType() error {
	switch r.ProtocolNumber() {
	case 41, 43, 44, protocolICMPv6, 59, 60:
		if r.EtherType == IPv4 {
			return failure(lbaas.Invalid, "SecurityGroupEthertypeConflictWithProtocol", "Invalid ethertype %s for protocol %s.", r.EtherType, r.Protocol)
		}
	}
	return nil
}

// InvalidPort is the error of a port of a rule that is none.
func InvalidPort(text string) *lbaas.Error {
	return failure(lbaas.Invalid, "SecurityGroupInvalidPortValue", "Invalid value for port %s", text)
}

// ParseEtherType reads an ether type in any case.
func ParseEtherType(text string) (string, error) {
	for _, known := range []string{IPv4, IPv6} {
		if strings.EqualFold(text, known) {
			return known, nil
		}
	}
	return "", failure(lbaas.Invalid, "SecurityGroupRuleInvalidEtherType",
		"Security group rule for ethertype '%s' not supported. Allowed values are ['IPv4', 'IPv6'].", text)
}

// ParseRemotePrefix reads the addresses of a rule or of an address pair: a CIDR or an address. Bits beyond the prefix stay, as in
// Neutron: they are shown again, and mean nothing.
func ParseRemotePrefix(text string) (netip.Prefix, error) {
	if a, err := ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, failure(lbaas.Invalid, "InvalidCIDR", "Invalid CIDR %s given as IP prefix.", text)
	}
	return p, nil
}

// Likeness is what the rule lets through, as a text: two rules of a group that have the same one are alike, as Neutron sees it.
func (r *SecurityGroupRule) Likeness() string {
	prefix := ""
	if r.RemotePrefix.IsValid() && r.RemotePrefix.Bits() > 0 {
		prefix = r.RemotePrefix.String()
	}
	canonical := *r
	canonical.Canonical()
	return fmt.Sprintf("%s_%s_%s_%s_%d_%s_%s", r.Direction, r.EtherType, bound(r.PortMin), bound(r.PortMax), canonical.ProtocolNumber(),
		r.RemoteGroupID, prefix)
}

func bound(n *int) string {
	if n == nil {
		return "+"
	}
	return strconv.Itoa(*n)
}

// SecurityGroupRuleNotFound is the error of a rule that is not there.
func SecurityGroupRuleNotFound(id string) *lbaas.Error {
	return failure(lbaas.NotFound, "SecurityGroupRuleNotFound", "Security group rule %s does not exist", id)
}

// SecurityGroupRuleExists is the error of a rule that is like one that the group has.
func SecurityGroupRuleExists(id string) *lbaas.Error {
	return failure(lbaas.Conflict, "SecurityGroupRuleExists", "Security group rule already exists. Rule id is %s.", id)
}

// DuplicateSecurityGroupRule is the error of a request with two rules that are alike.
func DuplicateSecurityGroupRule() *lbaas.Error {
	return failure(lbaas.Conflict, "DuplicateSecurityGroupRuleInPost", "Duplicate Security Group Rule in POST.")
}

// NotSingleGroupRules is the error of a request with rules of several groups.
func NotSingleGroupRules() *lbaas.Error {
	return failure(lbaas.Invalid, "SecurityGroupNotSingleGroupRules", "Only allowed to update rules for one security profile at a time")
}
