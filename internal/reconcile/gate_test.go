package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plimsoll/internal/provider"
	"plimsoll/lbaas"
)

// stuck is a provider that answers nothing until whoever asks has lost patience.
type stuck struct {
	mu    sync.Mutex
	now   int // Applies and Removes
	most  int
	calls []string
}

func (s *stuck) hang(ctx context.Context, id string) error {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	s.calls = append(s.calls, id)
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	return ctx.Err()
}

func (s *stuck) Apply(ctx context.Context, lb *lbaas.LoadBalancer) (provider.Result, error) {
	return provider.Result{}, s.hang(ctx, lb.ID)
}

func (s *stuck) Remove(ctx context.Context, lb *lbaas.LoadBalancer) error { return s.hang(ctx, lb.ID) }

func (s *stuck) Observe(ctx context.Context, _ []*lbaas.LoadBalancer) (map[string]provider.Observation, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s *stuck) Watch(ctx context.Context, _ func(string)) error { <-ctx.Done(); return nil }

// createOf makes a load balancer of another provider than the fake one.
func (s *fakeStore) createOf(name, id string, deleted bool) {
	lb := &lbaas.LoadBalancer{Object: lbaas.Object{ID: id, AdminStateUp: true}, Provider: name, Host: "h"}
	lb.Progress.Generation, lb.Progress.Deleted = 1, deleted
	s.mu.Lock()
	s.lbs[id] = &fakeRow{lb: lb, pending: time.Now()}
	s.mu.Unlock()
	s.hint(id)
}

// among runs a loop of a provider that works and so many load balancers of one that does not, and tells when the good provider's Applies
// began, as a time since the start. A load balancer is made at each of the times.
func among(t *testing.T, stucks int, takes time.Duration, at []time.Duration) (starts []time.Duration, most int) {
	synctest.Test(t, func(t *testing.T) {
		s := &stuck{}
		b := start(t, func(b *bench, c *Config) {
			c.Workers, c.Providers["stuck"], b.provider.takes = 3, s, takes
		})
		defer b.end()
		for i := range stucks {
			b.store.createOf("stuck", fmt.Sprint("stuck-", i), i%3 == 0)
		}
		synctest.Wait()
		began := time.Now()
		for i, after := range at {
			time.Sleep(time.Until(began.Add(after)))
			b.store.create(fmt.Sprint("lb-", i))
		}
		time.Sleep(time.Duration(len(at)+1) * takes)
		for i := range at {
			b.is(fmt.Sprint("lb-", i), lbaas.Active)
		}
		for _, at := range b.provider.starts {
			starts = append(starts, at.Sub(began))
		}
		most = s.most
	})
	return starts, most
}

// TestAStuckProviderIsNotNoticedByOthers: the load balancers of a good provider are worked on at the same times whether or not there is
// one beside it that hangs in all calls, however many it has to do.
func TestAStuckProviderIsNotNoticedByOthers(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		takes := time.Duration(rapid.IntRange(1, 3000).Draw(r, "an Apply takes")) * time.Millisecond
		var at []time.Duration
		for _, ms := range rapid.SliceOfN(rapid.IntRange(0, 60_000), 1, 30).Draw(r, "made at") {
			at = append(at, time.Duration(ms)*time.Millisecond)
		}
		slices.Sort(at)
		want, _ := among(t, 0, takes, at)
		got, most := among(t, rapid.IntRange(1, 50).Draw(r, "stuck"), takes, at)
		if diff := cmp.Diff(want, got); diff != "" {
			r.Errorf("starts of Applies (-alone +beside one that is stuck):\n%s", diff)
		}
		if most > 3 {
			r.Errorf("%d calls to the one that is stuck at the same time, want 3 at most", most)
		}
	})
}

// TestWhatFindsNoRoomWaitsInOrder: load balancers of a provider that has no room keep their order, lose no change, and are no failures.
func TestWhatFindsNoRoomWaitsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(b *bench, c *Config) {
			c.Workers, c.Providers["other"], b.provider.takes = 1, &stuck{}, time.Second
		})
		defer b.end()
		for i := range 4 {
			b.store.create(fmt.Sprint("lb-", i))
			synctest.Wait()
		}
		b.store.change("lb-2", func(*lbaas.LoadBalancer) {}) // while it waits
		time.Sleep(3500 * time.Millisecond)
		b.is("lb-3", lbaas.PendingCreate)
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		want := []string{"achieved lb-0 1", "achieved lb-1 1", "achieved lb-2 2", "achieved lb-3 1"}
		if diff := cmp.Diff(want, b.store.written()); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
		time.Sleep(time.Minute)
		if n := b.provider.count(); n != 4 {
			t.Errorf("%d Applies, want 4", n)
		}
	})
}

// TestWhatWaitsIsReadTwiceAtMost: a load balancer that waits for room is not read again and again.
func TestWhatWaitsIsReadTwiceAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := map[string]int{}
		var mu sync.Mutex
		b := start(t, func(b *bench, c *Config) {
			c.Workers, c.Providers["other"], b.provider.takes = 1, &stuck{}, 10*time.Second
			b.store.read = func(id string) { mu.Lock(); defer mu.Unlock(); reads[id]++ }
		})
		defer b.end()
		for i := range 5 {
			b.store.create(fmt.Sprint("lb-", i))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		for id, n := range reads {
			if n > 2 {
				t.Errorf("%s was read %d times, want 2 at most", id, n)
			}
		}
		if len(reads) != 5 {
			t.Errorf("%d load balancers were read, want 5", len(reads))
		}
	})
}

// TestAProviderThatFailsKeepsItsRoom: what fails, vanishes or needs nothing leaves its room to others.
func TestAProviderThatFailsKeepsItsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(_ *bench, c *Config) { c.Workers = 1 })
		defer b.end()
		b.provider.answer(errors.New("no"))
		for i := range 5 {
			b.store.create(fmt.Sprint("lb-", i))
		}
		time.Sleep(5 * time.Second)
		b.store.hint("nobody")
		b.provider.answer(nil)
		time.Sleep(20 * time.Second)
		for i := range 5 {
			b.is(fmt.Sprint("lb-", i), lbaas.Active)
			b.store.hint(fmt.Sprint("lb-", i))
		}
		b.store.create("last")
		b.is("last", lbaas.Active)
	})
}
