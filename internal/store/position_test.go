package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// withPolicies is a load balancer whose listener has policies of those names, in that order.
func withPolicies(names ...string) *lbaas.LoadBalancer {
	l := &lbaas.Listener{Protocol: lbaas.HTTP, ProtocolPort: 80}
	for _, name := range names {
		l.L7Policies = append(l.L7Policies, &lbaas.L7Policy{Object: lbaas.Object{Name: name}, Action: lbaas.Reject})
	}
	return &lbaas.LoadBalancer{Listeners: []*lbaas.Listener{l}}
}

// order are the policies of a load balancer's first listener, each with its position.
func order(lb *lbaas.LoadBalancer) []string {
	var names []string
	for _, p := range lb.Listeners[0].L7Policies {
		names = append(names, fmt.Sprint(p.Position, p.Name))
	}
	return names
}

func TestPositionsStayDense(t *testing.T) {
	fresh := func(c *store.Change, name string, position int) error {
		return c.Put(&lbaas.L7Policy{Object: lbaas.Object{Name: name}, ListenerID: c.LB.Listeners[0].ID, Position: position})
	}
	move := func(c *store.Change, i, position int) error {
		p := *c.LB.Listeners[0].L7Policies[i]
		p.Position = position
		return c.Put(&p)
	}
	cases := []struct {
		name   string
		change func(c *store.Change) error
		want   []string
		moved  []string // those that are stamped
	}{
		{"first", func(c *store.Change) error { return fresh(c, "x", 1) }, []string{"1x", "2a", "3b", "4c"}, []string{"x", "a", "b", "c"}},
		{"between", func(c *store.Change) error { return fresh(c, "x", 3) }, []string{"1a", "2b", "3x", "4c"}, []string{"x", "c"}},
		{"last", func(c *store.Change) error { return fresh(c, "x", 4) }, []string{"1a", "2b", "3c", "4x"}, []string{"x"}},
		{"anywhere", func(c *store.Change) error { return fresh(c, "x", 0) }, []string{"1a", "2b", "3c", "4x"}, []string{"x"}},
		{"far beyond", func(c *store.Change) error { return fresh(c, "x", 1<<31-1) }, []string{"1a", "2b", "3c", "4x"}, []string{"x"}},
		{"bad position", func(c *store.Change) error { return fresh(c, "x", -7) }, []string{"1a", "2b", "3c", "4x"}, []string{"x"}},
		{"where it is", func(c *store.Change) error { return move(c, 1, 2) }, []string{"1a", "2b", "3c"}, []string{"b"}},
		{"to the front", func(c *store.Change) error { return move(c, 2, 1) }, []string{"1c", "2a", "3b"}, []string{"a", "b", "c"}},
		{"one down", func(c *store.Change) error { return move(c, 0, 2) }, []string{"1b", "2a", "3c"}, []string{"a", "b"}},
		{"to the end", func(c *store.Change) error { return move(c, 0, 99) }, []string{"1b", "2c", "3a"}, []string{"a", "b", "c"}},
		{"gone", func(c *store.Change) error { return c.Delete(c.LB.Listeners[0].L7Policies[1]) }, []string{"1a", "2c"}, []string{"c"}},
		{"the last gone", func(c *store.Change) error { return c.Delete(c.LB.Listeners[0].L7Policies[2]) }, []string{"1a", "2b"}, nil},
		{"there and back", func(c *store.Change) error { return errors.Join(move(c, 0, 3), move(c, 2, 1)) },
			[]string{"1a", "2b", "3c"}, []string{"a", "b", "c"}},
		{"all anew", func(c *store.Change) error {
			l := c.LB.Listeners[0]
			return errors.Join(c.Delete(l.L7Policies[0], l.L7Policies[1], l.L7Policies[2]), fresh(c, "x", 2), fresh(c, "y", 1), fresh(c, "z", 2))
		}, []string{"1y", "2z", "3x"}, []string{"x", "y", "z"}},
	}
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for _, tc := range cases {
			t.Run(tc.name, func(t *testing.T) {
				lb := create(t, s, withPolicies("a", "b", "c"))
				if diff := cmp.Diff([]string{"1a", "2b", "3c"}, order(lb)); diff != "" {
					t.Errorf("as they were made (-want +got):\n%s", diff)
				}
				change(t, s, lb.ID, func(c *store.Change) error {
					err := tc.change(c)
					if diff := cmp.Diff(tc.want, order(c.LB)); diff != "" {
						t.Errorf("in the change (-want +got):\n%s", diff)
					}
					return err
				})
				got := tree(t, s, lb.ID)
				if diff := cmp.Diff(tc.want, order(got)); diff != "" {
					t.Errorf("in the database (-want +got):\n%s", diff)
				}
				wantStamped(t, got, tc.moved)
			})
		}
	})
}

