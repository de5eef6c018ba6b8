package avi

import (
	"context"
	"errors"
	"sync"
	"time"
)

// news is something that is asked for again when it is too old. Who comes while it is asked for waits for the same answer. The asking
// does not hang on who began it, so that one caller's haste costs the others nothing; and nobody holds a lock while he waits.
type news[T any] struct {
	start func(work func()) bool                // has work done beside; false is that it is too late for any
	ask   func(last T, at time.Time) (T, error) // in the light of what was answered last

	mu    sync.Mutex
	last  T
	began time.Time // when that was asked for; zero is that there is nothing yet
	tried time.Time // when it was last asked for, whatever came of it
	err   error     // that came of it
	under *asking[T]
}

// asking is a question that is under way.
type asking[T any] struct {
	began time.Time
	done  chan struct{}
	value T
	err   error
}

// errEnded is the answer once a provider is closed.
var errEnded = errors.New("the provider is closed")

// since returns what was asked for at fresh or later. What is being asked for is good where that began at valid or later.
func (n *news[T]) since(ctx context.Context, fresh, valid time.Time) (T, error) {
	for {
		last, a := n.join(fresh, true)
		if a == nil {
			return last, nil
		}
		select {
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		case <-a.done:
		}
		if a.err != nil || !a.began.Before(valid) {
			return a.value, a.err
		}
	}
}

// lately is since for who can do with something older, or with nothing (known is false then): he waits for a while only. After a failure,
// which is told as long as it lasts, it is not asked for again before its time.
func (n *news[T]) lately(ctx context.Context, fresh time.Time, patience time.Duration) (v T, known bool, err error) {
	if _, a := n.join(fresh, false); a != nil {
		enough := time.NewTimer(patience - time.Since(a.began))
		defer enough.Stop()
		select {
		case <-ctx.Done():
		case <-enough.C:
		case <-a.done:
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last, !n.began.IsZero(), n.err
}

// now is what is known, if anything is.
func (n *news[T]) now() (v T, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last, !n.began.IsZero()
}

// asked is when what is known was asked for; zero is that nothing is known.
func (n *news[T]) asked() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.began
}

// join returns what is known, where that is fresh, or the question that is under way. Where there is none it begins to ask, but again
// after a failure only if it is told to.
func (n *news[T]) join(fresh time.Time, again bool) (last T, a *asking[T]) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case !n.began.IsZero() && !n.began.Before(fresh):
		return n.last, nil
	case n.under != nil:
		return n.last, n.under
	case !again && !n.tried.IsZero() && !n.tried.Before(fresh):
		return n.last, nil
	}
	a = &asking[T]{began: time.Now(), done: make(chan struct{})}
	last, n.tried = n.last, a.began
	if !n.start(func() { n.fly(a, last) }) {
		a.err = errEnded
		close(a.done)
		return last, a
	}
	n.under = a
	return last, a
}

// fly asks, and keeps what is answered.
func (n *news[T]) fly(a *asking[T], last T) {
	a.value, a.err = n.ask(last, a.began)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.under, n.err = nil, a.err
	if a.err == nil {
		n.last, n.began = a.value, a.began
	}
	close(a.done)
}
