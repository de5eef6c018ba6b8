// Package datagram decides how the kernel forwards UDP and SCTP: it turns the datagram listeners of a load balancer into
// a table of nftables, tells how the table that a kernel has becomes the wanted one, and which of the kernel's flows
// must be forgotten because their member may not have them any more. It decides everything and touches nothing;
// package linux carries out what it says.
//
// A new flow walks through the table so: `prerouting` finds the listener by address and port; the listener's chain lets
// in whom allowed_cidrs names; the next one refuses what is too many, looks up who had the source before, else chooses a slot,
// and the slot says the member; the member's chain notes the source, counts the flow and translates the destination. Further
// packets of a flow are the connection tracker's alone; `forward` counts their bytes. What nobody translates ends in `input`,
// which refuses it as a closed port would.
package datagram

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"

	"plimsoll/internal/engine/enginepb"
)

// TableName is the table's name, of the family inet, in the load balancer's namespace.
const TableName = "plimsoll"

// The protocols, as enginepb.Datagram spells them.
const (
	UDP  = "udp"
	SCTP = "sctp"
)

// The algorithms, as the API spells them. SOURCE_IP and SOURCE_IP_PORT hash what they name; all others take turns.
const (
	RoundRobin   = "ROUND_ROBIN"
	SourceIP     = "SOURCE_IP"
	SourceIPPort = "SOURCE_IP_PORT"
)

// Check refuses what Plan cannot turn into a table, so that nothing is sent to the kernel that it would refuse as a whole.
// That ids are plain is for the caller to see to.
func Check(listeners []*enginepb.Datagram) error {
	seen := map[string]bool{}
	for _, d := range listeners {
		for _, key := range []string{d.GetListenerId(), fmt.Sprintf("%s port %d", d.GetProtocol(), d.GetPort())} {
			if seen[key] {
				return fmt.Errorf("datagram listener %s: %s is there twice", d.GetListenerId(), key)
			}
			seen[key] = true
		}
		if err := check(d); err != nil {
			return fmt.Errorf("datagram listener %s: %w", d.GetListenerId(), err)
		}
	}
	return checkSize(listeners)
}

// What the listeners of one load balancer may take together: elements of maps, of which the kernel takes some hundred thousand in a
// second, choices between a slot's members, of which some ten million are made in a second, and rules.
const (
	mostSlots   = 2 << 20
	mostChoices = 256 << 20
	mostRules   = 128 << 10 // for addresses and ranges
)

// checkSize refuses what would keep the host busy for long, or fill its memory.
func checkSize(listeners []*enginepb.Datagram) error {
	slots, choices, rules := 0, 0, 0
	for _, d := range listeners {
		rules += len(d.Addresses) + len(d.AllowedCidrs)
		for _, f := range families(d) {
			n, members := 0, len(d.Targets)
			for _, t := range d.Targets {
				n += int(t.Weight)
			}
			if n = min(n, turnsMost+members); f.hashes() && members > 0 {
				n = hashed
			}
			slots, choices = slots+n, choices+n*members
		}
	}
	if slots > mostSlots || choices > mostChoices || rules > mostRules {
		return errors.New("these are too many datagram listeners with too many members or ranges")
	}
	return nil
}

func check(d *enginepb.Datagram) error {
	if d.GetProtocol() != UDP && d.GetProtocol() != SCTP {
		return fmt.Errorf("%q is no protocol of datagrams", d.GetProtocol())
	}
	if err := checkPort(d.Port); err != nil {
		return err
	}
	if d.PersistenceSeconds < 0 || d.ConnectionLimit < 0 || d.IdleMilliseconds < 0 {
		return errors.New("a negative bound")
	}
	if d.PersistenceBits4 < 0 || d.PersistenceBits4 > 32 || d.PersistenceBits6 < 0 || d.PersistenceBits6 > 128 {
		return fmt.Errorf("%d and %d are no numbers of bits of addresses", d.PersistenceBits4, d.PersistenceBits6)
	}
	for _, a := range d.Addresses {
		if err := checkAddress(a); err != nil {
			return err
		}
	}
	for _, c := range d.AllowedCidrs {
		p, err := netip.ParsePrefix(c)
		if err != nil {
			return err
		}
		if p.Addr().Is4In6() {
			return fmt.Errorf("%q is no range of addresses", c)
		}
	}
	return checkTargets(d.Targets)
}

