package reconcile

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

var quick = backoff{first: time.Second, cap: 8 * time.Second}

// model is what a queue should be: the ready keys in order, without any of its machinery.
type model struct {
	fast, slow []string
	working    map[string]bool
	pausing    map[string]bool
}

func (m *model) ready(key string) bool {
	return slices.Contains(m.fast, key) || slices.Contains(m.slow, key)
}

func (m *model) busy(key string) bool {
	_, working := m.working[key]
	return m.ready(key) || working || m.pausing[key]
}

func (m *model) add(key string) {
	delete(m.pausing, key)
	if _, ok := m.working[key]; ok {
		m.working[key] = true
		return
	}
	m.slow = slices.DeleteFunc(m.slow, func(k string) bool { return k == key })
	if !slices.Contains(m.fast, key) {
		m.fast = append(m.fast, key)
	}
}

func (m *model) take() string {
	from := &m.fast
	if len(m.fast) == 0 {
		from = &m.slow
	}
	key := (*from)[0]
	*from = (*from)[1:]
	m.working[key] = false
	return key
}

func (m *model) end(key string, failed bool) {
	again := m.working[key]
	delete(m.working, key)
	switch {
	case again:
		m.fast = append(m.fast, key)
	case failed:
		m.pausing[key] = true
	}
}

func (m *model) someWorking(t *rapid.T) (string, bool) {
	if len(m.working) == 0 {
		return "", false
	}
	var keys []string
	for k := range m.working {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return rapid.SampledFrom(keys).Draw(t, "working"), true
}

// TestQueueModel plays random moves on a queue and on its model.
func TestQueueModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue(backoff{first: time.Hour, cap: time.Hour})
		defer q.Close()
		m := &model{working: map[string]bool{}, pausing: map[string]bool{}}
		key := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				k := key.Draw(t, "key")
				q.Add(k)
				m.add(k)
			},
			"offer": func(t *rapid.T) {
				k := key.Draw(t, "key")
				want := !m.busy(k)
				if got := q.Offer(k); got != want {
					t.Fatalf("Offer(%s) = %v, want %v", k, got, want)
				}
				if want {
					m.slow = append(m.slow, k)
				}
			},
			"offer after": func(t *rapid.T) {
				k := key.Draw(t, "key")
				want := !m.busy(k)
				if got := q.OfferAfter(k, time.Hour); got != want {
					t.Fatalf("OfferAfter(%s) = %v, want %v", k, got, want)
				}
				if want {
					m.pausing[k] = true
				}
			},
			"get": func(t *rapid.T) {
				if len(m.fast)+len(m.slow) == 0 {
					return // it would wait
				}
				want := m.take()
				if got, ok := q.Get(); got != want || !ok {
					t.Fatalf("Get() = %q, %v, want %q", got, ok, want)
				}
			},
			"done": func(t *rapid.T) {
				if k, ok := m.someWorking(t); ok {
					q.Done(k)
					m.end(k, false)
				}
			},
			"retry": func(t *rapid.T) {
				if k, ok := m.someWorking(t); ok {
					q.Retry(k)
					m.end(k, true)
				}
			},
			"": func(t *rapid.T) {
				for _, k := range []string{"a", "b", "c", "d"} {
					q.mu.Lock()
					got := q.busy(k)
					q.mu.Unlock()
					if got != m.busy(k) {
						t.Fatalf("busy(%s) = %v, want %v", k, got, m.busy(k))
					}
				}
			},
		})
	})
}

func TestAddIsGotWithoutATimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(quick)
		start := time.Now()
		got := make(chan string)
		go func() { k, _ := q.Get(); got <- k }()
		synctest.Wait() // the worker stands in Get
		q.Add("a")
		if k := <-got; k != "a" || !time.Now().Equal(start) {
			t.Errorf("Get gave %q after %v, want \"a\" at once", k, time.Since(start))
		}
	})
}

func TestRetryPausesLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(quick)
		q.Add("a")
		for i, limit := range []time.Duration{1, 2, 4, 8, 8} {
			k, _ := q.Get()
			q.Retry(k)
			start := time.Now()
			k, _ = q.Get()
			if d := time.Since(start); d < limit*time.Second/2 || d > limit*time.Second {
				t.Errorf("pause %d was %v, want between half and all of %v", i, d, limit*time.Second)
			}
			q.mu.Lock()
			q.end(k) // as if nothing had happened: the count of failures stays
			q.mu.Unlock()
			q.Add(k)
		}
	})
}

func TestDoneForgetsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(quick)
		for range 5 {
			q.Add("a")
			k, _ := q.Get()
			q.Retry(k)
		}
		q.Add("a")
		k, _ := q.Get()
		q.Done(k)
		q.Add("a")
		k, _ = q.Get()
		q.Retry(k)
		start := time.Now()
		q.Get()
		if d := time.Since(start); d > time.Second {
			t.Errorf("the first pause after a success was %v, want a second at most", d)
		}
	})
}

func TestAddEndsAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(quick)
		q.Add("a")
		k, _ := q.Get()
		q.Retry(k)
		start := time.Now()
		q.Add("a")
		q.Get()
		if d := time.Since(start); d != 0 {
			t.Errorf("Get gave the key after %v, want at once", d)
		}
		q.Done("a")
		time.Sleep(time.Minute) // the old timer fires into nothing
		if !q.Offer("a") {
			t.Error("the key is still busy after its work")
		}
		q.Close()
	})
}

func TestCloseEndsGetAndTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(quick)
		q.Add("a")
		q.Get()
		q.Add("b")
		ended := make(chan bool)
		q.OfferAfter("c", time.Second)
		q.Close()
		go func() { _, ok := q.Get(); ended <- ok }()
		if <-ended {
			t.Error("Get gave a key after Close")
		}
		q.Retry("a")
		q.Add("d")
		time.Sleep(time.Minute)
		if _, ok := q.Get(); ok {
			t.Error("Get gave a key after Close")
		}
	})
}

// TestQueueUnderRace lets many add and many work: no key is in two hands, and each Add is followed by work on its key.
func TestQueueUnderRace(t *testing.T) {
	q := newQueue(backoff{first: time.Microsecond, cap: time.Millisecond})
	const keys, adders, rounds = 10, 8, 200
	var wanted, done [keys]atomic.Int64
	var inHand [keys]atomic.Int32
	var workers, adds sync.WaitGroup
	for w := range 6 {
		workers.Go(func() {
			for n := 0; ; n++ {
				key, ok := q.Get()
				if !ok {
					return
				}
				var i int
				fmt.Sscan(key, &i)
				if inHand[i].Add(1) != 1 {
					t.Errorf("two workers have %s", key)
				}
				done[i].Store(wanted[i].Load())
				inHand[i].Add(-1)
				if (n+w)%5 == 0 {
					q.Retry(key)
				} else {
					q.Done(key)
				}
			}
		})
	}
	for range adders {
		adds.Go(func() {
			for r := range rounds {
				i := r % keys
				wanted[i].Add(1)
				q.Add(fmt.Sprint(i))
			}
		})
	}
	adds.Wait()
	settle(t, func() bool {
		for i := range keys {
			if done[i].Load() != wanted[i].Load() {
				return false
			}
		}
		return true
	})
	q.Close()
	workers.Wait()
}

// settle waits until something holds that loops bring about.
func settle(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatal("it did not settle")
}