// wantStamped looks for the policies that the second generation has changed.
func wantStamped(t *testing.T, lb *lbaas.LoadBalancer, want []string) {
	t.Helper()
	stamped := map[string]bool{}
	for _, p := range lb.Listeners[0].L7Policies {
		if p.Progress.Generation == 2 {
			stamped[p.Name] = true
		}
	}
	wanted := map[string]bool{}
	for _, name := range want {
		wanted[name] = true
	}
	if diff := cmp.Diff(wanted, stamped); diff != "" {
		t.Errorf("what is stamped (-want +got):\n%s", diff)
	}
}

// TestPositionsOfANewTree gives the policies of a new load balancer their places one after the other, as if each came alone.
func TestPositionsOfANewTree(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		lb := withPolicies("a", "b", "c", "d")
		for i, position := range []int{7, 1, 0, 2} {
			lb.Listeners[0].L7Policies[i].Position = position
		}
		create(t, s, lb)
		if diff := cmp.Diff([]string{"1b", "2d", "3a", "4c"}, order(tree(t, s, lb.ID))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(lb, tree(t, s, lb.ID), compare); diff != "" {
			t.Errorf("what creation filled in and what is read (-want +got):\n%s", diff)
		}
	})
}

// TestPositionsRace lets many put policies at the front at once.
func TestPositionsRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		const n = 24
		lb := create(t, s, withPolicies())
		atOnce(t, n, func(i int) error {
			return s.ChangeLoadBalancer(context.Background(), lb.ID, func(c *store.Change) error {
				l := c.LB.Listeners[0]
				if i%4 == 3 && len(l.L7Policies) > 0 {
					return c.Delete(l.L7Policies[len(l.L7Policies)/2])
				}
				return c.Put(&lbaas.L7Policy{ListenerID: l.ID, Position: 1 + i%3})
			})
		})
		for i, p := range tree(t, s, lb.ID).Listeners[0].L7Policies {
			if p.Position != i+1 {
				t.Errorf("the policy in place %d has the position %d", i+1, p.Position)
			}
		}
	})
}

func TestTooManyRules(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		lb := create(t, s, withPolicies("a"))
		id := lb.Listeners[0].L7Policies[0].ID
		change(t, s, lb.ID, func(c *store.Change) error {
			for range lbaas.MaxRules {
				if err := c.Put(&lbaas.L7Rule{L7PolicyID: id}); err != nil {
					return err
				}
			}
			return nil
		})
		err := s.ChangeLoadBalancer(context.Background(), lb.ID, func(c *store.Change) error { return c.Put(&lbaas.L7Rule{L7PolicyID: id}) })
		if diff := cmp.Diff(error(lbaas.Errorf(lbaas.Conflict, "Too many rules on L7 policy %s", id)), err); diff != "" {
			t.Errorf("one more (-want +got):\n%s", diff)
		}
		change(t, s, lb.ID, func(c *store.Change) error {
			rules := c.LB.L7Policy(id).Rules
			rules[7].Value = "changed"
			return errors.Join(c.Put(rules[7]), c.Delete(rules[0]), c.Put(&lbaas.L7Rule{L7PolicyID: id}))
		})
	})
}

func TestPoolsOfPoliciesStay(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		lb := create(t, s, fullTree())
		pool := lb.Pools[0]
		first, second := lb.Listeners[0].L7Policies[0], lb.Listeners[0].L7Policies[1]
		change(t, s, lb.ID, func(c *store.Change) error {
			p := *c.LB.L7Policy(first.ID)
			p.Action, p.RedirectPoolID = lbaas.Reject, ""
			return c.Put(&p)
		})
		for _, off := range []bool{false, true} { // a policy that does nothing now may do so later
			err := s.ChangeLoadBalancer(context.Background(), lb.ID, func(c *store.Change) error {
				p := c.LB.L7Policy(second.ID)
				p.AdminStateUp = !off
				return errors.Join(c.Put(p), c.Delete(asParts(p.Rules)...), c.Delete(c.LB.Pools[0]))
			})
			if want := "Pool " + pool.ID + " is in use by L7 policy " + second.ID; !errors.Is(err, lbaas.Conflict) || err.Error() != want {
				t.Errorf("the deletion gives %v, want %s", err, want)
			}
		}
		change(t, s, lb.ID, func(c *store.Change) error { return c.Delete(c.LB.Pools[0], c.LB.L7Policy(second.ID)) })
		got := tree(t, s, lb.ID)
		if len(got.Pools) != 0 || got.Listeners[0].DefaultPoolID != "" || len(got.Listeners[0].L7Policies) != 1 {
			t.Errorf("%d pools, the default pool %q, %d policies", len(got.Pools), got.Listeners[0].DefaultPoolID, len(got.Listeners[0].L7Policies))
		}
	})
}

func asParts[P lbaas.Part](list []P) []lbaas.Part {
	parts := make([]lbaas.Part, len(list))
	for i, p := range list {
		parts[i] = p
	}
	return parts
}

