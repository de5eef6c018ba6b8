package guard

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// A Family is a family of tables.
type Family string

// The families, of each of which there is one table.
const (
	Bridge Family = "bridge"
	Inet   Family = "inet"
)

// families are all of them, in the order in which they are changed.
var families = []Family{Bridge, Inet}

// A Table is a table of nftables as it is wanted. Both families' have one name, which the caller knows.
type Table struct {
	Family Family
	Sets   []Set
	Chains []Chain
}

// Kind is what a set holds, or what a map leads from and to.
type Kind int

// The kinds of sets and maps.
const (
	Strange     Kind = iota // not one of ours
	Links                   // names of interfaces
	LinkMACs                // interface and MAC address
	LinkFour                // interface, MAC address and IPv4 address
	LinkSix                 // interface, MAC address and IPv6 address
	AddressFour             // IPv4 addresses
	AddressSix              // IPv6 addresses
	LinkToMark              // interface to mark
	LinkToChain             // interface to chain
	LinkToZone              // interface to zone of connections
	MarkToChain             // mark to chain
)

// kindTypes are the types of the kinds as nft(8) reads them.
var kindTypes = map[Kind]string{
	Links: "type ifname", LinkMACs: "type ifname . ether_addr", LinkFour: "type ifname . ether_addr . ipv4_addr",
	LinkSix: "type ifname . ether_addr . ipv6_addr", AddressFour: "type ipv4_addr", AddressSix: "type ipv6_addr",
	LinkToMark: "type ifname : mark", LinkToChain: "type ifname : verdict", LinkToZone: "typeof iifname : ct zone",
	MarkToChain: "type mark : verdict",
}

// IsMap tells whether the kind leads from one thing to another.
func (k Kind) IsMap() bool { return k >= LinkToMark }

// A Set is a set or map of a table.
type Set struct {
	Name     string
	Kind     Kind
	Elements map[Key]Value
}

// A Key is an element of a set; of its fields the kind says which count.
type Key struct {
	Link string
	MAC  MAC
	Addr netip.Addr
	Mark uint32
}

// A Value is what a map has for a key: a mark or zone, or a chain to go to.
type Value struct {
	Number uint32
	Chain  string
}

// A Hook is where a chain meets packets by itself. The zero Hook is none: other chains lead there.
type Hook struct {
	Name     string // "prerouting" or "forward"; what is none of ours has another
	Priority int
}

// A Chain is a chain of a table.
type Chain struct {
	Name  string
	Hook  Hook
	Rules []Rule
}

// String is the table as nft(8) reads it, under a name.
func (t Table) String(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "table %s %s {\n", t.Family, name)
	for _, s := range t.Sets {
		s.write(&b)
	}
	for _, c := range t.Chains { // first all without rules, for they lead to each other
		fmt.Fprintf(&b, "\tchain %s {\n", c.Name)
		if c.Hook != (Hook{}) {
			fmt.Fprintf(&b, "\t\ttype filter hook %s priority %d; policy accept;\n", c.Hook.Name, c.Hook.Priority)
		}
		for _, r := range c.Rules {
			fmt.Fprintf(&b, "\t\t%s\n", r)
		}
		b.WriteString("\t}\n")
	}
	b.WriteString("}\n")
	return b.String()
}

func (s Set) write(b *strings.Builder) {
	word := "set"
	if s.Kind.IsMap() {
		word = "map"
	}
	fmt.Fprintf(b, "\t%s %s {\n\t\t%s\n", word, s.Name, kindTypes[s.Kind])
	keys := slices.SortedFunc(maps.Keys(s.Elements), Key.compare)
	for i, k := range keys {
		begin, end := "\t\t            ", ","
		if i == 0 {
			begin = "\t\telements = { "
		}
		if i == len(keys)-1 {
			end = " }"
		}
		fmt.Fprintf(b, "%s%s%s\n", begin, s.Kind.element(k, s.Elements[k]), end)
	}
	b.WriteString("\t}\n")
}

func (k Key) compare(l Key) int {
	return cmp.Or(cmp.Compare(k.Link, l.Link), slices.Compare(k.MAC[:], l.MAC[:]), k.Addr.Compare(l.Addr), cmp.Compare(k.Mark, l.Mark))
}

// element is an element as nft(8) reads it.
func (k Kind) element(key Key, v Value) string {
	link := fmt.Sprintf("%q", key.Link)
	switch k {
	case LinkMACs:
		return link + " . " + key.MAC.String()
	case LinkFour, LinkSix:
		return link + " . " + key.MAC.String() + " . " + key.Addr.String()
	case AddressFour, AddressSix:
		return key.Addr.String()
	case LinkToMark:
		return fmt.Sprintf("%s : 0x%08x", link, v.Number)
	case LinkToChain:
		return link + " : goto " + v.Chain
	case LinkToZone:
		return fmt.Sprintf("%s : %d", link, v.Number)
	case MarkToChain:
		return fmt.Sprintf("0x%08x : goto %s", key.Mark, v.Chain)
	}
	return link
}
