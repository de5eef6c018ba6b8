package lbaas

// Reported is what a data plane says of the parts of a load balancer that it serves. What it does not serve is absent.
type Reported struct {
	// Listeners are Online, Degraded (at the connection limit, or in part), Broken, or Offline while they do not serve yet.
	Listeners map[string]OperatingStatus
	// Members are Online, Broken, Draining, Offline (in maintenance) or NoMonitor.
	Members map[string]OperatingStatus
}

// RollUp derives the operating statuses of a whole load balancer by object id, from what its data plane reports (API
// section 1.5). It is pure.
func (lb *LoadBalancer) RollUp(r Reported) map[string]OperatingStatus {
	all := map[string]OperatingStatus{}
	for _, l := range lb.Listeners {
		all[l.ID] = lb.listenerStatus(l, r)
		l.switches(all)
	}
	for _, p := range lb.Pools {
		for _, m := range p.Members {
			all[m.ID] = p.memberStatus(m, r)
		}
		if h := p.HealthMonitor; h != nil {
			all[h.ID] = switched(h.AdminStateUp)
		}
		all[p.ID] = lb.poolStatus(p, all, r)
	}
	all[lb.ID] = lb.status(all)
	return all
}

// switches gives what decides about a listener's requests the statuses of a switch: it is on, or it is off.
func (l *Listener) switches(all map[string]OperatingStatus) {
	for _, p := range l.L7Policies {
		all[p.ID] = switched(p.AdminStateUp)
		for _, r := range p.Rules {
			all[r.ID] = switched(r.AdminStateUp)
		}
	}
	for _, p := range l.RateLimitPolicies {
		all[p.ID] = switched(p.AdminStateUp)
		for _, r := range p.Rules {
			all[r.ID] = switched(r.AdminStateUp)
		}
	}
}

func (lb *LoadBalancer) listenerStatus(l *Listener, r Reported) OperatingStatus {
	if s, ok := r.Listeners[l.ID]; ok {
		return s
	}
	if lb.AdminStateUp && l.AdminStateUp && lb.Progress.Status() == Active {
		return Broken
	}
	return Offline
}

// memberStatus is what was reported, but a member that gets no new connections by its weight drains.
func (p *Pool) memberStatus(m *Member, r Reported) OperatingStatus {
	s, ok := r.Members[m.ID]
	switch {
	case !ok && p.HealthMonitor == nil && m.AdminStateUp:
		return NoMonitor
	case !ok:
		return Offline
	case m.Weight == 0 && (s == Online || s == NoMonitor):
		return Draining
	}
	return s
}

// poolStatus is OFFLINE for a pool that no listener uses, and while nothing is known of its members yet. A pool without members is
// ONLINE: nothing is wrong with it.
func (lb *LoadBalancer) poolStatus(p *Pool, all map[string]OperatingStatus, r Reported) OperatingStatus {
	if !p.AdminStateUp || !lb.serves(p, r) {
		return Offline
	}
	working, broken, unknown := 0, 0, 0
	for _, m := range p.Members {
		if _, known := r.Members[m.ID]; m.AdminStateUp && !known {
			unknown++
		}
		switch all[m.ID] {
		case Online, NoMonitor:
			working++
		case Broken:
			broken++
		}
	}
	switch {
	case working+broken == 0 && unknown > 0:
		return Offline
	case working == 0 && len(p.Members) > 0:
		return Broken
	case broken > 0:
		return Degraded
	}
	return Online
}

// serves tells whether a listener that uses the pool was reported, and not as one that does not serve.
func (lb *LoadBalancer) serves(p *Pool, r Reported) bool {
	for _, l := range lb.ListenersOf(p.ID) {
		if s, ok := r.Listeners[l.ID]; ok && s != Offline {
			return true
		}
	}
	return false
}

func (lb *LoadBalancer) status(all map[string]OperatingStatus) OperatingStatus {
	if !lb.AdminStateUp {
		return Offline
	}
	status := Online
	for _, l := range lb.Listeners {
		if all[l.ID] == Degraded {
			status = Degraded
		}
	}
	for _, p := range lb.Pools {
		switch all[p.ID] {
		case Broken:
			return Broken
		case Degraded:
			status = Degraded
		}
	}
	return status
}

func switched(on bool) OperatingStatus {
	if on {
		return Online
	}
	return Offline
}
