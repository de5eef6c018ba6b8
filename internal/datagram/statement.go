package datagram

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

// Source matches packets from a range of addresses.
type Source struct{ Prefix netip.Prefix }

// Destination matches packets to an address.
type Destination struct{ Addr netip.Addr }

// Port matches packets to a port.
type Port struct {
	Protocol string
	Number   uint16
}

// Flow matches packets of translated flows that began as packets to a port: those from the client, or the answers.
type Flow struct {
	Protocol string
	Number   uint16
	Answers  bool
}

// Asking matches packets of who began the flow.
type Asking struct{}

// Translated matches packets of flows of which the destination was translated, ICMP's errors about them included.
type Translated struct{}

// Stream matches packets of TCP.
type Stream struct{}

// Untracked keeps the packet from the connection tracker.
type Untracked struct{}

// Control matches packets of ICMP, or of ICMPv6.
type Control struct{ Six bool }

// Redirect matches ICMP's advice to send elsewhere.
type Redirect struct{ Six bool }

// Over matches new flows when there are more than N of those that came by.
type Over struct{ N uint32 }

// Count adds the packet to a counter of the table.
type Count struct{ Name string }

// Recall marks the packet with what a map has learned about its source; it matches if there is something. Of the source's address
// Bits bits count.
type Recall struct {
	Map  string
	Six  bool
	Bits int
}

// How a slot is chosen.
type How int

// The ways to choose a slot.
const (
	InTurn       How = iota // one after the other
	BySource                // by a hash of the source's address
	BySourcePort            // by a hash of the source's address and port
)

// Seed is that of all hashes of sources: the same source has the same slot on every host and after every change.
const Seed = 0x706c696d

// Choose marks the packet with the member of one of Size slots.
type Choose struct {
	Map  string
	How  How
	Six  bool
	Size uint32
}

// Follow goes to the chain that a map has for the packet's mark; without one the rule ends.
type Follow struct{ Map string }

// Learn notes in a map that the source has a member, for Seconds from now.
type Learn struct {
	Map     string
	Six     bool
	Bits    int
	Seconds uint32
	Member  uint32
}

// Translate sends the flow to a member.
type Translate struct {
	Protocol string
	To       netip.AddrPort
}

// Masquerade has the flow come from the address of the link that it leaves by.
type Masquerade struct{}

// Verdict ends the chain: accept, drop, or goto or jump to another.
type Verdict struct {
	Word  string
	Chain string // of goto and jump
}

// Refuse answers as a closed port does.
type Refuse struct{}

func ip(six bool) string {
	if six {
		return "ip6"
	}
	return "ip"
}

// masked is how a source with so many bits is spelled.
func masked(six bool, bits int) string {
	width, from := 32, netip.AddrFrom4([4]byte{255, 255, 255, 255})
	if six {
		width, from = 128, netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
	}
	if bits == width {
		return ip(six) + " saddr"
	}
	mask, _ := from.Prefix(bits)
	return fmt.Sprintf("%s saddr & %s", ip(six), mask.Addr())
}

func (s Source) String() string {
	return fmt.Sprintf("%s saddr %s", ip(s.Prefix.Addr().Is6()), s.Prefix)
}
func (s Destination) String() string { return fmt.Sprintf("%s daddr %s", ip(s.Addr.Is6()), s.Addr) }
func (s Port) String() string        { return fmt.Sprintf("%s dport %d", s.Protocol, s.Number) }
func (s Translated) String() string  { return "ct status dnat" }
func (s Asking) String() string      { return "ct direction original" }
func (s Stream) String() string      { return "meta l4proto tcp" }
func (s Untracked) String() string   { return "notrack" }
func (s Over) String() string        { return fmt.Sprintf("ct count over %d", s.N) }
func (s Count) String() string       { return fmt.Sprintf("counter name %q", s.Name) }
func (s Follow) String() string      { return "meta mark vmap @" + s.Map }
func (s Masquerade) String() string  { return "masquerade" }
func (s Verdict) String() string     { return strings.TrimSpace(s.Word + " " + s.Chain) }
func (s Refuse) String() string      { return "reject with icmpx type port-unreachable" }

func (s Flow) String() string {
	direction := "original"
	if s.Answers {
		direction = "reply"
	}
	return fmt.Sprintf("meta l4proto %s ct status dnat ct direction %s ct original proto-dst %d", s.Protocol, direction, s.Number)
}

func (s Control) String() string {
	if s.Six {
		return "meta l4proto ipv6-icmp"
	}
	return "meta l4proto icmp"
}

func (s Redirect) String() string {
	if s.Six {
		return "icmpv6 type nd-redirect"
	}
	return "icmp type redirect"
}

func (s Recall) String() string {
	return fmt.Sprintf("meta mark set %s map @%s", masked(s.Six, s.Bits), s.Map)
}

// generator is how the number of a slot comes about, as nft(8) reads it.
func (s Choose) generator() string {
	switch s.How {
	case BySource:
		return fmt.Sprintf("jhash %s saddr mod %d seed 0x%08x", ip(s.Six), s.Size, Seed)
	case BySourcePort:
		return fmt.Sprintf("jhash %s saddr . th sport mod %d seed 0x%08x", ip(s.Six), s.Size, Seed)
	}
	return fmt.Sprintf("numgen inc mod %d", s.Size)
}

func (s Choose) String() string { return fmt.Sprintf("meta mark set %s map @%s", s.generator(), s.Map) }

func (s Learn) String() string {
	return fmt.Sprintf("update @%s { %s timeout %ds : 0x%08x }", s.Map, masked(s.Six, s.Bits), s.Seconds, s.Member)
}

func (s Translate) String() string {
	return fmt.Sprintf("meta l4proto %s dnat %s to %s", s.Protocol, ip(s.To.Addr().Is6()), s.To)
}
