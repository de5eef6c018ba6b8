package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/linux"
)

const (
	// pollPause lies between two looks at all servers' health, pollMost where there are so many that a look takes long.
	pollPause, pollMost = time.Second, 5 * time.Second
	// savePause lies between two stores of all counters, which bound what is lost when host or engine and HAProxy end.
	savePause = time.Minute
	// retryPause lies between two tries of what failed.
	retryPause = time.Second
)

// pace is the pause behind a look that took so long. Looks at a thousand load balancers must not keep a core busy: they
// cost a twenty-fifth of one, unless that would make the pause longer than most.
func pace(least, took, most time.Duration) time.Duration { return max(least, min(25*took, most)) }

// watchLinks reports load balancers and mends plugs whose links went or lost their other end.
func (e *Engine) watchLinks(ctx context.Context) error {
	for ctx.Err() == nil {
		err := linux.WatchLinks(ctx, func() {}, func(event linux.LinkEvent) {
			if event.Broken {
				e.linkBroken(event.Port)
			}
		})
		if err == nil {
			return nil
		}
		e.log.Warn("link events lost", "err", err)
		for _, id := range e.known() { // any of them may have been meant
			e.hub.publish(id)
		}
		pause(ctx, retryPause)
	}
	return nil
}

func (e *Engine) linkBroken(port string) {
	e.plugBroken(port)
	for _, id := range e.known() {
		b := e.tryBalancer(id)
		if b == nil {
			continue // at work on it: the links may well be our own doing
		}
		// The event may be old news, of the link's making.
		if b.uses(port) && e.lookAtPorts(b) != "" {
			e.hub.publish(id)
		}
		b.unlock()
	}
}

// uses tells whether the load balancer has the port whose id begins so.
func (b *balancer) uses(port string) bool {
	return slices.ContainsFunc(b.spec().Ports, func(p *enginepb.Port) bool { return strings.HasPrefix(p.Id, port) })
}

// watchServers polls HAProxy for what it tells nobody: that a server's health turned. On the way it deletes servers
// that have become idle, and looks whether the namespace is still there.
func (e *Engine) watchServers(ctx context.Context) error {
	var took time.Duration
	for pause(ctx, pace(pollPause, took, pollMost)) {
		began := time.Now()
		for _, id := range e.known() {
			if ctx.Err() != nil {
				break
			}
			if b := e.tryBalancer(id); b != nil {
				e.pollInTime(b)
				b.unlock()
			}
		}
		took = time.Since(began)
	}
	return nil
}

// pollInTime polls, but seldom where that takes long: one HAProxy that does not answer must not keep others from being looked at.
func (e *Engine) pollInTime(b *balancer) {
	began := time.Now()
	if began.Before(b.quiet) {
		return
	}
	e.poll(b)
	if took := time.Since(began); took > pollPause {
		b.quiet = time.Now().Add(pace(0, took, time.Minute))
	}
}

// keepCounters stores all counters from time to time. It is no part of the look at the servers' health, for which a slow
// disk must not be a delay.
func (e *Engine) keepCounters(ctx context.Context) error {
	for pause(ctx, savePause) {
		e.saveCounters()
	}
	return nil
}

// pause waits, and tells whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (e *Engine) poll(b *balancer) {
	b.settle()
	b.follow()
	if b.current == nil {
		return // its end was told when it came
	}
	if len(b.removals) > 0 {
		b.removeIdle()
	}
	broken := ""
	if !linux.Inside(namespaceName(b.id), b.current.PID) {
		broken = "the network namespace was replaced or removed"
	}
	left := b.unneeded() != ""
	if broken != b.broken && broken != "" || left && !b.left {
		e.hub.publish(b.id)
	}
	b.broken, b.left = broken, left
	if b.checked() {
		e.pollServers(b)
	}
}

func (b *balancer) checked() bool {
	for _, s := range b.spec().Servers {
		if s.Checked {
			return true
		}
	}
	return false
}

func (e *Engine) pollServers(b *balancer) {
	stats, err := b.stats(1 + 4)
	if err != nil {
		return // Observe says so, with a reason
	}
	now := statuses(stats)
	if b.statuses != nil && !sameStatuses(b.statuses, now) {
		e.hub.publish(b.id)
	}
	b.statuses = now
}

// statuses by proxy and server.
func statuses(stats []haproxy.Stat) map[string]string {
	all := make(map[string]string, len(stats))
	for _, s := range stats {
		all[s.Proxy+"/"+s.Name] = turn(s.Status)
	}
	return all
}

// turn leaves of a status what is news: UP 1/3 still is UP.
func turn(status string) string {
	word, _, _ := strings.Cut(status, " ")
	if word == "no" { // "no check"
		return status
	}
	return word
}

func sameStatuses(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}
