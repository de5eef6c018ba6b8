package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/engine/enginepb"
)

// asked is a schedule that notes who is asked when, in a bubble of time.
type asked struct {
	*schedule
	began   time.Time
	at      map[string][]time.Duration
	results int
	most    int // under way at once
	now     int
	takes   time.Duration
}

func newAsked(t *testing.T) *asked {
	a := &asked{schedule: newSchedule(), began: time.Now(), at: map[string][]time.Duration{}}
	a.ask = func(ctx context.Context, _ string, _ *enginepb.Check, p *enginepb.Probe) error {
		a.mu.Lock()
		a.at[p.MemberId] = append(a.at[p.MemberId], time.Since(a.began))
		a.now++
		a.most = max(a.most, a.now)
		takes := a.takes
		a.mu.Unlock()
		select {
		case <-time.After(takes):
		case <-ctx.Done():
		}
		a.mu.Lock()
		a.now--
		a.mu.Unlock()
		return errors.New("it is not well")
	}
	a.result = func(*balancer, *task, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.results++
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return a
}

func checkOf(delay int32, members ...string) []*enginepb.Check {
	c := &enginepb.Check{PoolId: "p", DelaySeconds: delay, TimeoutSeconds: 1, Rise: 1, Fall: 1}
	for _, m := range members {
		c.Probes = append(c.Probes, &enginepb.Probe{MemberId: m, Address: "10.0.0.1", Port: 80})
	}
	return []*enginepb.Check{c}
}

// slow makes answers take a while.
func (a *asked) slow(takes time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.takes = takes
}

// pass lets time pass, until nothing is left to do then.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// pauses are the times between the questions to a member.
func (a *asked) pauses(member string) []time.Duration {
	var all []time.Duration
	for i, at := range a.at[member] {
		if i > 0 {
			all = append(all, at-a.at[member][i-1])
		}
	}
	return all
}

// TestSchedulePace shows that a member is asked once a delay, for the first time within it and within three seconds, and that a question that
// takes longer than the delay is followed by the next at once, never by two.
func TestSchedulePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsked(t)
		b := &balancer{id: "b"}
		a.follow(b, checkOf(10, "x", "y"))
		pass(45 * time.Second)
		for _, m := range []string{"x", "y"} {
			pauses := a.pauses(m)
			if len(pauses) < 4 || slices.ContainsFunc(pauses, func(p time.Duration) bool { return p != 10*time.Second }) {
				t.Errorf("%s is asked after %v", m, pauses)
			}
			if first := a.at[m][0]; first > mostSpread {
				t.Errorf("%s is first asked after %v", m, first)
			}
		}
		a.slow(25 * time.Second)
		a.follow(b, nil)
		a.follow(b, checkOf(10, "z"))
		pass(90 * time.Second)
		if pauses := a.pauses("z"); len(pauses) < 2 || slices.ContainsFunc(pauses, func(p time.Duration) bool { return p != 25*time.Second }) {
			t.Errorf("a slow one is asked after %v", pauses)
		}
	})
}

// TestScheduleFollows shows that members that stay as they are keep their turn, and that nothing comes of one that is gone.
func TestScheduleFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsked(t)
		b := &balancer{id: "b"}
		a.follow(b, checkOf(4, "x", "y"))
		for range 20 { // faster than the delay: a change must not put a check off for good
			pass(1100 * time.Millisecond)
			a.follow(b, checkOf(4, "x", "new"))
		}
		if pauses := a.pauses("x"); len(pauses) < 4 || slices.ContainsFunc(pauses, func(p time.Duration) bool { return p != 4*time.Second }) {
			t.Errorf("x is asked after %v", pauses)
		}
		if n := len(a.at["y"]); n > 1 {
			t.Errorf("y is asked %d times", n)
		}
		elsewhere := checkOf(4, "x", "new")
		elsewhere[0].Probes[0].Port = 81
		if diff := cmp.Diff([]string{"x"}, a.follow(b, elsewhere)); diff != "" {
			t.Errorf("moved (-want +got):\n%s", diff)
		}
		a.slow(time.Second)
		pass(3500 * time.Millisecond)
		a.follow(b, nil)
		before := a.results
		pass(time.Minute)
		if a.results != before || a.due.Len() > 0 || a.running > 0 {
			t.Errorf("%d results of who is gone, %d due, %d under way", a.results-before, a.due.Len(), a.running)
		}
	})
}