// TestListenersOfPools compares what a pool says of its listeners with what the tree says.
func TestListenersOfPools(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		pool := &lbaas.Pool{Protocol: lbaas.HTTP, Object: lbaas.Object{AdminStateUp: true}}
		lb := create(t, s, &lbaas.LoadBalancer{Pools: []*lbaas.Pool{pool}})
		policy := func(on bool, rules int) *lbaas.L7Policy {
			p := &lbaas.L7Policy{Object: lbaas.Object{AdminStateUp: on}, Action: lbaas.RedirectToPool, RedirectPoolID: pool.ID}
			for range rules {
				p.Rules = append(p.Rules, &lbaas.L7Rule{})
			}
			return p
		}
		put := func(c *store.Change, port int, defaultPool string, policies ...*lbaas.L7Policy) error {
			l := &lbaas.Listener{Protocol: lbaas.HTTP, ProtocolPort: port, DefaultPoolID: defaultPool}
			if err := c.Put(l); err != nil {
				return err
			}
			for _, p := range policies {
				rules := p.Rules
				p.ListenerID = l.ID
				if err := c.Put(p); err != nil {
					return err
				}
				for _, r := range rules {
					r.L7PolicyID = p.ID
					if err := c.Put(r); err != nil {
						return err
					}
				}
			}
			return nil
		}
		change(t, s, lb.ID, func(c *store.Change) error {
			return errors.Join(
				put(c, 1, "", policy(true, 1), policy(true, 2)), put(c, 2, pool.ID), put(c, 3, "", policy(true, 0)),
				put(c, 4, "", policy(false, 1)), put(c, 5, pool.ID, policy(true, 1)), put(c, 6, "", policy(true, 2)), put(c, 7, "", policy(true, 1)))
		})
		change(t, s, lb.ID, func(c *store.Change) error {
			six, seven := c.LB.Listeners[5].L7Policies[0], c.LB.Listeners[6].L7Policies[0]
			return c.Delete(six.Rules[0], seven.Rules[0])
		})
		got, err := s.Pool(context.Background(), pool.ID)
		if err != nil {
			t.Fatal(err)
		}
		now := tree(t, s, lb.ID)
		var want []string
		var ports []int
		for _, l := range now.ListenersOf(pool.ID) {
			want, ports = append(want, l.ID), append(ports, l.ProtocolPort)
		}
		if diff := cmp.Diff(want, got.ListenerIDs); diff != "" {
			t.Errorf("the pool's listeners (-tree +pool):\n%s", diff)
		}
		if diff := cmp.Diff([]int{1, 2, 5, 6}, ports); diff != "" {
			t.Errorf("the tree's (-want +got):\n%s", diff)
		}
	})
}

// TestDeleteListenerTakesAll deletes a listener; what is below it goes, and only with it.
func TestDeleteListenerTakesAll(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb := create(t, s, fullTree())
		achieve(t, s, lb)
		rule := lb.Listeners[0].L7Policies[0].Rules[0]
		change(t, s, lb.ID, func(c *store.Change) error { return c.Delete(c.LB.Listeners[0]) })
		for name, status := range statuses(t, s, lb.ID) {
			want := lbaas.PendingDelete
			switch name {
			case "lb":
				want = lbaas.PendingUpdate
			case "pool", "monitor", "member 0", "member 1", "member 2":
				want = lbaas.Active
			}
			if status != want {
				t.Errorf("%s is %s, want %s", name, status, want)
			}
		}
		generation := tree(t, s, lb.ID).Progress.Generation
		err := s.Achieved(ctx, leaseOf(t, s, lb), lb.ID, generation, map[string]string{rule.ID: "it clings"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]lbaas.ProvisioningStatus{
			"lb": lbaas.Failed, "pool": lbaas.Active, "monitor": lbaas.Active, "member 0": lbaas.Active, "member 1": lbaas.Active, "member 2": lbaas.Active,
			"listener": lbaas.PendingDelete, "policy 1": lbaas.PendingDelete, "rule 1 a": lbaas.Failed,
		}
		wantStatuses(t, s, lb.ID, "while a rule clings", want)
		achieve(t, s, lb)
		for _, table := range []string{"listeners", "l7policies", "l7rules", "rate_limit_policies", "rate_limit_rules"} {
			if n := s.Rows(t, table, lb.ID); n != 0 {
				t.Errorf("%s has %d rows", table, n)
			}
		}
	})
}

func TestFailOver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		lb := create(t, s, bareTree())
		achieve(t, s, lb)
		change(t, s, lb.ID, func(c *store.Change) error { return c.FailOver() })
		got := tree(t, s, lb.ID)
		if got.FailedOver != 2 || got.Progress.Status() != lbaas.PendingUpdate {
			t.Errorf("a failover of generation %d is of generation %d, %s", got.Progress.Generation, got.FailedOver, got.Progress.Status())
		}
		change(t, s, lb.ID, func(c *store.Change) error { return c.Put(c.LB) })
		if again := tree(t, s, lb.ID); again.FailedOver != 2 {
			t.Errorf("another change makes it %d", again.FailedOver)
		}
	})
}
