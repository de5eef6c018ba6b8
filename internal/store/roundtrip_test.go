package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"plimsoll/internal/identity"
	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

func TestEveryAttributeIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for name, lb := range map[string]*lbaas.LoadBalancer{"full": fullTree(), "bare": bareTree()} {
			create(t, s, lb)
			if diff := cmp.Diff(lb, tree(t, s, lb.ID), compare); diff != "" {
				t.Errorf("the %s tree after its creation (-want +got):\n%s", name, diff)
			}
			compareOneByOne(t, s, lb)
		}
	})
}

// compareOneByOne reads each object of a tree by itself and in a list.
func compareOneByOne(t *testing.T, s *store.Store, lb *lbaas.LoadBalancer) {
	t.Helper()
	ctx := context.Background()
	only := store.Query{Filters: []store.Filter{{Attribute: "id", Values: nil}}}
	for _, part := range lb.Parts() {
		only.Filters[0].Values = []string{part.Base().ID}
		var one any
		var listed []any
		var err, errList error
		switch p := part.(type) {
		case *lbaas.LoadBalancer:
			one, err = s.LoadBalancer(ctx, p.ID)
			listed, errList = anys(s.LoadBalancers(ctx, only))
		case *lbaas.Listener:
			one, err = s.Listener(ctx, p.ID)
			listed, errList = anys(s.Listeners(ctx, only))
		case *lbaas.Pool:
			one, err = s.Pool(ctx, p.ID)
			listed, errList = anys(s.Pools(ctx, only))
		case *lbaas.Member:
			one, err = s.Member(ctx, p.ID)
			listed, errList = anys(s.Members(ctx, only))
		case *lbaas.HealthMonitor:
			one, err = s.HealthMonitor(ctx, p.ID)
			listed, errList = anys(s.HealthMonitors(ctx, only))
		case *lbaas.L7Policy:
			one, err = s.L7Policy(ctx, p.ID)
			listed, errList = anys(s.L7Policies(ctx, only))
		case *lbaas.L7Rule:
			one, err = s.L7Rule(ctx, p.ID)
			listed, errList = anys(s.L7Rules(ctx, only))
		case *lbaas.RateLimitPolicy:
			one, err = s.RateLimitPolicy(ctx, p.ID)
			listed, errList = anys(s.RateLimitPolicies(ctx, only))
		case *lbaas.RateLimitRule:
			one, err = s.RateLimitRule(ctx, p.ID)
			listed, errList = anys(s.RateLimitRules(ctx, only))
		}
		if err != nil || errList != nil {
			t.Errorf("read %s: %v, %v", part.Noun(), err, errList)
		}
		want := any(alone(lb, part))
		if diff := cmp.Diff(want, one, compare); diff != "" {
			t.Errorf("%s (-want +got):\n%s", part.Noun(), diff)
		}
		if diff := cmp.Diff([]any{want}, listed, compare); diff != "" {
			t.Errorf("list of %s (-want +got):\n%s", part.Noun(), diff)
		}
	}
}

func anys[T any](list []T, err error) ([]any, error) {
	var all []any
	for _, v := range list {
		all = append(all, v)
	}
	return all, err
}

// alone is a part as it is read without its tree.
func alone(lb *lbaas.LoadBalancer, part lbaas.Part) lbaas.Part {
	switch p := part.(type) {
	case *lbaas.LoadBalancer:
		c := *p
		c.Listeners, c.Pools, c.Flavor, c.Zone = nil, nil, nil, nil
		for _, l := range p.Listeners {
			c.Listeners = append(c.Listeners, &lbaas.Listener{Object: lbaas.Object{ID: l.ID}})
		}
		for _, pool := range p.Pools {
			c.Pools = append(c.Pools, &lbaas.Pool{Object: lbaas.Object{ID: pool.ID}})
		}
		return &c
	case *lbaas.Pool:
		c := *p
		c.Members, c.HealthMonitor = nil, nil
		for _, m := range p.Members {
			c.Members = append(c.Members, &lbaas.Member{Object: lbaas.Object{ID: m.ID}})
		}
		if p.HealthMonitor != nil {
			c.HealthMonitor = &lbaas.HealthMonitor{Object: lbaas.Object{ID: p.HealthMonitor.ID}}
		}
		for _, l := range lb.ListenersOf(p.ID) {
			c.ListenerIDs = append(c.ListenerIDs, l.ID)
		}
		return &c
	case *lbaas.Listener:
		c := *p
		c.L7Policies, c.RateLimitPolicies = nil, nil
		for _, policy := range p.L7Policies {
			c.L7Policies = append(c.L7Policies, &lbaas.L7Policy{Object: lbaas.Object{ID: policy.ID}})
		}
		for _, policy := range p.RateLimitPolicies {
			c.RateLimitPolicies = append(c.RateLimitPolicies, &lbaas.RateLimitPolicy{Object: lbaas.Object{ID: policy.ID}})
		}
		return &c
	case *lbaas.L7Policy:
		c := *p
		c.Rules = nil
		for _, r := range p.Rules {
			c.Rules = append(c.Rules, &lbaas.L7Rule{Object: lbaas.Object{ID: r.ID}})
		}
		return &c
	case *lbaas.RateLimitPolicy:
		c := *p
		c.Rules = nil
		for _, r := range p.Rules {
			c.Rules = append(c.Rules, &lbaas.RateLimitRule{Object: lbaas.Object{ID: r.ID}})
		}
		return &c
	}
	return part
}

func TestUpdatesAreKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		lb := create(t, s, bareTree())
		want := fullTree()
		offer(t, s, want)
		change(t, s, lb.ID, func(c *store.Change) error {
			overwrite(c.LB, want)
			want = c.LB
			return c.Put(c.LB.Parts()...)
		})
		got := tree(t, s, lb.ID)
		if diff := cmp.Diff(want, got, compare); diff != "" {
			t.Errorf("the tree after every attribute was set (-want +got):\n%s", diff)
		}
		for _, part := range got.Parts() {
			p := part.Base()
			if p.UpdatedAt.Before(p.CreatedAt) || p.Progress != (lbaas.Progress{Generation: 2}) {
				t.Errorf("%s was made at %v, updated at %v, has come to %+v", part.Noun(), p.CreatedAt, p.UpdatedAt, p.Progress)
			}
		}
	})
}

// overwrite gives the parts of a bare tree all the attributes of a full one.
func overwrite(bare, full *lbaas.LoadBalancer) {
	listener, pool, member, monitor := bare.Listeners[0], bare.Pools[0], bare.Pools[0].Members[0], bare.Pools[0].HealthMonitor
	keep := func(o *lbaas.Object, to *lbaas.Object) { to.ID, to.ProjectID = o.ID, o.ProjectID }
	keep(&listener.Object, &full.Listeners[0].Object)
	keep(&pool.Object, &full.Pools[0].Object)
	keep(&member.Object, &full.Pools[0].Members[0].Object)
	keep(&monitor.Object, &full.Pools[0].HealthMonitor.Object)
	below := overwriteBelow(listener, full.Listeners[0])

	host, progress, created := bare.Host, bare.Progress, bare.CreatedAt
	id, project := bare.ID, bare.ProjectID
	*monitor = *full.Pools[0].HealthMonitor
	*member = *full.Pools[0].Members[0]
	*pool = *full.Pools[0]
	*listener = *full.Listeners[0]
	listener.L7Policies, listener.RateLimitPolicies = below.L7Policies, below.RateLimitPolicies
	below.L7Policies[0].RedirectPoolID = pool.ID
	*bare = *full
	bare.ID, bare.ProjectID, bare.Host, bare.Progress, bare.CreatedAt = id, project, host, progress, created
	pool.Members, pool.HealthMonitor = []*lbaas.Member{member}, monitor
	member.PoolID, monitor.PoolID, listener.DefaultPoolID = pool.ID, pool.ID, pool.ID
	bare.Listeners, bare.Pools = []*lbaas.Listener{listener}, []*lbaas.Pool{pool}
}

// overwriteBelow is overwrite for what is below a listener. It gives the bare parts back.
func overwriteBelow(bare, full *lbaas.Listener) lbaas.Listener {
	policy, limit := bare.L7Policies[0], bare.RateLimitPolicies[0]
	rule, limitRule := policy.Rules[0], limit.Rules[0]
	for _, o := range []struct{ bare, full *lbaas.Object }{
		{&policy.Object, &full.L7Policies[0].Object}, {&rule.Object, &full.L7Policies[0].Rules[0].Object},
		{&limit.Object, &full.RateLimitPolicies[0].Object}, {&limitRule.Object, &full.RateLimitPolicies[0].Rules[0].Object},
	} {
		o.full.ID, o.full.ProjectID = o.bare.ID, o.bare.ProjectID
	}
	*rule, *limitRule = *full.L7Policies[0].Rules[0], *full.RateLimitPolicies[0].Rules[0]
	*policy, *limit = *full.L7Policies[0], *full.RateLimitPolicies[0]
	policy.Rules, limit.Rules = []*lbaas.L7Rule{rule}, []*lbaas.RateLimitRule{limitRule}
	policy.ListenerID, limit.ListenerID = bare.ID, bare.ID
	rule.L7PolicyID, limitRule.RateLimitPolicyID = policy.ID, limit.ID
	return lbaas.Listener{L7Policies: []*lbaas.L7Policy{policy}, RateLimitPolicies: []*lbaas.RateLimitPolicy{limit}}
}

func TestHostileTextIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		texts := append([]string{strings.Repeat("😀", 255)}, hostile...)
		byName := map[string]string{}
		for _, text := range texts {
			lb := create(t, s, &lbaas.LoadBalancer{Object: lbaas.Object{Name: text, Description: text, Tags: []string{text, "x"}}})
			byName[text] = lb.ID
			if diff := cmp.Diff(lb, tree(t, s, lb.ID), compare); diff != "" {
				t.Errorf("%q (-want +got):\n%s", text, diff)
			}
		}
		for _, text := range texts {
			for what, q := range map[string]store.Query{
				"name": {Filters: []store.Filter{{Attribute: "name", Values: []string{text}}}},
				"tag":  {Tags: store.Tags{All: []string{text}}},
			} {
				found, err := s.LoadBalancers(ctx, q)
				if err != nil || len(found) != 1 || found[0].ID != byName[text] {
					t.Errorf("filter by %s %q: %d found, %v", what, text, len(found), err)
				}
			}
		}
	})
}

func TestNULBreaksNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb := create(t, s, &lbaas.LoadBalancer{Object: lbaas.Object{Name: "a\x00b"}})
		if got := tree(t, s, lb.ID).Name; got != "a\uFFFDb" {
			t.Errorf("a name with a NUL reads %q", got)
		}
		if _, err := s.LoadBalancer(ctx, lb.ID+"\x00"); err == nil || err.Error() != "Load Balancer "+lb.ID+"\x00 not found." {
			t.Errorf("an id with a NUL gives %v", err)
		}
		if got, err := s.Listeners(ctx, store.Query{Filters: []store.Filter{{Attribute: "name", Values: []string{"\x00"}}}}); err != nil || len(got) != 0 {
			t.Errorf("a filter with a NUL gives %v, %v", got, err)
		}
	})
}

func TestLongListsAreKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		lb := bareTree()
		for range 3000 { // as many as a request may hold, and more than MariaDB's TEXT
			lb.Listeners[0].SNIContainerRefs = append(lb.Listeners[0].SNIContainerRefs, uuid.NewString())
		}
		create(t, s, lb)
		if diff := cmp.Diff(lb, tree(t, s, lb.ID), compare); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestLongTextsAreKept keeps texts of identity and networks that are longer than MariaDB's TEXT.
func TestLongTextsAreKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, long := t.Context(), strings.Repeat("€", 36000)
		domain := &identity.Domain{ID: "d", Name: "d", Description: long, Extra: identity.Extra{"x": json.RawMessage(`"` + long + `"`)}}
		lan := &network.Network{Tags: []string{long}}
		if err := errors.Join(s.CreateDomain(ctx, domain), s.CreateNetwork(ctx, lan)); err != nil {
			t.Fatal(err)
		}
		gotDomain, err := s.Domain(ctx, "d")
		if err != nil || gotDomain.Description != long || len(gotDomain.Extra["x"]) != len(long)+2 {
			t.Errorf("the domain comes back otherwise (%v)", err)
		}
		if got, err := s.Network(ctx, lan.ID); err != nil || got.Tags[0] != long {
			t.Errorf("the network comes back otherwise (%v)", err)
		}
	})
}

func TestMissing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		id := uuid.NewString()
		for noun, read := range map[lbaas.Noun]func() error{
			lbaas.NounLoadBalancer:  func() error { _, err := s.LoadBalancer(ctx, id); return err },
			lbaas.NounListener:      func() error { _, err := s.Listener(ctx, id); return err },
			lbaas.NounPool:          func() error { _, err := s.Pool(ctx, id); return err },
			lbaas.NounMember:        func() error { _, err := s.Member(ctx, id); return err },
			lbaas.NounHealthMonitor: func() error { _, err := s.HealthMonitor(ctx, id); return err },
			lbaas.NounL7Policy:      func() error { _, err := s.L7Policy(ctx, id); return err },
			lbaas.NounL7Rule:        func() error { _, err := s.L7Rule(ctx, id); return err },

			lbaas.NounRateLimitPolicy: func() error { _, err := s.RateLimitPolicy(ctx, id); return err },
			lbaas.NounRateLimitRule:   func() error { _, err := s.RateLimitRule(ctx, id); return err },
		} {
			if diff := cmp.Diff(error(lbaas.Missing(noun, id)), read(), compare); diff != "" {
				t.Errorf("%s (-want +got):\n%s", noun, diff)
			}
		}
	})
}
