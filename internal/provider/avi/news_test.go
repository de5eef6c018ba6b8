package avi

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// slowNews are news that take as long as they say, count how often they are asked for, and fail when told to.
type slowNews struct {
	news[int]
	takes time.Duration
	fails error
	asked int
	group sync.WaitGroup
}

func newSlowNews(takes time.Duration) *slowNews {
	n := &slowNews{takes: takes}
	n.start = func(work func()) bool { n.group.Go(work); return true }
	n.ask = func(int, time.Time) (int, error) {
		n.asked++
		answer := n.asked
		time.Sleep(n.takes)
		return answer, n.fails
	}
	return n
}

// TestNewsOutlastWhoAsks has somebody in a hurry begin what others then need.
func TestNewsOutlastWhoAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newSlowNews(10 * time.Second)
		hasty, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, err := n.since(hasty, time.Now(), time.Time{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("in a hurry: %v", err)
		}
		began := time.Now()
		for range 8 {
			n.group.Go(func() {
				if v, err := n.since(t.Context(), time.Now(), time.Time{}); v != 1 || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
			})
		}
		n.group.Wait()
		if n.asked != 1 || time.Since(began) != 8*time.Second {
			t.Errorf("asked %d times, waited %v", n.asked, time.Since(began))
		}
	})
}

// TestNewsAfterAnApply shows that an answer is of no use to who changed something after it was asked for.
func TestNewsAfterAnApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newSlowNews(time.Second)
		n.group.Go(func() { _, _ = n.since(t.Context(), time.Now(), time.Time{}) })
		time.Sleep(time.Second / 2)
		changed := time.Now()
		if v, err := n.since(t.Context(), changed, changed); v != 2 || err != nil {
			t.Errorf("got %d, %v; the first was asked before the change", v, err)
		}
		if v, err := n.since(t.Context(), changed, changed); v != 2 || err != nil {
			t.Errorf("got %d, %v while it is fresh", v, err)
		}
	})
}

// TestNewsLately shows how long it is waited for where there is something older, and that failures keep their pace.
func TestNewsLately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newSlowNews(10 * time.Second)
		look := func(name string, want int, known bool, fails error, waits time.Duration) {
			t.Helper()
			began := time.Now()
			v, k, err := n.lately(t.Context(), time.Now().Add(-time.Minute), 3*time.Second)
			if v != want || k != known || !errors.Is(err, fails) || time.Since(began) != waits {
				t.Errorf("%s: %d, %v, %v after %v", name, v, k, err, time.Since(began))
			}
		}
		look("nothing yet", 0, false, nil, 3*time.Second)
		look("still under way", 0, false, nil, 0)
		time.Sleep(8 * time.Second)
		look("there", 1, true, nil, 0)
		time.Sleep(2 * time.Minute)
		n.takes, n.fails = time.Second, errors.New("no")
		look("fails", 1, true, n.fails, time.Second)
		time.Sleep(30 * time.Second)
		look("is not asked for again so soon", 1, true, n.fails, 0)
		time.Sleep(time.Minute)
		n.fails = nil
		look("well again", 3, true, nil, time.Second)
		n.start = func(func()) bool { return false }
		if _, err := n.since(t.Context(), time.Now().Add(time.Second), time.Time{}); !errors.Is(err, errEnded) {
			t.Errorf("at the end: %v", err)
		}
	})
}
