package reconcile

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"plimsoll/internal/provider"
	"plimsoll/lbaas"
)

// restless is a provider of which one load balancer turns whenever it was looked at. A look takes a second.
type restless struct {
	*fakeProvider

	mu   sync.Mutex
	seen map[string]int
}

func (p *restless) Observe(ctx context.Context, lbs []*lbaas.LoadBalancer) (map[string]provider.Observation, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Second):
	}
	p.mu.Lock()
	for _, lb := range lbs {
		p.seen[lb.ID]++
	}
	p.mu.Unlock()
	select {
	case p.events <- "0":
	case <-ctx.Done():
	}
	return p.fakeProvider.Observe(ctx, lbs)
}

// TestOneThatTurnsAllTheTime shows that the others are looked at none the less, and all of them, though audits have all looked at before
// one look at all is at its end.
func TestOneThatTurnsAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *restless
		b := start(t, func(b *bench, c *Config) {
			p = &restless{fakeProvider: b.provider, seen: map[string]int{}}
			c.Providers = map[string]provider.Provider{"fake": p}
			c.ObserveAtOnce, c.AuditEvery = 1, 10*time.Second
		})
		const n = 50
		for i := range n {
			b.store.create(fmt.Sprint(i))
		}
		time.Sleep(3 * n * time.Second) // those that were just made come first
		p.mu.Lock()
		clear(p.seen)
		p.mu.Unlock()
		time.Sleep(6 * n * time.Second)
		b.end()
		for i := range n {
			if p.seen[fmt.Sprint(i)] == 0 {
				t.Errorf("load balancer %d was not looked at", i)
			}
		}
	})
}
