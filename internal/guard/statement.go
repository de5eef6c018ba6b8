package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
)

// A Rule is what nftables does with a packet, statement by statement, for as long as each matches.
type Rule []Statement

// A Statement is one expression of a rule. String gives it as nft(8) reads it.
type Statement interface{ fmt.Stringer }

// String is the rule as nft(8) reads it.
func (r Rule) String() string {
	words := make([]string, len(r))
	for i, s := range r {
		words[i] = s.String()
	}
	return strings.Join(words, " ")
}

// Digest names the rule in the kernel: it is kept there as the rule's comment, so that a rule that is there need not be
// understood to be recognised.
func (r Rule) Digest() string {
	sum := sha256.Sum256([]byte(r.String()))
	return hex.EncodeToString(sum[:8])
}

// A Field is a place in a frame where an address stands.
type Field int

// The fields.
const (
	EtherSource Field = iota
	ARPSenderMAC
	ARPSender
	ARPTarget
	Source4
	Destination4
	Source6
	Destination6
	NeighbourTarget // of a neighbour advertisement (RFC 4861)
)

var fieldNames = []string{"ether saddr", "arp saddr ether", "arp saddr ip", "arp daddr ip", "ip saddr", "ip daddr", "ip6 saddr", "ip6 daddr",
	"icmpv6 taddr"}

// String is the field as nft(8) reads it.
func (f Field) String() string { return fieldNames[f] }

// The types of frames that pass guarded ports (IEEE 802).
const (
	TypeIPv4 = 0x0800
	TypeARP  = 0x0806
	TypeIPv6 = 0x86dd
)

// On matches packets from, or out to, the interfaces of a set; with Not, all others.
type On struct {
	Set      string
	Out, Not bool
}

// MarkBy marks the packet with what a map has for the interface that it comes from or goes out to; without, the rule ends.
type MarkBy struct {
	Map string
	Out bool
}

// Unmark takes the mark away.
type Unmark struct{}

// Marked matches packets with a mark.
type Marked struct{ Mark uint32 }

// Foreign matches packets of which the mark is none of ours.
type Foreign struct{}

// EtherType matches frames of a type that carry no VLAN's tag: what a tag hides would pass unseen.
type EtherType struct{ Type uint16 }

// From matches frames of a type from a MAC address.
type From struct {
	MAC  MAC
	Type EtherType
}

// Sender matches packets of which the interface, the MAC address and the address in these fields are in a set.
type Sender struct {
	Set     string
	MAC     Field
	Address Field // a MAC's field is none
}

// Unset matches packets with a field that says no address: all zeros.
type Unset struct{ Field Field }

// Within matches packets with a field in a range.
type Within struct {
	Field Field
	Range netip.Prefix
}

// Member matches packets with a field in a set.
type Member struct {
	Field Field
	Set   string
}

// Version matches packets of an IP version.
type Version struct{ Six bool }

// Protocol matches packets of a protocol above IP.
type Protocol struct{ Number uint8 }

// PortRange matches packets to a range of ports. It stands behind a Protocol that has ports.
type PortRange struct{ Min, Max uint16 }

// Datagram matches packets of UDP by both ports.
type Datagram struct{ From, To uint16 }

// Control matches packets of ICMP, or of ICMPv6, by their type and, unless it is negative, their code.
type Control struct {
	Six  bool
	Type uint8
	Code int
}

// Known matches packets of connections that were let through, and errors about them; with Invalid, those that belong to none and begin none.
type Known struct{ Invalid bool }

// Zone has the packet's connection looked up among those of the interface's zone.
type Zone struct{ Map string }

// Follow goes to the chain that a map has for the packet's mark or, with On, for the interface that it comes from.
type Follow struct {
	Map string
	On  bool
}

// Count counts the packets that came this far in the rule.
type Count struct{}

// Verdict ends the chain: accept, drop, or goto or jump to another.
type Verdict struct {
	Word  string
	Chain string // of goto and jump
}

func direction(out bool) string {
	if out {
		return "oifname"
	}
	return "iifname"
}

func (s On) String() string {
	not := ""
	if s.Not {
		not = " !="
	}
	return fmt.Sprintf("%s%s @%s", direction(s.Out), not, s.Set)
}
func (s MarkBy) String() string {
	return fmt.Sprintf("meta mark set %s map @%s", direction(s.Out), s.Map)
}
func (s Unmark) String() string { return "meta mark set 0x00000000" }
func (s Marked) String() string { return fmt.Sprintf("meta mark 0x%08x", s.Mark) }
func (s Foreign) String() string {
	return fmt.Sprintf("meta mark & 0x%08x != 0x%08x", MarkMask, MarkOurs)
}
func (s Member) String() string  { return fmt.Sprintf("%s @%s", s.Field, s.Set) }
func (s Unset) String() string   { return fmt.Sprintf("%s %s", s.Field, s.zero()) }
func (s Count) String() string   { return "counter" }
func (s Zone) String() string    { return "ct zone set iifname map @" + s.Map }
func (s Verdict) String() string { return strings.TrimSpace(s.Word + " " + s.Chain) }

func (s From) String() string { return fmt.Sprintf("ether saddr %s %s", s.MAC, s.Type) }

func (s EtherType) String() string {
	return "ether type " + map[uint16]string{TypeIPv4: "ip", TypeARP: "arp", TypeIPv6: "ip6"}[s.Type]
}

func (s Sender) String() string {
	fields := []string{"iifname", s.MAC.String()}
	if s.Address != EtherSource {
		fields = append(fields, s.Address.String())
	}
	return fmt.Sprintf("%s @%s", strings.Join(fields, " . "), s.Set)
}

func (s Within) String() string {
	return fmt.Sprintf("%s %s", s.Field, s.Range)
}

func (s Version) String() string {
	if s.Six {
		return "meta nfproto ipv6"
	}
	return "meta nfproto ipv4"
}

func (s Protocol) String() string { return fmt.Sprintf("meta l4proto %d", s.Number) }

func (s PortRange) String() string {
	if s.Min == s.Max {
		return fmt.Sprintf("th dport %d", s.Min)
	}
	return fmt.Sprintf("th dport %d-%d", s.Min, s.Max)
}

func (s Datagram) String() string { return fmt.Sprintf("udp sport %d udp dport %d", s.From, s.To) }

func (s Control) String() string {
	name := "icmp"
	if s.Six {
		name = "icmpv6"
	}
	if s.Code < 0 {
		return fmt.Sprintf("%s type %d", name, s.Type)
	}
	return fmt.Sprintf("%s type %d %s code %d", name, s.Type, name, s.Code)
}

func (s Known) String() string {
	if s.Invalid {
		return "ct state invalid"
	}
	return "ct state established,related"
}

func (s Follow) String() string {
	if s.On {
		return "iifname vmap @" + s.Map
	}
	return "meta mark vmap @" + s.Map
}

func (s Unset) zero() netip.Addr {
	if s.Field == Source6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}
