package lbaas

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rollUpTree is an ACTIVE load balancer lb with listener l, its L7 policy a with rule b and its rate limit c with rule d, its pool p with
// members m1 and m2, and a pool q that is not used, with a member n and no monitor.
func rollUpTree() *LoadBalancer {
	object := func(id string) Object { return Object{ID: id, AdminStateUp: true} }
	return &LoadBalancer{
		Object: object("lb"),
		Listeners: []*Listener{{
			Object: object("l"), DefaultPoolID: "p",
			L7Policies:        []*L7Policy{{Object: object("a"), Rules: []*L7Rule{{Object: object("b")}}}},
			RateLimitPolicies: []*RateLimitPolicy{{Object: object("c"), Rules: []*RateLimitRule{{Object: object("d")}}}},
		}},
		Pools: []*Pool{
			{Object: object("p"), HealthMonitor: &HealthMonitor{Object: object("h")}, Members: []*Member{
				{Object: object("m1"), Weight: 1}, {Object: object("m2"), Weight: 1},
			}},
			{Object: object("q"), Members: []*Member{{Object: object("n"), Weight: 1}}},
		},
	}
}

type statuses = map[string]OperatingStatus

func TestRollUp(t *testing.T) {
	good := statuses{"lb": Online, "l": Online, "p": Online, "h": Online, "m1": Online, "m2": Online, "q": Offline, "n": NoMonitor,
		"a": Online, "b": Online, "c": Online, "d": Online}
	cases := []struct {
		name    string
		change  func(lb *LoadBalancer, r *Reported)
		differs statuses // from good
	}{
		{"all well", func(*LoadBalancer, *Reported) {}, nil},
		{"load balancer off", func(lb *LoadBalancer, r *Reported) { lb.AdminStateUp, *r = false, Reported{} },
			statuses{"lb": Offline, "l": Offline, "p": Offline, "m1": Offline, "m2": Offline}},
		{"nothing reported", func(_ *LoadBalancer, r *Reported) { *r = Reported{} },
			statuses{"l": Broken, "p": Offline, "m1": Offline, "m2": Offline}},
		{"nothing reported yet", func(lb *LoadBalancer, r *Reported) { lb.Progress.Generation, *r = 2, Reported{} },
			statuses{"l": Offline, "p": Offline, "m1": Offline, "m2": Offline}},
		{"listener off", func(lb *LoadBalancer, r *Reported) { lb.Listeners[0].AdminStateUp, *r = false, Reported{} },
			statuses{"l": Offline, "p": Offline, "m1": Offline, "m2": Offline}},
		{"listener full", func(_ *LoadBalancer, r *Reported) { r.Listeners["l"] = Degraded }, statuses{"lb": Degraded, "l": Degraded}},
		{"listener not yet placed", func(_ *LoadBalancer, r *Reported) { *r = Reported{Listeners: statuses{"l": Offline}} },
			statuses{"l": Offline, "p": Offline, "m1": Offline, "m2": Offline}},
		{"listener broken", func(_ *LoadBalancer, r *Reported) { r.Listeners["l"] = Broken }, statuses{"l": Broken}},
		{"policy off", func(lb *LoadBalancer, _ *Reported) { lb.Listeners[0].L7Policies[0].AdminStateUp = false }, statuses{"a": Offline}},
		{"rule off", func(lb *LoadBalancer, _ *Reported) { lb.Listeners[0].L7Policies[0].Rules[0].AdminStateUp = false }, statuses{"b": Offline}},
		{"rate limit off", func(lb *LoadBalancer, _ *Reported) {
			lb.Listeners[0].RateLimitPolicies[0].AdminStateUp, lb.Listeners[0].RateLimitPolicies[0].Rules[0].AdminStateUp = false, false
		}, statuses{"c": Offline, "d": Offline}},
		{"pool used by a policy", func(lb *LoadBalancer, _ *Reported) { lb.Listeners[0].L7Policies[0].RedirectPoolID = "q" }, statuses{"q": Online}},
		{"a member down", func(_ *LoadBalancer, r *Reported) { r.Members["m1"] = Broken },
			statuses{"lb": Degraded, "p": Degraded, "m1": Broken}},
		{"all members down", func(_ *LoadBalancer, r *Reported) { r.Members["m1"], r.Members["m2"] = Broken, Broken },
			statuses{"lb": Broken, "p": Broken, "m1": Broken, "m2": Broken}},
		{"a member off", func(_ *LoadBalancer, r *Reported) { r.Members["m1"] = Offline }, statuses{"m1": Offline}},
		{"a member drains", func(lb *LoadBalancer, _ *Reported) { lb.Pools[0].Members[0].Weight = 0 }, statuses{"m1": Draining}},
		{"a dead member drains", func(lb *LoadBalancer, r *Reported) { lb.Pools[0].Members[0].Weight, r.Members["m1"] = 0, Broken },
			statuses{"lb": Degraded, "p": Degraded, "m1": Broken}},
		{"all members drain", func(lb *LoadBalancer, _ *Reported) {
			lb.Pools[0].Members[0].Weight, lb.Pools[0].Members[1].Weight = 0, 0
		},
			statuses{"lb": Broken, "p": Broken, "m1": Draining, "m2": Draining}},
		{"all members missing", func(_ *LoadBalancer, r *Reported) { r.Members = nil }, statuses{"p": Offline, "m1": Offline, "m2": Offline}},
		{"a member missing and the other down", func(_ *LoadBalancer, r *Reported) { r.Members = statuses{"m2": Broken} },
			statuses{"lb": Broken, "p": Broken, "m1": Offline, "m2": Broken}},
		{"a member missing and the other off", func(lb *LoadBalancer, r *Reported) {
			lb.Pools[0].Members[1].AdminStateUp, r.Members = false, statuses{"m2": Offline}
		}, statuses{"p": Offline, "m1": Offline, "m2": Offline}},
		{"all members off", func(lb *LoadBalancer, r *Reported) {
			lb.Pools[0].Members[0].AdminStateUp, lb.Pools[0].Members[1].AdminStateUp, r.Members = false, false, nil
		}, statuses{"lb": Broken, "p": Broken, "m1": Offline, "m2": Offline}},
		{"a member missing", func(_ *LoadBalancer, r *Reported) { delete(r.Members, "m1") }, statuses{"m1": Offline}},
		{"pool off", func(lb *LoadBalancer, r *Reported) {
			lb.Pools[0].AdminStateUp, r.Members["m1"], r.Members["m2"] = false, Offline, Offline
		}, statuses{"p": Offline, "m1": Offline, "m2": Offline}},
		{"monitor off", func(lb *LoadBalancer, r *Reported) {
			lb.Pools[0].HealthMonitor.AdminStateUp, r.Members["m1"], r.Members["m2"] = false, NoMonitor, NoMonitor
		}, statuses{"h": Offline, "m1": NoMonitor, "m2": NoMonitor}},
		{"unused member off", func(lb *LoadBalancer, _ *Reported) { lb.Pools[1].Members[0].AdminStateUp = false }, statuses{"n": Offline}},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			lb := rollUpTree()
			r := Reported{Listeners: statuses{"l": Online}, Members: statuses{"m1": Online, "m2": Online}}
			test.change(lb, &r)
			want := statuses{}
			for id, s := range good {
				want[id] = s
			}
			for id, s := range test.differs {
				want[id] = s
			}
			if diff := cmp.Diff(want, lb.RollUp(r)); diff != "" {
				t.Errorf("RollUp (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRollUpEmptyPool shows that a pool without members is no reason for alarm.
func TestRollUpEmptyPool(t *testing.T) {
	lb := rollUpTree()
	lb.Pools[0].Members = nil
	got := lb.RollUp(Reported{Listeners: statuses{"l": Online}})
	if got["p"] != Online || got["lb"] != Online {
		t.Errorf("pool %s, load balancer %s", got["p"], got["lb"])
	}
}
