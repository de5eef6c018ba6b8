package haproxy

import (
	"fmt"

	"plimsoll/internal/haproxy"
	"plimsoll/lbaas"
)

// decisions names what is lacking of a listener's L7 policies and rate limits.
func (all *lacks) decisions(l *lbaas.Listener) {
	for _, p := range l.L7Policies {
		all.when(p.ID, !haproxy.L7Protocol(l.Protocol), fmt.Sprintf("L7 policies of a listener of protocol %s", l.Protocol))
		for _, r := range p.Rules {
			lack := haproxy.L7RuleLack(r)
			all.when(r.ID, lack != "", lack)
		}
	}
	for _, lack := range haproxy.RateLimitLacks(l) {
		all.when(lack[0], true, lack[1])
	}
}

// persistence names listeners that cannot keep their clients as a pool wants: cookies are nothing to who passes bytes.
func (all *lacks) persistence(lb *lbaas.LoadBalancer, p *lbaas.Pool) {
	if p.SessionPersistence == nil {
		return
	}
	for _, l := range lb.ListenersOf(p.ID) {
		if !haproxy.PersistenceSupported(p.SessionPersistence.Type, l.Protocol) {
			all.when(p.ID, true, fmt.Sprintf("session_persistence %s with a listener of protocol %s", p.SessionPersistence.Type, l.Protocol))
			return
		}
	}
}
