package linux

import (
	"context"
	"testing"
	"time"
)

func TestWatchLinks(t *testing.T) {
	h := testHost(t)
	ns, p := ensureNamespace(t, h), testPort()
	ensurePort(t, h, ns, p, true)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	ready, broken, done := make(chan struct{}), make(chan struct{}, 16), make(chan error, 1)
	go func() {
		done <- WatchLinks(ctx, func() { close(ready) }, func(e LinkEvent) {
			if e.Port == eleven(p.ID) && e.Broken {
				broken <- struct{}{}
			}
		})
	}()
	<-ready
	inside(t, ns, "ip", "link", "set", TapName(p.ID), "down")
	select {
	case <-broken:
	case <-ctx.Done():
		t.Error("no event of the link that went down")
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("WatchLinks: %v", err)
	}
}
