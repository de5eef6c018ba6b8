package avi

import (
	"context"
	"errors"
	"sync"
	"testing"
)

// TestLocks: one at a time works on a name, those on others go on; who has no time left does not wait; nothing is left in the end.
func TestLocks(t *testing.T) {
	var l locks
	first, err := l.lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.lock(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	other()
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, err := l.lock(ctx, "a")
		gaveUp <- err
	}()
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("lock: %v", err)
	}
	var group sync.WaitGroup
	n := 0
	for range 20 {
		group.Go(func() {
			unlock, err := l.lock(t.Context(), "a")
			if err != nil {
				t.Error(err)
				return
			}
			defer unlock()
			n++
		})
	}
	first()
	group.Wait()
	if n != 20 || len(l.held) != 0 {
		t.Errorf("%d had their turn, %d locks are held", n, len(l.held))
	}
}
