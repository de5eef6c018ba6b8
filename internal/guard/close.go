package guard

import "net/netip"

// Guards tells whether the tables hold what passes a link, and whether they let nothing pass it.
func (s State) Guards(link string) (guarded, closed bool) {
	v, guarded := s[Bridge].Sets[marks].Elements[Key{Link: link}]
	return guarded, guarded && v.Number == markClosed
}

// Speaks tells whether a guarded link may send from an address as one of its own.
func (s State) Speaks(link string, mac MAC, a netip.Addr) bool {
	name := four
	if a.Is6() {
		name = six
	}
	_, ok := s[Bridge].Sets[name].Elements[Key{Link: link, MAC: mac, Addr: a}]
	return ok
}

// Zone is the zone of a bridge's connections, or 0.
func (s State) Zone(bridge string) uint16 {
	return uint16(s[Inet].Sets[zones].Elements[Key{Link: bridge}].Number)
}

// Links are the links that the tables guard.
func (s State) Links() []string {
	var all []string
	for k := range s[Bridge].Sets[marks].Elements {
		all = append(all, k.Link)
	}
	return all
}

// Close is how the tables come to let nothing pass a link that they do not guard yet. It touches nothing else.
func Close(from State, link string) []Change {
	if guarded, _ := from.Guards(link); guarded {
		return nil
	}
	if len(from) < len(families) {
		w := Wanted{Closed: append(from.Links(), link)}
		return Anew(from, Plan(w))
	}
	at := Key{Link: link}
	return []Change{
		{Family: Bridge, Op: AddElements, Name: links, Kind: Links, Elements: map[Key]Value{at: {}}},
		{Family: Bridge, Op: AddElements, Name: marks, Kind: LinkToMark, Elements: map[Key]Value{at: {Number: markClosed}}},
	}
}

// Open is how the tables come to know nothing of a link. It touches nothing else: the chains that only this link needed stay until
// the next Diff.
func Open(from State, link string) []Change {
	if guarded, _ := from.Guards(link); !guarded {
		return nil
	}
	if len(from.Links()) == 1 {
		return Diff(from, nil)
	}
	var all []Change
	for _, name := range []string{links, marks, macs, four, six, ranges} {
		set := from[Bridge].Sets[name]
		gone := map[Key]Value{}
		for k, v := range set.Elements {
			if k.Link == link {
				gone[k] = v
			}
		}
		if len(gone) > 0 {
			all = append(all, Change{Family: Bridge, Op: DeleteElements, Name: name, Kind: set.Kind, Elements: gone})
		}
	}
	return all
}

// Zoned is how a bridge comes to have connections of its own. Without tables there is nothing to do.
func Zoned(from State, bridge string, number uint16) []Change {
	if _, there := from[Inet]; !there || from.Zone(bridge) != 0 {
		return nil
	}
	return []Change{{Family: Inet, Op: AddElements, Name: zones, Kind: LinkToZone,
		Elements: map[Key]Value{{Link: bridge}: {Number: uint32(number)}}}}
}

// FreeZone is a zone for a bridge that no other bridge of these tables, nor of those that are about to have one, has. It is made from a
// number that is the bridge's own on the host, so that tables of others do not have it either.
func FreeZone(from State, others map[string]uint16, index int) uint16 {
	taken := map[uint32]bool{0: true}
	for _, v := range from[Inet].Sets[zones].Elements {
		taken[v.Number] = true
	}
	for _, n := range others {
		taken[uint32(n)] = true
	}
	n := uint32(index & 0xffff)
	for range 1 << 16 { // beyond that, bridges share zones
		if !taken[n] {
			break
		}
		n = (n + 1) & 0xffff
	}
	return uint16(n)
}

// Bridges are the bridges of which the tables hold packets against rules.
func (s State) Bridges() []string {
	var all []string
	for k := range s[Inet].Sets[bridges].Elements {
		all = append(all, k.Link)
	}
	return all
}
