package haproxy

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// secureTree has a listener that ends TLS and one that does not, with a pool each; the second pool speaks TLS.
func secureTree() *lbaas.LoadBalancer {
	lb := newTree()
	p := addPool(lb, 1, lbaas.HTTP, lbaas.RoundRobin)
	addMember(p, 1, "10.93.48.3", 80)
	q := addPool(lb, 2, lbaas.HTTP, lbaas.RoundRobin)
	q.TLSEnabled, q.TLSContainerRef, q.CATLSContainerRef = true, refClient, refCA
	addMember(q, 2, "10.93.48.4", 443)
	addTLSListener(lb, 1, 443, p.ID).SNIContainerRefs = []string{refEC}
	addListener(lb, 2, lbaas.HTTP, 80, q.ID)
	return lb
}

// mismatched is an authority's certificate with another key.
func mismatched(t *testing.T, a *authority) []byte {
	const begin = "-----BEGIN PRIVATE"
	_, key, _ := bytes.Cut(a.issue(ecKey(t), "other"), []byte(begin))
	return slices.Concat(a.pem, []byte(begin), key)
}

// contents are the files of a Spec.
func contents(spec *enginepb.Spec) map[string]string {
	all := map[string]string{}
	for _, f := range spec.Files {
		all[f.Name] = string(f.Content)
	}
	return all
}

// TestRetreatFiles has a real HAProxy refuse a certificate, and shows whose it is and what is left.
func TestRetreatFiles(t *testing.T) {
	for _, test := range []struct {
		name, ref, bad string
		first          bool // there is nothing good yet
		want           edit
		held           []string
	}{
		{name: "old listener", ref: refEC, bad: uid(1, 1), want: func(*lbaas.LoadBalancer) {}},
		{name: "old listener, default", ref: refRSA, bad: uid(1, 1), want: func(*lbaas.LoadBalancer) {}},
		{name: "new listener", ref: refEC, bad: uid(1, 1), first: true, want: func(lb *lbaas.LoadBalancer) { lb.Listeners = lb.Listeners[1:] }},
		{name: "old pool", ref: refClient, bad: uid(2, 2), want: func(*lbaas.LoadBalancer) {}},
		{name: "new pool", ref: refClient, bad: uid(2, 2), first: true, held: []string{uid(1, 2), uid(3, 2)},
			want: func(lb *lbaas.LoadBalancer) { lb.Listeners[1].DefaultPoolID = "" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			secrets, authority := testSecrets(t)
			lb := secureTree()
			good := Render(lb, nil, secrets, testDir)
			before := secrets[test.ref]
			secrets[test.ref] = mismatched(t, authority)
			wanted := Render(lb, nil, secrets, testDir)
			text, lines := File(wanted)
			output, err := accepted(t, text, wanted.Files...)
			if err == nil {
				t.Fatal("HAProxy takes it")
			}
			blamed := Blame(ParseAlerts(output), lines)
			if diff := cmp.Diff([]string{test.bad}, blamed); diff != "" {
				t.Fatalf("blamed (-want +got):\n%s\n%s", diff, output)
			}
			if test.first {
				good = nil
			}
			left, held := Retreat(wanted, good, blamed)
			secrets[test.ref] = before
			test.want(lb)
			want := Render(lb, nil, secrets, testDir)
			if test.first && test.bad == uid(1, 1) { // the backend that nobody uses
				full := Render(secureTree(), nil, secrets, testDir)
				want.Sections[0] = full.Sections[0] // which prepares for TLS
				want.Sections = append(want.Sections, find(full, "backend "+uid(2, 1)+":"+uid(1, 1)))
				want.Servers = append(want.Servers, full.Servers[0])
			}
			if plan := Diff(left, want); !plan.Empty() {
				t.Errorf("left is not as wanted: %+v", plan)
			}
			if diff := cmp.Diff(contents(want), contents(left)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.held, held); diff != "" {
				t.Errorf("held (-want +got):\n%s", diff)
			}
			text, _ = File(left)
			if output, err := accepted(t, text, left.Files...); err != nil {
				t.Errorf("HAProxy refuses what is left: %s", output)
			}
		})
	}
}

