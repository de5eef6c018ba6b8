package reconcile

import (
	"math/rand/v2"
	"time"
)

// backoff says how long to wait before the next try: twice as long each time, up to a cap, less up to half of it by
// chance so that what failed together does not come back together.
type backoff struct {
	first time.Duration
	cap   time.Duration
}

// pause returns the wait after the given number of failures, which counts from 1.
func (b backoff) pause(failures int) time.Duration {
	d := b.first
	for i := 1; i < failures && d < b.cap; i++ {
		d *= 2
	}
	d = min(d, b.cap)
	if d <= 1 {
		return d
	}
	return d - rand.N(d/2)
}

// jittered returns a span around d, a tenth more or less, so that many loops do not beat in time.
func jittered(d time.Duration) time.Duration {
	if d < 10 {
		return d
	}
	return d - d/10 + rand.N(d/5)
}
