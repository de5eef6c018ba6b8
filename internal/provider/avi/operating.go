package avi

import (
	"net"
	"strconv"
	"time"

	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// health is what an operational state of the controller comes to.
type health int

// What is being placed, read in or upgraded is not known yet, as is a pool that no virtual service uses.
const (
	unknown health = iota
	up
	down   // nothing answers behind it, as far as that is known
	failed // itself, whatever is behind it
	off
)

// healthOf reads an operational state.
func healthOf(state string) health {
	switch state {
	case "OPER_UP":
		return up
	case "OPER_DOWN", "OPER_AGGREGATE_DOWN":
		return down
	case "OPER_FAILED", "OPER_UNAVAIL", "OPER_ERROR_DISABLED", "OPER_PARTITIONED":
		return failed
	case "OPER_DISABLED", "OPER_DISABLING", "OPER_INACTIVE":
		return off
	}
	return unknown
}

// poolSight is what the controller says of one of its pools.
type poolSight struct {
	health                 health
	servers, enabled, live int               // how many there are, are enabled, and are up
	each                   map[string]health // by serverKey, where the numbers alone do not tell
	asked                  time.Time         // for each
}

// serverKey names a server in its pool.
func serverKey(address string, port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }

// lookout is one load balancer with what was seen of the controller.
type lookout struct {
	lb    *lbaas.LoadBalancer
	sight *sight
	young bool // it was just made: inventories may not have it yet
}

// reported is what the controller says of the listeners and members. It is pure. What is switched off is not reported.
func (o lookout) reported() lbaas.Reported {
	r := lbaas.Reported{Listeners: map[string]lbaas.OperatingStatus{}, Members: map[string]lbaas.OperatingStatus{}}
	if !o.lb.AdminStateUp {
		return r
	}
	for _, l := range o.lb.Listeners {
		if status := o.listener(l); status != "" {
			r.Listeners[l.ID] = status
		}
	}
	for _, p := range o.lb.Pools {
		for _, m := range p.Members {
			if status := o.member(p, m); status != "" {
				r.Members[m.ID] = status
			}
		}
	}
	return r
}

// listener is "" for one that the controller does not have. One of whose children not all are up is up in part.
func (o lookout) listener(l *lbaas.Listener) lbaas.OperatingStatus {
	is, there := o.sight.services[translate.UUID(translate.VirtualService, l.ID)]
	switch {
	case !l.AdminStateUp:
		return ""
	case !there && o.young:
		return lbaas.Offline
	case !there:
		return ""
	}
	switch is {
	case up:
		return o.children(l)
	case down:
		if o.nothingBehind(l) {
			return lbaas.Online
		}
		return lbaas.Broken
	case failed:
		return lbaas.Broken
	}
	return lbaas.Offline
}

func (o lookout) children(l *lbaas.Listener) lbaas.OperatingStatus {
	for _, id := range ownersOf(l)[1:] {
		is := o.sight.services[translate.UUID(translate.VirtualService, id)]
		if is == failed || is == down && !o.nothingBehind(l) {
			return lbaas.Degraded
		}
	}
	return lbaas.Online
}

// nothingBehind tells whether a listener has nobody to send requests to, as its user wants it. Avi calls its virtual service
// down then, but nothing is wrong with it.
func (o lookout) nothingBehind(l *lbaas.Listener) bool {
	p := o.lb.Pool(l.DefaultPoolID)
	return p == nil || !p.AdminStateUp || wanted(p) == 0
}

// wanted is how many members of a pool are to get requests.
func wanted(p *lbaas.Pool) int {
	n := 0
	for _, m := range p.Members {
		if m.AdminStateUp && m.Weight > 0 {
			n++
		}
	}
	return n
}

// member is "" for one of which nothing is known. A pool is there once for each that uses it, and each copy has servers of its own,
// on engines of their own: a member that any of them cannot reach is broken to some of the users. Copies that are not
// placed, or are not used, know nothing.
func (o lookout) member(p *lbaas.Pool, m *lbaas.Member) lbaas.OperatingStatus {
	if !p.AdminStateUp {
		return lbaas.Offline
	}
	if !m.AdminStateUp {
		return ""
	}
	switch o.memberHealth(p, m) {
	case up:
		if p.HealthMonitor == nil || !p.HealthMonitor.AdminStateUp {
			return lbaas.NoMonitor
		}
		return lbaas.Online
	case down, failed:
		return lbaas.Broken
	case off:
		return lbaas.Offline
	}
	return ""
}

// memberHealth is the worst of all copies' that know it.
func (o lookout) memberHealth(p *lbaas.Pool, m *lbaas.Member) health {
	worst := unknown
	for _, uuid := range copies(o.lb, p) {
		s := o.sight.pools[uuid]
		if s == nil {
			continue
		}
		switch is := s.server(p, m); {
		case is == down || is == failed:
			return down
		case worst == unknown || is == off:
			worst = is
		}
	}
	return worst
}

// server is the health of a member in one copy of its pool. Servers of weight 0 are disabled on Avi, which does not look at
// them: as long as the pool is placed they drain.
func (s *poolSight) server(p *lbaas.Pool, m *lbaas.Member) health {
	switch {
	case s.health == failed:
		return down
	case s.health != up && s.health != down:
		return s.health
	case m.Weight == 0:
		return up
	case s.numbersTell(p) && s.live == 0:
		return down
	case s.numbersTell(p):
		return up
	}
	return s.each[serverKey(m.Address.String(), m.ProtocolPort)]
}

// numbersTell tells whether the number of servers that are up says which: it is all or none, and none is missing.
func (s *poolSight) numbersTell(p *lbaas.Pool) bool {
	return s.servers == len(p.Members) && s.enabled == wanted(p) && (s.live == 0 || s.live == s.enabled)
}

// copies are the UUIDs that the copies of a pool may have, one for each listener and each of its children, but not those of
// listeners that are off.
func copies(lb *lbaas.LoadBalancer, p *lbaas.Pool) []string {
	var all []string
	for _, l := range lb.Listeners {
		if !l.AdminStateUp {
			continue
		}
		for _, id := range ownersOf(l) {
			all = append(all, translate.PoolUUID(p.ID, id))
		}
	}
	return all
}

// ownersOf are the ids that virtual services of a listener and their pools are named by: the listener's, and those of its children.
func ownersOf(l *lbaas.Listener) []string {
	all := []string{l.ID}
	if l.Protocol == lbaas.TerminatedHTTPS {
		for _, ref := range l.SNIContainerRefs {
			all = append(all, translate.ChildID(ref, l.ID))
		}
	}
	return all
}