// TestScheduleStops shows that a check of who is gone ends at once: its socket would keep the namespace of a removed load balancer.
func TestScheduleStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsked(t)
		a.slow(24 * time.Hour)
		b := &balancer{id: "b"}
		a.follow(b, checkOf(4, "x", "y"))
		pass(10 * time.Second)
		a.follow(b, checkOf(4, "y"))
		pass(0)
		if a.now != 1 || a.running != 1 {
			t.Errorf("%d are asked, %d places are taken, want 1", a.now, a.running)
		}
		a.follow(b, nil)
		pass(0)
		if a.now != 0 || a.running != 0 || a.results != 0 {
			t.Errorf("%d are asked, %d places are taken, %d results, want none", a.now, a.running, a.results)
		}
	})
}

// TestScheduleIsBounded has more members that do not answer than can be asked at once: neither they nor those of another load balancer
// are forgotten.
func TestScheduleIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsked(t)
		a.slow(10 * time.Second)
		var many []string
		for i := range 3 * mostOfOne {
			many = append(many, fmt.Sprint(i))
		}
		a.follow(&balancer{id: "greedy"}, checkOf(1, many...))
		pass(5 * time.Second)
		a.follow(&balancer{id: "modest"}, checkOf(20, "modest"))
		pass(2 * time.Minute)
		if a.most > mostOfOne+1 {
			t.Errorf("%d are asked at once", a.most)
		}
		if pauses := a.pauses("modest"); slices.ContainsFunc(pauses, func(p time.Duration) bool { return p != 20*time.Second }) {
			t.Errorf("the modest one is asked after %v", pauses)
		}
		for _, m := range many {
			if n := len(a.at[m]); n < 3 {
				t.Fatalf("%s is asked %d times in two minutes", m, n)
			}
		}
	})
}

// TestScheduleForgets changes members for whom there is no place again and again: nothing is kept of those that are gone.
func TestScheduleForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsked(t)
		a.slow(24 * time.Hour)
		b := &balancer{id: "b"}
		var many []string
		for i := range mostOfOne {
			many = append(many, fmt.Sprint(i))
		}
		for i := range 10 {
			a.follow(b, append(checkOf(1, many...), checkOf(5, fmt.Sprint("late-", i))...))
			pass(10 * time.Second)
		}
		if n := len(b.lane.waiting); n != 1 {
			t.Errorf("%d wait, want 1", n)
		}
	})
}

// TestScheduleIsFair has more load balancers full of members that do not answer for a day than there are places: the members of others are
// asked in time, and once the greedy are gone all places are free.
func TestScheduleIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsked(t)
		a.slow(24 * time.Hour)
		var greedy []*balancer
		for n := range 2 * mostChecks / mostOfOne {
			var many []string
			for i := range 2 * mostOfOne {
				many = append(many, fmt.Sprint(n, "-", i))
			}
			greedy = append(greedy, &balancer{id: fmt.Sprint(n)})
			a.follow(greedy[n], checkOf(1, many...))
		}
		pass(10 * time.Second)
		a.slow(0)
		a.follow(&balancer{id: "modest"}, checkOf(10, "x", "y"))
		pass(time.Minute)
		for _, m := range []string{"x", "y"} {
			if n := len(a.at[m]); n < 5 {
				t.Errorf("%s is asked %d times in a minute", m, n)
			}
		}
		for _, b := range greedy {
			if b.lane.running == 0 {
				t.Errorf("nobody of %s is asked", b.id)
			}
			a.follow(b, nil)
		}
		pass(time.Second)
		if a.running != 0 {
			t.Errorf("%d places are taken by nobody", a.running)
		}
	})
}
