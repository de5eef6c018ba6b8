package avi

import (
	"net/http"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/uuid"

	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// turn is a form that a tree may take: it says all that it differs in from the tree of the world.
type turn struct {
	name string
	set  func(l *lbaas.Listener, p, other *lbaas.Pool)
}

// turns are forms of a listener and its pools that have little in common.
func turns() []turn {
	return []turn{
		{"plain", func(*lbaas.Listener, *lbaas.Pool, *lbaas.Pool) {}},
		{"reject", func(l *lbaas.Listener, _, _ *lbaas.Pool) {
			l.L7Policies = policiesOf(lbaas.Reject, lbaas.RulePath, lbaas.RuleHeader)
		}},
		{"redirect", func(l *lbaas.Listener, _, _ *lbaas.Pool) {
			l.L7Policies = policiesOf(lbaas.RedirectToURL, lbaas.RuleHostName)
			l.L7Policies[0].RedirectURL, l.L7Policies[0].RedirectHTTPCode = "https://example.com/a?b=c", 301
		}},
		{"prefix", func(l *lbaas.Listener, _, _ *lbaas.Pool) {
			l.L7Policies = policiesOf(lbaas.RedirectPrefix, lbaas.RuleCookie, lbaas.RuleHeader, lbaas.RuleHeader)
			l.L7Policies[0].RedirectPrefix = "http://example.com:81/a"
		}},
		{"to a pool", func(l *lbaas.Listener, _, other *lbaas.Pool) {
			l.L7Policies = policiesOf(lbaas.RedirectToPool, lbaas.RuleFileType)
			l.L7Policies[0].RedirectPoolID = other.ID
		}},
		{"keeps clients by their cookie", func(_ *lbaas.Listener, p, _ *lbaas.Pool) {
			p.Algorithm, p.SessionPersistence = lbaas.SourceIPPort, &lbaas.SessionPersistence{Type: lbaas.PersistAppCookie, CookieName: "c"}
		}},
		{"keeps clients by address", func(_ *lbaas.Listener, p, _ *lbaas.Pool) {
			p.Algorithm, p.SessionPersistence = lbaas.SourceIP, &lbaas.SessionPersistence{Type: lbaas.PersistSourceIP}
		}},
		{"speaks TLS", func(_ *lbaas.Listener, p, _ *lbaas.Pool) {
			p.TLSEnabled = true
			p.DefaultTLS(lbaas.DefaultTLS())
		}},
		{"monitors HTTP", func(_ *lbaas.Listener, p, _ *lbaas.Pool) { p.HealthMonitor = monitorOf(lbaas.MonitorHTTP) }},
		{"monitors HTTPS", func(_ *lbaas.Listener, p, _ *lbaas.Pool) {
			p.HealthMonitor = monitorOf(lbaas.MonitorHTTPS)
			p.HealthMonitor.HTTPVersion, p.HealthMonitor.DomainName, p.HealthMonitor.ExpectedCodes = "1.1", "example.com", "200-404"
		}},
		{"is off", func(l *lbaas.Listener, p, _ *lbaas.Pool) { l.AdminStateUp, p.AdminStateUp = false, false }},
		{"has other members", func(_ *lbaas.Listener, p, _ *lbaas.Pool) {
			m := *p.Members[0]
			m.ID, m.Address, m.Weight = uuid.NewString(), netip.MustParseAddr("2001:db8::7"), 0
			p.Members = append(slices.Clone(p.Members[:1]), &m)
			p.Description = "two lines\nof text"
		}},
	}
}

func policiesOf(action lbaas.L7Action, types ...lbaas.L7RuleType) []*lbaas.L7Policy {
	p := &lbaas.L7Policy{Object: lbaas.Object{ID: uuid.NewString(), AdminStateUp: true}, Action: action, Position: 1}
	for i, kind := range types {
		p.Rules = append(p.Rules, &lbaas.L7Rule{
			Object: lbaas.Object{ID: uuid.NewString(), AdminStateUp: true}, Type: kind, CompareType: lbaas.CompareEqualTo, Key: "key", Value: "value",
			Invert: i > 0,
		})
	}
	return []*lbaas.L7Policy{p}
}

func monitorOf(kind lbaas.MonitorType) *lbaas.HealthMonitor {
	h := &lbaas.HealthMonitor{Object: lbaas.Object{ID: uuid.NewString(), AdminStateUp: true}, Type: kind, Delay: 5, Timeout: 5, MaxRetries: 2, MaxRetriesDown: 3}
	h.DefaultHTTP()
	return h
}

// TestEveryTurn has a load balancer go from each form to each other one: of no form anything is left. Who then knows nothing of it and
// applies the same again has nothing to write, whatever the controller made of it by itself.
func TestEveryTurn(t *testing.T) {
	w := newWorld(t)
	base := w.Tree(t)
	other := *base.Pools[0]
	other.ID, other.Name, other.Members = uuid.NewString(), "the other", nil
	base.Pools = append(base.Pools, &other)
	lb := base
	to := func(name string, set func(l *lbaas.Listener, p, other *lbaas.Pool)) {
		t.Helper()
		generation := lb.Progress.Generation
		lb = next(base, func(lb *lbaas.LoadBalancer) {
			set(lb.Listeners[0], lb.Pools[0], lb.Pools[1])
			lb.Progress.Generation = generation + 1
		})
		mustApply(t, w.provider, lb)
		w.checkObjects(t, lb, translate.Objects(lb, nil, translate.Options{Cloud: "Default-Cloud", Version: "18.1.2"}))
		if t.Failed() {
			t.Fatalf("as it became one that %s", name)
		}
	}
	all := turns()
	for i, from := range all {
		for _, into := range all[i+1:] {
			to(from.name, from.set)
			to(into.name, into.set)
		}
		to(from.name, from.set)
		w.unwritten(t, from.name, lb)
	}
}

// unwritten fails the test if a process that knows nothing of the load balancer writes something.
func (w *world) unwritten(t *testing.T, name string, lb *lbaas.LoadBalancer) {
	t.Helper()
	p := w.open(nil)
	w.server.ResetCalls()
	mustApply(t, p, lb)
	for _, c := range w.server.Calls() {
		if c.Method != http.MethodGet && c.Path != "/login" {
			t.Errorf("%s: %s", name, c)
		}
	}
}
