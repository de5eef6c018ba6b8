package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
)

// countersFile holds a load balancer's counters, in its run directory.
const countersFile = "counters.json"

// counters keep a listener's figures monotonic although each HAProxy begins at zero. What a process counted up to its
// replacement is added to Base. What it still moves while it drains is not seen, for its stats socket is its
// successor's by then; neither is what it moved since it was last read when it is killed.
type counters struct {
	// Process counted Last.
	Process processID        `json:"process"`
	Base    map[string]count `json:"base,omitempty"` // by frontend, of all earlier processes
	Last    map[string]count `json:"last,omitempty"` // by frontend, as last read
}

// count is what HAProxy counts of a frontend.
type count struct {
	In       int64 `json:"in"`
	Out      int64 `json:"out"`
	Sessions int64 `json:"sessions"`
	Errors   int64 `json:"errors"`
}

func (c count) add(o count) count {
	return count{c.In + o.In, c.Out + o.Out, c.Sessions + o.Sessions, c.Errors + o.Errors}
}

// readCounters returns what is stored in a run directory. Counters that cannot be read begin anew: they are no reason
// to stop serving.
func readCounters(dir string) counters {
	var c counters
	text, err := os.ReadFile(filepath.Join(dir, countersFile))
	if err != nil || json.Unmarshal(text, &c) != nil {
		return counters{}
	}
	return c
}

func (c counters) write(dir string) error {
	text, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return fmt.Errorf("write %s: %w", countersFile, err)
	}
	return writeFile(filepath.Join(dir, countersFile), append(text, '\n'))
}

// see takes what a process reports, and makes the report's figures the sums.
func (c *counters) see(p processID, frontends []*enginepb.Frontend) {
	c.turn(p)
	c.Last = make(map[string]count, len(frontends))
	for _, f := range frontends {
		now := count{f.BytesIn, f.BytesOut, f.TotalSessions, f.RequestErrors}
		c.Last[f.Name] = now
		sum := now.add(c.Base[f.Name])
		f.BytesIn, f.BytesOut, f.TotalSessions, f.RequestErrors = sum.In, sum.Out, sum.Sessions, sum.Errors
	}
}

// turn goes over to another process: what the last one counted becomes history.
func (c *counters) turn(p processID) {
	if c.Process == p {
		return
	}
	if c.Base == nil {
		c.Base = map[string]count{}
	}
	for name, last := range c.Last {
		c.Base[name] = c.Base[name].add(last)
	}
	c.Process, c.Last = p, nil
}

// sums are the figures while no process runs.
func (c *counters) sums(spec *enginepb.Spec) []*enginepb.Frontend {
	var all []*enginepb.Frontend
	for _, name := range frontendNames(spec) {
		sum := c.Base[name].add(c.Last[name])
		all = append(all, &enginepb.Frontend{Name: name, Status: "STOP",
			BytesIn: sum.In, BytesOut: sum.Out, TotalSessions: sum.Sessions, RequestErrors: sum.Errors})
	}
	return all
}

func frontendNames(spec *enginepb.Spec) []string {
	var names []string
	for _, s := range spec.Sections {
		if name, ok := strings.CutPrefix(s.Name, "frontend "); ok {
			names = append(names, name)
		}
	}
	return names
}

// trim forgets the frontends that a Spec no longer has.
func (c *counters) trim(spec *enginepb.Spec) {
	wanted := map[string]bool{}
	for _, name := range frontendNames(spec) {
		wanted[name] = true
	}
	for name := range c.Base {
		if !wanted[name] {
			delete(c.Base, name)
		}
	}
	for name := range c.Last {
		if !wanted[name] {
			delete(c.Last, name)
		}
	}
}

// count reads the current process's counters and returns its frontends with the sums.
func (b *balancer) count(stats []haproxy.Stat) []*enginepb.Frontend {
	frontends := haproxy.Frontends(stats)
	b.counters.see(b.current.processID, frontends)
	return frontends
}

// saveCounters stores all counters, so that they survive the end of both the engine and HAProxy.
func (e *Engine) saveCounters() {
	for _, id := range e.known() {
		if b := e.tryBalancer(id); b != nil {
			b.saveCounters(e)
			b.unlock()
		}
	}
}

func (b *balancer) saveCounters(e *Engine) {
	if b.record.Spec == nil {
		return
	}
	if b.current != nil {
		if stats, err := b.stats(1); err == nil {
			b.count(stats)
		}
	}
	if err := b.counters.write(b.dir); err != nil {
		e.log.Warn("counters not stored", "load_balancer", b.id, "err", err)
	}
}
