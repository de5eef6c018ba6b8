package reconcile

import (
	"context"
	"time"
)

// rewatch watches until ctx ends: when the connection is lost it comes back after a pause, which is short again once
// watch called alive.
func rewatch(ctx context.Context, watch func(alive func()) error) error {
	wait := backoff{first: 100 * time.Millisecond, cap: 5 * time.Second}
	for failures := 1; ; failures++ {
		_ = watch(func() { failures = 1 }) // that it ended is all there is to know: audits do without events
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait.pause(failures)):
		}
	}
}
