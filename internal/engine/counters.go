package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"plimsoll/internal/datagram"
	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
)

// countersFile holds a load balancer's counters, in its run directory.
const countersFile = "counters.json"

// counters keep a listener's figures monotonic although each HAProxy begins at zero. A process that is replaced is asked
// on, over a connection that was opened while it had the stats socket, until its last connection has ended.
// Two things are not counted: what a process moved after it was last asked when it is killed, and what a replaced process
// still moves after the engine itself was restarted, for nobody can ask it then.
type counters struct {
	// Ended is what processes counted that have ended, by frontend.
	Ended map[string]count `json:"ended,omitempty"`
	// Running is what the others counted when last asked, by process and frontend.
	Running map[string]map[string]count `json:"running,omitempty"`
	// Datagrams is what the kernel counted of listeners that HAProxy has no part in, by listener.
	Datagrams map[string]datagram.Counted `json:"datagrams,omitempty"`
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

func (p processID) String() string { return fmt.Sprintf("%d/%d", p.PID, p.Start) }

// see takes what a process reports.
func (c *counters) see(p processID, frontends []*enginepb.Frontend) {
	now := make(map[string]count, len(frontends))
	for _, f := range frontends {
		now[f.Name] = count{f.BytesIn, f.BytesOut, f.TotalSessions, f.RequestErrors}
	}
	if c.Running == nil {
		c.Running = map[string]map[string]count{}
	}
	c.Running[p.String()] = now
}

// settle makes history of the processes that are no longer there.
func (c *counters) settle(there []*process) {
	alive := map[string]bool{}
	for _, p := range there {
		alive[p.String()] = true
	}
	for p, counted := range c.Running {
		if alive[p] {
			continue
		}
		if c.Ended == nil {
			c.Ended = map[string]count{}
		}
		for name, n := range counted {
			c.Ended[name] = c.Ended[name].add(n)
		}
		delete(c.Running, p)
	}
}

// sum is what all processes counted of a frontend.
func (c *counters) sum(frontend string) count {
	sum := c.Ended[frontend]
	for _, counted := range c.Running {
		sum = sum.add(counted[frontend])
	}
	return sum
}

// total puts the sums into a report.
func (c *counters) total(frontends []*enginepb.Frontend) []*enginepb.Frontend {
	for _, f := range frontends {
		sum := c.sum(f.Name)
		f.BytesIn, f.BytesOut, f.TotalSessions, f.RequestErrors = sum.In, sum.Out, sum.Sessions, sum.Errors
	}
	return frontends
}

// stopped is the report while no process answers.
func (c *counters) stopped(spec *enginepb.Spec) []*enginepb.Frontend {
	var all []*enginepb.Frontend
	for _, name := range frontendNames(spec) {
		all = append(all, &enginepb.Frontend{Name: name, Status: "STOP"})
	}
	return c.total(all)
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

// trim forgets the listeners that are gone.
func (c *counters) trim(spec *enginepb.Spec) {
	keep := kept(spec)
	maps.DeleteFunc(c.Ended, func(name string, _ count) bool { return !keep[name] })
}

// kept are the listeners of which figures are kept: what a Spec serves, and what it says is there besides.
func kept(spec *enginepb.Spec) map[string]bool {
	all := map[string]bool{}
	for _, name := range slices.Concat(spec.Listeners, frontendNames(spec)) {
		all[name] = true
	}
	for _, d := range spec.Datagrams {
		all[d.ListenerId] = true
	}
	return all
}

// count takes the current process's figures and returns its frontends with the sums.
func (b *balancer) count(stats []haproxy.Stat) []*enginepb.Frontend {
	frontends := haproxy.Frontends(stats)
	b.counters.see(b.current.processID, frontends)
	return b.counters.total(frontends)
}

// follow asks the replaced processes what they still move, and lets those go that have no connection left: ours is
// what keeps them.
func (b *balancer) follow() {
	for _, p := range b.draining {
		if p.talk == nil {
			continue
		}
		left, err := b.askDraining(p)
		if err != nil || left == 0 {
			p.hangUp()
		}
	}
}

// askDraining takes a replaced process's figures and returns how many connections it has left.
func (b *balancer) askDraining(p *process) (left int64, err error) {
	answer, err := p.talk.ask("show info")
	if err != nil {
		return 0, err
	}
	info, err := haproxy.ParseInfo(answer)
	if err != nil {
		return 0, err
	}
	// Asked after the number of connections: when that is 0, these are its last figures.
	if answer, err = p.talk.ask("show stat -1 1 -1"); err != nil {
		return 0, err
	}
	stats, err := haproxy.ParseStat(answer)
	if err != nil {
		return 0, err
	}
	b.counters.see(p.processID, haproxy.Frontends(stats))
	return info.Connections, nil
}

// saveCounters stores all counters, so that they survive the end of both the engine and HAProxy.
func (e *Engine) saveCounters() {
	for _, id := range e.known() {
		if b := e.tryBalancer(id); b != nil {
			b.saveCounters(e)
			e.saveHealth(b)
			b.unlock()
		}
	}
}

func (b *balancer) saveCounters(e *Engine) {
	if b.record.Spec == nil {
		return
	}
	b.settle()
	b.follow()
	if b.current != nil {
		if stats, err := b.stats(1); err == nil {
			b.count(stats)
		}
	}
	if err := b.countDatagrams(); err != nil {
		e.log.Warn("datagrams not counted", "load_balancer", b.id, "err", err)
	}
	if err := b.counters.write(b.dir); err != nil {
		e.log.Warn("counters not stored", "load_balancer", b.id, "err", err)
	}
}
