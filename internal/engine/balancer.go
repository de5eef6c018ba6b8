package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
)

// balancer is what the engine knows of one load balancer. Its fields belong to the holder of its lock.
type balancer struct {
	id   string
	dir  string // its run directory, through the open folder
	conf string // its configuration's path, as people know it: by it a process is known to be ours
	// lock holds one token: whoever took it out may change the load balancer. It is a channel so that a caller
	// whose time is up can stop waiting.
	lock chan struct{}

	record     record
	current    *process   // takes connections; nil when none is known
	draining   []*process // were replaced, and serve the connections that they have
	counters   counters
	forwarding forwarding     // of datagrams
	seen       tableSeen      // of datagrams, when it was last looked at
	flows      flowCount      // of datagrams, as of late
	removals   []haproxy.Step // servers that are deleted once they are idle
	broken     string         // why a person would say that it does not work as applied, when we last looked
	statuses   map[string]string
	quiet      time.Time            // until when HAProxy is not polled, for it answers slowly
	leaving    map[string]time.Time // since when ports leave, by id
	left       bool                 // a port was found to be needed no more
	removed    bool                 // no longer in the engine's list
	health     *health              // has a lock of its own
	lane       lane                 // is the schedule's
	exporter   *exporter            // nil where no listener exports metrics
	log        *accessLog           // nil where there is none
}

func (b *balancer) unlock() { b.lock <- struct{}{} }

func (b *balancer) path(name string) string { return filepath.Join(b.dir, name) }

// balancer returns the load balancer of an id, locked. When it was not known, it is found from what is on the host.
func (e *Engine) balancer(ctx context.Context, id string) (*balancer, error) {
	for {
		b := e.entry(id)
		select {
		case <-b.lock:
		case <-ctx.Done():
			return nil, status.Errorf(codes.DeadlineExceeded, "another change of load balancer %s takes too long", id)
		}
		if !b.removed {
			return b, nil
		}
		b.unlock() // someone removed it while we waited; a new one has its place
	}
}

func (e *Engine) entry(id string) *balancer {
	e.mu.Lock()
	defer e.mu.Unlock()
	b := e.balancers[id]
	if b == nil {
		b = &balancer{id: id, dir: e.files.balancers.path(id), conf: filepath.Join(e.home(id), haproxy.ConfigFile),
			lock: make(chan struct{}, 1), health: &health{}}
		b.unlock()
		e.balancers[id] = b
	}
	return b
}

// forget takes a load balancer off the list. The caller holds its lock.
func (e *Engine) forget(b *balancer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.checks.follow(b, nil)
	b.stopExporting()
	b.stopLog()
	b.removed = true
	delete(e.balancers, b.id)
}

// known lists the load balancers that the engine has something of, by id.
func (e *Engine) known() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	ids := make([]string, 0, len(e.balancers))
	for id := range e.balancers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// tryBalancer returns a known load balancer, locked, unless it is being worked on.
func (e *Engine) tryBalancer(id string) *balancer {
	e.mu.Lock()
	b := e.balancers[id]
	e.mu.Unlock()
	if b == nil {
		return nil
	}
	select {
	case <-b.lock:
	default:
		return nil
	}
	if b.removed {
		b.unlock()
		return nil
	}
	return b
}

// adopt finds the load balancers that an earlier engine left, and their processes.
func (e *Engine) adopt() error {
	entries, err := os.ReadDir(e.files.balancers.path(""))
	if err != nil {
		return fmt.Errorf("list load balancers: %w", err)
	}
	running, err := findProcesses()
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	for _, entry := range entries {
		if checkID("", entry.Name()) != nil {
			continue
		}
		b := e.entry(entry.Name())
		<-b.lock
		e.adoptOne(b, running[b.conf])
		b.unlock()
	}
	return nil
}

func (e *Engine) adoptOne(b *balancer, pids []int) {
	var err error
	if b.record, err = readRecord(b.dir); err != nil {
		e.log.Warn("record unreadable", "load_balancer", b.id, "err", err)
	}
	b.counters = readCounters(b.dir)
	for _, pid := range pids {
		p, err := openProcess(pid, b.conf)
		if err != nil {
			continue // it has just ended
		}
		e.keep(b, p)
		b.draining = append(b.draining, p)
	}
	e.findCurrent(b)
	b.health.members = readHealth(b.dir)
	e.recheck(b)
	e.export(b)
	e.adoptLog(b)
	if b.current != nil {
		e.log.Debug("HAProxy adopted", "load_balancer", b.id, "pid", b.current.PID)
	}
}

// findCurrent learns from the stats socket which of the processes takes connections. The socket's SO_PEERCRED would
// not do: it names the process that once called listen(2), which was not yet the detached one, and the socket
// goes from process to process.
func (e *Engine) findCurrent(b *balancer) {
	if b.current != nil {
		b.draining, b.current = append(b.draining, b.current), nil
	}
	info, err := b.info()
	if err == nil && !info.Stopping {
		b.draining = slices.DeleteFunc(b.draining, func(p *process) bool {
			if p.PID != info.PID {
				return false
			}
			b.current = p
			p.expected.Store(false)
			return true
		})
	}
	for _, p := range b.draining {
		p.expected.Store(true)
	}
}

// findStrays finds processes of the load balancer that we do not know: an engine may have been killed while it started one.
func (e *Engine) findStrays(b *balancer) error {
	all, err := findProcesses()
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	for _, pid := range all[b.conf] {
		p, err := openProcess(pid, b.conf)
		if err != nil {
			continue
		}
		if b.has(p.processID) {
			_ = p.fd.Close()
			continue
		}
		e.log.Info("HAProxy found", "load_balancer", b.id, "pid", pid)
		e.keep(b, p)
		b.draining = append(b.draining, p)
	}
	return nil
}

// keep watches a process of a load balancer and says when it ended.
func (e *Engine) keep(b *balancer, p *process) {
	e.done.processes.Add(1)
	e.watch(p, func() {
		e.done.processes.Add(-1)
		if p.expected.Load() {
			e.log.Debug("replaced HAProxy ended", "load_balancer", b.id, "pid", p.PID)
			return
		}
		e.log.Warn("HAProxy ended by itself", "load_balancer", b.id, "pid", p.PID)
		e.hub.publish(b.id)
	})
}

// settle forgets the processes that have ended.
func (b *balancer) settle() {
	b.draining = slices.DeleteFunc(b.draining, func(p *process) bool {
		if !p.ended() {
			return false
		}
		p.hangUp()
		return true
	})
	if b.current != nil && b.current.ended() {
		b.current = nil
	}
	b.counters.settle(b.processes())
}

// hangUp ends the conversation with a replaced process.
func (p *process) hangUp() {
	if p.talk != nil {
		p.talk.close()
		p.talk = nil
	}
}

// spec is what was last carried out, or an empty one.
func (b *balancer) spec() *enginepb.Spec {
	if b.record.Spec == nil {
		return &enginepb.Spec{LoadBalancerId: b.id}
	}
	return b.record.Spec
}
