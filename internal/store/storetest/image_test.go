package storetest

import (
	"context"
	"strings"
	"testing"

	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// An image finds what was changed, and puts it back.
func TestImage(t *testing.T) {
	connection := Connection(t, store.SQLite)
	s := Reopen(t, connection)
	lb := &lbaas.LoadBalancer{Object: lbaas.Object{ProjectID: "p", Name: "before"}}
	if err := s.CreateLoadBalancer(context.Background(), lb); err != nil {
		t.Fatal(err)
	}
	i := TakeImage(t, connection)
	if diff := i.Diff(t); diff != "" {
		t.Errorf("at first there is a difference: %s", diff)
	}
	for range 2 {
		before := i.Committed(t)
		err := s.ChangeLoadBalancer(context.Background(), lb.ID, func(c *store.Change) error {
			c.LB.Name = "after"
			return c.Put(c.LB, &lbaas.Pool{Protocol: lbaas.HTTP})
		})
		if err != nil {
			t.Fatal(err)
		}
		if i.Committed(t) == before {
			t.Error("a change is not seen to be committed")
		}
		for range 2 {
			if diff := i.Diff(t); !strings.Contains(diff, "name='after'") || !strings.Contains(diff, "+ pools") {
				t.Errorf("a change makes the difference %q", diff)
			}
		}
		i.Restore(t)
		if diff := i.Diff(t); diff != "" {
			t.Errorf("after it is put back there is a difference: %s", diff)
		}
		if got, err := s.Tree(context.Background(), lb.ID); err != nil || got.Name != "before" || len(got.Pools) != 0 {
			t.Errorf("what was put back is %+v, %v", got, err)
		}
	}
}
