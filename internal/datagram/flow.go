package datagram

import (
	"net/netip"
	"slices"

	"plimsoll/internal/engine/enginepb"
)

// A Tracked is a flow as the kernel's connection tracker knows it.
type Tracked struct {
	Protocol string         // UDP or SCTP; "" is another
	Source   netip.AddrPort // the client
	To       netip.AddrPort // where the client sends
	Member   netip.AddrPort // who answers: To, if nothing was translated
}

// Stale tells whether a flow must be forgotten: it is with a member that may not have flows any more, from a client that
// is not admitted any more, with a listener that is gone, or older than its listener and thus with nobody. With its next packet it
// begins anew. A flow to a member without weight goes on. Listeners have passed Check.
func Stale(listeners []*enginepb.Datagram, down map[string]bool, t Tracked) bool {
	if t.Protocol == "" {
		return false
	}
	translated := t.To != t.Member
	d := Listener(listeners, t)
	if d == nil {
		return translated // flows of the namespace's own, of checks for instance, are not
	}
	if !translated {
		return true
	}
	f := family{d, t.To.Addr().Is6()}
	if len(d.AllowedCidrs) > 0 && !slices.ContainsFunc(f.allowed(), func(p netip.Prefix) bool { return p.Contains(t.Source.Addr()) }) {
		return true
	}
	return !slices.ContainsFunc(d.Targets, func(m *enginepb.Target) bool { return target(m) == t.Member && alive(m, down) })
}

// Listener is the listener that a flow is to, or nil.
func Listener(listeners []*enginepb.Datagram, t Tracked) *enginepb.Datagram {
	for _, d := range listeners {
		f := family{d, t.To.Addr().Is6()}
		if d.Protocol == t.Protocol && d.Port == int32(t.To.Port()) && slices.Contains(f.vips(), t.To.Addr()) {
			return d
		}
	}
	return nil
}

// Translations are the flows of each listener that a member has, by the listeners' ids.
func Translations(listeners []*enginepb.Datagram, flows []Tracked) map[string]int64 {
	n := map[string]int64{}
	for _, t := range flows {
		if t.Protocol == "" || t.To == t.Member {
			continue
		}
		if d := Listener(listeners, t); d != nil {
			n[d.ListenerId]++
		}
	}
	return n
}

// Idle is how long flows of a protocol may rest, in seconds, or 0 where the kernel's own bounds stay: the kernel has one for all
// flows of a namespace, so the longest counts.
func Idle(listeners []*enginepb.Datagram, protocol string) int {
	most := 0
	for _, d := range listeners {
		if d.Protocol != protocol {
			continue
		}
		if d.IdleMilliseconds == 0 {
			return 0
		}
		most = max(most, (int(d.IdleMilliseconds)+999)/1000)
	}
	return most
}

// Counted is what the counters of a listener say: bytes from clients and to them, and how many flows began.
type Counted struct {
	In    int64 `json:"in"`
	Out   int64 `json:"out"`
	Flows int64 `json:"flows"`
}

// A Counter is what a counter of the table counts.
type Counter struct{ Packets, Bytes int64 }

// Counts are what the counters of listeners say, by their ids.
func Counts(listeners []*enginepb.Datagram, counters map[string]Counter) map[string]Counted {
	all := map[string]Counted{}
	for _, d := range listeners {
		all[d.ListenerId] = Counted{
			In:    counters[received+d.ListenerId].Bytes,
			Out:   counters[sent+d.ListenerId].Bytes,
			Flows: counters[begun+d.ListenerId].Packets,
		}
	}
	return all
}

// Start is what a listener's counter begins with when it is made anew: what it had counted before, so that figures never
// fall. counted are by the listeners' ids.
func Start(counted map[string]Counted, name string) Counter {
	for id, c := range counted {
		switch name {
		case received + id:
			return Counter{Bytes: c.In}
		case sent + id:
			return Counter{Bytes: c.Out}
		case begun + id:
			return Counter{Packets: c.Flows}
		}
	}
	return Counter{}
}

// Statuses are those of the members of listeners, with the backend that HAProxy's copy of the pool would have and in HAProxy's words.
// checked tells whether a check decides on a member of a backend.
func Statuses(listeners []*enginepb.Datagram, down map[string]bool, checked func(backend, memberID string) bool) []*enginepb.ServerState {
	var all []*enginepb.ServerState
	for _, d := range listeners {
		for _, t := range d.Targets {
			s := &enginepb.ServerState{Backend: d.PoolId + ":" + d.ListenerId, Name: t.MemberId, Status: "UP"}
			switch {
			case t.Disabled:
				s.Status = "MAINT"
			case down[t.MemberId]:
				s.Status = "DOWN"
			case t.Weight == 0:
				s.Status = "DRAIN"
			case !checked(s.Backend, t.MemberId):
				s.Status = "no check"
			}
			all = append(all, s)
		}
	}
	return all
}