// TestRetreatHeld holds what cannot be read, while members change.
func TestRetreatHeld(t *testing.T) {
	for _, test := range []struct{ name, lost, held string }{
		{"listener", refEC, uid(1, 1)},
		{"pool", refClient, uid(2, 2)},
		{"pool, by its authority", refCA, uid(2, 2)},
	} {
		t.Run(test.name, func(t *testing.T) {
			secrets, _ := testSecrets(t)
			lb := secureTree()
			good := Render(lb, nil, secrets, testDir)
			for i, p := range lb.Pools {
				addMember(p, 5+i, "10.93.48.9", 80)
				p.Members[0].Weight = 9
			}
			want := Render(lb, nil, secrets, testDir)
			delete(secrets, test.lost)
			left, held := Retreat(Render(lb, nil, secrets, testDir), good, []string{test.held})
			if plan := Diff(left, want); !plan.Empty() {
				t.Errorf("left is not as wanted: %+v", plan)
			}
			if diff := cmp.Diff(contents(want), contents(left)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if held != nil {
				t.Errorf("held %v", held)
			}
			again, _ := Retreat(Render(lb, nil, secrets, testDir), left, []string{test.held})
			if plan := Diff(left, again); !plan.Empty() {
				t.Errorf("the next is not the same: %+v", plan)
			}
			_, held = Retreat(Render(lb, nil, secrets, testDir), nil, []string{test.held})
			if test.held == uid(2, 2) && !cmp.Equal(held, []string{uid(1, 2), uid(3, 2), uid(3, 6)}) {
				t.Errorf("with nothing good, held %v", held)
			}
		})
	}
}

// TestRetreatPolicy refuses the pool that an L7 policy leads to.
func TestRetreatPolicy(t *testing.T) {
	lb := simpleTree()
	l := lb.Listeners[0]
	policy := &lbaas.L7Policy{Object: object(uid(7, 1), "to pool"), ListenerID: l.ID, Action: lbaas.RedirectToPool, Position: 1,
		Rules: []*lbaas.L7Rule{{Object: object(uid(8, 1), ""), Type: lbaas.RulePath, CompareType: lbaas.CompareStartsWith, Value: "/a"}}}
	old := addPool(lb, 2, lbaas.HTTP, lbaas.RoundRobin)
	addMember(old, 3, "10.93.48.5", 80)
	policy.RedirectPoolID = old.ID
	plain := Render(lb, nil, nil, testDir)
	l.L7Policies = []*lbaas.L7Policy{policy}
	good := Render(lb, nil, nil, testDir)
	next := addPool(lb, 3, lbaas.HTTP, lbaas.RoundRobin)
	addMember(next, 4, "10.93.48.6", 80)
	policy.RedirectPoolID = next.ID
	wanted := Render(lb, nil, nil, testDir)
	broken(wanted, next.ID)
	for name, test := range map[string]struct{ good, want *enginepb.Spec }{
		"old policy": {good, good}, "new policy": {plain, plain}, "first": {nil, plain},
	} {
		left, held := Retreat(wanted, test.good, []string{next.ID})
		if plan := Diff(left, test.want); !plan.Empty() {
			t.Errorf("%s: left is not as wanted: %+v", name, plan)
		}
		if diff := cmp.Diff([]string{uid(3, 4), policy.ID}, held); diff != "" {
			t.Errorf("%s: held (-want +got):\n%s", name, diff)
		}
		text, _ := File(left)
		if output, err := accepted(t, text); err != nil {
			t.Errorf("%s: HAProxy refuses what is left: %s", name, output)
		}
	}
}

// TestRetreatTables holds a listener whose last good form counts in tables that nothing else needs.
func TestRetreatTables(t *testing.T) {
	secrets, _ := testSecrets(t)
	lb := secureTree()
	l := lb.Listeners[0]
	l.RateLimitPolicies = []*lbaas.RateLimitPolicy{{Object: object(uid(9, 1), ""), ListenerID: l.ID, Action: lbaas.RateLimitDeny,
		Rules: []*lbaas.RateLimitRule{{Object: object(uid(10, 1), ""), Metric: lbaas.RateRequests, Threshold: 5, Interval: 10}}}}
	good := Render(lb, nil, secrets, testDir)
	l.RateLimitPolicies = nil
	delete(secrets, refEC)
	left, _ := Retreat(Render(lb, nil, secrets, testDir), good, []string{l.ID})
	if diff := cmp.Diff(contents(good), contents(left)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(find(good, "frontend "+l.ID), find(left, "frontend "+l.ID), protocmp.Transform()); diff != "" {
		t.Errorf("frontend (-want +got):\n%s", diff)
	}
	text, _ := File(left)
	if output, err := accepted(t, text, left.Files...); err != nil {
		t.Errorf("HAProxy refuses what is left: %s", output)
	}
}
