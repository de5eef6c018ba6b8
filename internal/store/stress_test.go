package store_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// TestAllAtOnce lets requests change three load balancers while the loop records what it achieves and observes. Nobody may see an
// error, and in the end everything is true.
func TestAllAtOnce(t *testing.T) { storetest.Pair(t, allAtOnce) }

func allAtOnce(t *testing.T, a, b *store.Store) {
	var lbs []*lbaas.LoadBalancer
	for range 3 {
		lb := fullTree()
		lb.Host = "h"
		lbs = append(lbs, create(t, a, lb))
	}
	lease := leaseOf(t, a, lbs[0])
	b.CatchUp(t)
	done := make(chan struct{})
	var loops sync.WaitGroup
	for _, lb := range lbs {
		loops.Go(func() { applyUntil(t, a, lease, lb, done) })
	}
	loops.Go(func() { observeUntil(t, a, lease, lbs, done) })
	var made atomic.Int64
	atOnce(t, 6, func(i int) error {
		s := []*store.Store{a, b}[i%2]
		for range 15 {
			if err := s.ChangeLoadBalancer(context.Background(), lbs[i%3].ID, churn); err != nil {
				return err
			}
			made.Add(1)
		}
		return nil
	})
	close(done)
	loops.Wait()
	a.CatchUp(t)
	var generations int64
	for _, lb := range lbs {
		achieve(t, a, lb)
		got := tree(t, a, lb.ID)
		generations += got.Progress.Generation
		for _, part := range got.Parts() {
			if part.Base().Progress.Status() != lbaas.Active {
				t.Errorf("in the end a %s has come to %+v", part.Noun(), part.Base().Progress)
			}
		}
	}
	if generations != made.Load()+3 {
		t.Errorf("%d changes have led to generation %d", made.Load(), generations)
	}
}

// TestOutrunTransactionsStartAnew has a Galera cluster take a transaction back while a row is read in it. Not a part of it is kept, and
// it is not taken for committed.
func TestOutrunTransactionsStartAnew(t *testing.T) {
	storetest.Galera(t, func(t *testing.T, a, b *store.Store) {
		lb := create(t, a, fullTree())
		b.CatchUp(t)
		began := a.Outrun(t, lb.ID, func() {
			if err := b.ChangeLoadBalancer(context.Background(), lb.ID, churn); err != nil {
				t.Error(err)
			}
		})
		if got := tree(t, a, lb.ID).Progress.Generation; began != 2 || got != 4 {
			t.Errorf("began %d times, and %d changes have led to generation %d", began, 3, got)
		}
	})
}

// churn replaces a member and touches what is around it.
func churn(c *store.Change) error {
	pool := c.LB.Pools[0]
	m := pool.Members[rand.IntN(len(pool.Members))]
	again := *m
	again.Object = lbaas.Object{Name: m.Name}
	return errors.Join(c.Delete(m), c.Put(&again, pool.Members[0]), c.Touch(pool, c.LB.Listeners[0]))
}

func applyUntil(t *testing.T, s *store.Store, lease store.Lease, lb *lbaas.LoadBalancer, done chan struct{}) {
	ctx := context.Background()
	for {
		now, err := s.Tree(ctx, lb.ID)
		if err == nil {
			err = s.Achieved(ctx, lease, lb.ID, now.Progress.Generation, map[string]string{now.Pools[0].Members[0].ID: "no"}, nil)
		}
		if err == nil {
			err = s.Failing(ctx, lease, lb.ID, now.Progress.Generation, "no", true)
		}
		if err != nil {
			t.Errorf("the loop: %v", err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

func observeUntil(t *testing.T, s *store.Store, lease store.Lease, lbs []*lbaas.LoadBalancer, done chan struct{}) {
	ctx := context.Background()
	for i := int64(0); ; i++ {
		seen := map[string]store.Seen{}
		for _, lb := range lbs {
			now, err := s.Tree(ctx, lb.ID)
			if err != nil {
				t.Errorf("the observer reads: %v", err)
				return
			}
			one := store.Seen{Operating: map[string]lbaas.OperatingStatus{}, Statistics: map[string]lbaas.Statistics{now.Listeners[0].ID: {BytesIn: i}}}
			for _, part := range now.Parts() {
				one.Operating[part.Base().ID] = []lbaas.OperatingStatus{lbaas.Online, lbaas.Broken}[rand.IntN(2)]
			}
			seen[lb.ID] = one
		}
		if err := s.Observe(ctx, lease, seen); err != nil {
			t.Errorf("the observer writes: %v", err)
		}
		if ok, err := s.RenewLease(ctx, lease, time.Minute); err != nil || !ok {
			t.Errorf("the lease: %v, %v", ok, err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
