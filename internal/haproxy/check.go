package haproxy

import (
	"cmp"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// byEngine tells whether the engine carries out a pool's health monitor itself: HAProxy has no checks of these types, and knows
// nothing of members that get datagrams.
func byEngine(p *lbaas.Pool, m *lbaas.HealthMonitor) bool {
	if isDatagram(p.Protocol) {
		return true
	}
	return m.Type == lbaas.MonitorPing || m.Type == lbaas.MonitorUDPConnect || m.Type == lbaas.MonitorSCTP
}

// engineChecks are the health monitors that the engine carries out, of the pools that are in use, by the age of these.
func engineChecks(lb *lbaas.LoadBalancer) []*enginepb.Check {
	var all []*enginepb.Check
	seen := map[string]bool{}
	for _, l := range serving(lb) {
		for _, p := range pools(lb, l) {
			m := p.HealthMonitor
			if seen[p.ID] || m == nil || !m.AdminStateUp || !p.AdminStateUp || !byEngine(p, m) {
				continue
			}
			seen[p.ID] = true
			all = append(all, engineCheck(lb, p, m))
		}
	}
	return all
}

// engineCheck is the check of one pool. Without a timeout it waits as long as one interval, as HAProxy does.
func engineCheck(lb *lbaas.LoadBalancer, p *lbaas.Pool, m *lbaas.HealthMonitor) *enginepb.Check {
	delay := min(max(m.Delay, 1), maxSeconds)
	c := &enginepb.Check{
		MonitorId:      m.ID,
		PoolId:         p.ID,
		Type:           string(m.Type),
		DelaySeconds:   int32(delay),
		TimeoutSeconds: int32(min(cmp.Or(m.Timeout, delay), maxSeconds)),
		Rise:           int32(max(m.MaxRetries, 1)),
		Fall:           int32(max(m.MaxRetriesDown, 1)),
		Probes:         probes(p),
	}
	if m.SpeaksHTTP() {
		c.HttpMethod, c.HttpPath, c.HttpVersion = or(m.HTTPMethod, lbaas.DefaultMethod), or(m.URLPath, lbaas.DefaultPath), m.HTTPVersion
		c.HttpHost, c.ExpectedCodes = m.DomainName, or(m.ExpectedCodes, lbaas.DefaultCodes)
		if c.HttpHost == "" && m.HTTPVersion == "1.1" {
			c.HttpHost = bracketed(lb.VIPAddress)
		}
	}
	return c
}

// probes are whom a check asks: the members that are switched on, at the address and port that they are monitored at.
func probes(p *lbaas.Pool) []*enginepb.Probe {
	members := slices.DeleteFunc(slices.Clone(p.Members), func(m *lbaas.Member) bool { return !m.AdminStateUp })
	slices.SortFunc(members, func(a, b *lbaas.Member) int { return oldest(&a.Object, &b.Object) })
	var all []*enginepb.Probe
	for _, m := range members {
		at, port := m.Address, m.ProtocolPort
		if m.MonitorAddress.IsValid() {
			at = m.MonitorAddress
		}
		all = append(all, &enginepb.Probe{MemberId: m.ID, Address: at.String(), Port: int32(cmp.Or(m.MonitorPort, port))})
	}
	return all
}

// Unchecked are the servers of a Spec that HAProxy does not check, neither themselves nor by following another. They are up unless a
// check of the engine says that they are not.
func Unchecked(spec *enginepb.Spec) []*enginepb.Server {
	return slices.DeleteFunc(slices.Clone(spec.Servers), func(s *enginepb.Server) bool { return s.Checked || tracks(s) })
}

// HealthSteps make the servers that HAProxy does not check up or down, where they are otherwise: down are the members that the
// engine's checks found down. A server in maintenance has no health.
func HealthSteps(states []ServerState, spec *enginepb.Spec, down map[string]bool) []Step {
	is := map[string]ServerState{}
	for _, s := range states {
		is[s.Backend+"/"+s.Name] = s
	}
	var p Plan
	for _, s := range Unchecked(spec) {
		state, ok := is[key(s)]
		switch {
		case !ok || state.Maintenance() || state.stopped() == down[s.Name]:
		case down[s.Name]:
			p.step("", "set server %s health down", key(s))
		default:
			p.step("", "set server %s health up", key(s))
		}
	}
	return p.Steps
}

// WithHealth is states with what the engine's checks found, for HandOver: a process that starts knows from its first connection on
// which servers are down, also those that no process had before. A server that was down and is checked no more is up: nobody
// would ever say so.
func WithHealth(states []ServerState, spec *enginepb.Spec, down map[string]bool) []ServerState {
	at := map[string]int{}
	all := slices.Clone(states)
	for i, s := range all {
		at[s.Backend+"/"+s.Name] = i
	}
	for _, s := range Unchecked(spec) {
		i, ok := at[key(s)]
		if !ok && !down[s.Name] {
			continue
		}
		if !ok {
			i, all = len(all), append(all, newServerState(s))
		}
		all[i] = all[i].with(down[s.Name])
	}
	return all
}

// FoundDown are the members that HAProxy's own checks found down in one Spec, and that the engine checks in the next: they stay
// down until it finds otherwise.
func FoundDown(states []ServerState, from, to *enginepb.Spec) []string {
	asked := map[string]bool{}
	for _, c := range to.Checks {
		for _, p := range c.Probes {
			asked[p.MemberId] = true
		}
	}
	was := byKey(from.Servers)
	var down []string
	for _, s := range states {
		server := was[s.Backend+"/"+s.Name]
		if server == nil || !server.Checked && !tracks(server) {
			continue
		}
		if asked[s.Name] && s.stopped() && !s.Maintenance() {
			down = append(down, s.Name)
		}
	}
	return down
}

// checks has the pools that keep their last form keep their check, too.
func (r *retreat) checks() {
	refused := func(c *enginepb.Check) bool { return r.refused(c.PoolId) }
	r.left.Checks = slices.DeleteFunc(r.left.Checks, refused)
	for _, c := range r.good.Checks {
		if refused(c) {
			r.left.Checks = append(r.left.Checks, proto.CloneOf(c))
		}
	}
}

// HAProxy's words for srv_op_state.
const (
	opStopped = "0"
	opRunning = "2"
)

// opField is the place of srv_op_state among the fields of a state.
const opField = 5

func (s ServerState) stopped() bool { return s.fields[opField] == opStopped }

func (s ServerState) with(down bool) ServerState {
	s.fields = slices.Clone(s.fields)
	s.fields[opField] = opRunning
	if down {
		s.fields[opField] = opStopped
	}
	return s
}

// newServerState is the state of a server that no process has had. HAProxy finds it by its names; the backend's number is free.
func newServerState(s *enginepb.Server) ServerState {
	number, weight, port := strconv.Itoa(int(s.Number)), strconv.Itoa(int(s.Weight)), strconv.Itoa(int(s.Port))
	return ServerState{
		Backend: s.Backend, Name: s.Name, Address: s.Address, Port: int(s.Port), Weight: int(s.Weight),
		fields: []string{"0", s.Backend, number, s.Name, s.Address, opRunning, "0", weight, weight, "1", "1", "0", "0", "0", "0", "0",
			"0", "-", port, "-", "0", "0", "-", "-", "0"},
	}
}