func checkTargets(targets []*enginepb.Target) error {
	seen := map[string]bool{}
	for _, t := range targets {
		if seen[t.GetMemberId()] {
			return fmt.Errorf("member %s is there twice", t.GetMemberId())
		}
		seen[t.GetMemberId()] = true
		if err := cmp.Or(checkAddress(t.GetAddress()), checkPort(t.GetPort())); err != nil {
			return fmt.Errorf("member %s: %w", t.GetMemberId(), err)
		}
		if t.Weight < 0 || t.Weight > maxWeight {
			return fmt.Errorf("member %s: a weight of %d", t.MemberId, t.Weight)
		}
	}
	return nil
}

func checkAddress(text string) error {
	if a, err := netip.ParseAddr(text); err != nil || a.Zone() != "" || a.Is4In6() {
		return fmt.Errorf("%q is no address", text)
	}
	return nil
}

func checkPort(n int32) error {
	if n < 1 || n > 65535 {
		return fmt.Errorf("%d is no port", n)
	}
	return nil
}

// maxWeight is the largest weight of a member, of the API.
const maxWeight = 256

// A family is what of a listener one IP version has: flows of IPv4 go to members of IPv4, and so for IPv6.
type family struct {
	*enginepb.Datagram
	six bool
}

// families are those that the listener has addresses of.
func families(d *enginepb.Datagram) []family {
	var all []family
	for _, f := range []family{{d, false}, {d, true}} {
		if len(f.vips()) > 0 {
			all = append(all, f)
		}
	}
	return all
}

// name makes the name of a chain or map of the listener, for this family. A name begins with a letter, which ids need not.
func (f family) name(of string) string {
	version := "4-"
	if f.six {
		version = "6-"
	}
	return of + version + f.ListenerId
}

// chain is the name of a member's chain.
func (f family) chain(t *enginepb.Target) string { return f.name("member") + "-" + t.MemberId }

func (f family) has(a netip.Addr) bool { return a.IsValid() && a.Is6() == f.six }

// vips are the listener's addresses of this family.
func (f family) vips() []netip.Addr {
	var all []netip.Addr
	for _, text := range f.Addresses {
		if a, _ := netip.ParseAddr(text); f.has(a) {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

// bits is how much of a source's address counts for persistence.
func (f family) bits() int {
	if f.six {
		return cmp.Or(int(f.PersistenceBits6), 128)
	}
	return cmp.Or(int(f.PersistenceBits4), 32)
}

// chosen are the members that new flows may go to, in the order of their ids: those that are up and have a weight, else the
// backups among them.
func (f family) chosen(down map[string]bool) []*enginepb.Target {
	var first, backup []*enginepb.Target
	for _, t := range f.Targets {
		a, _ := netip.ParseAddr(t.Address)
		switch {
		case !f.has(a) || t.Weight == 0 || !alive(t, down):
		case t.Backup:
			backup = append(backup, t)
		default:
			first = append(first, t)
		}
	}
	if len(first) == 0 {
		first = backup
	}
	slices.SortFunc(first, func(a, b *enginepb.Target) int { return strings.Compare(a.MemberId, b.MemberId) })
	return first
}

// alive tells whether a member may have flows at all.
func alive(t *enginepb.Target, down map[string]bool) bool { return !t.Disabled && !down[t.MemberId] }

// numbers gives each member the number by which slots and learned sources name it. It is made from the id, so that
// learned sources keep their member whatever becomes of the others; of two with the same one the later takes the next.
func numbers(targets []*enginepb.Target) map[string]uint32 {
	ids := make([]string, len(targets))
	for i, t := range targets {
		ids[i] = t.MemberId
	}
	slices.Sort(ids)
	all, taken := map[string]uint32{}, map[uint32]bool{0: true} // 0 is no mark
	for _, id := range ids {
		h := fnv.New32a()
		_, _ = h.Write([]byte(id))
		n := h.Sum32()
		for taken[n] {
			n++
		}
		all[id], taken[n] = n, true
	}
	return all
}

// target is a member's address and port.
func target(t *enginepb.Target) netip.AddrPort {
	a, _ := netip.ParseAddr(t.Address)
	return netip.AddrPortFrom(a, uint16(t.Port))
}
