package store

import (
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

// Delete wants objects gone: from now on they count for nothing, and they vanish once the loop has made it true. A listener takes its
// policies with it and a policy its rules; the L7 policies behind one move up. A pool takes its members and its monitor, and the listeners
// whose default it is lose it; one to which an L7 policy redirects that is to stay is refused with Conflict. The load balancer takes
// everything. What is not in the tree needs no deleting.
func (c *Change) Delete(parts ...lbaas.Part) error {
	doomed := map[string][]string{}
	var first, pools []lbaas.Part // an L7 policy goes before the pool that it redirects to
	for _, part := range parts {
		switch p := part.(type) {
		case *lbaas.LoadBalancer:
			return c.deleteAll(p)
		case *lbaas.Pool:
			pools = append(pools, p)
		default:
			first = append(append(first, below(c.LB, part)...), part)
		}
	}
	c.doomAll(first, doomed)
	for _, p := range pools {
		if err := c.release(p); err != nil {
			return err
		}
		c.doomAll(append(below(c.LB, p), p), doomed)
	}
	// What was put before may be what is deleted now: it must not come after.
	if c.full() {
		if err := c.flush(); err != nil {
			return err
		}
	}
	for table, ids := range doomed {
		c.doomed[table] = append(c.doomed[table], ids...)
	}
	return nil
}

// full tells whether there is something to write that was put.
func (c *Change) full() bool {
	return c.pools.full() || c.listeners.full() || c.monitors.full() || c.members.full() ||
		c.l7Policies.full() || c.l7Rules.full() || c.rateLimitPolicies.full() || c.rateLimitRules.full()
}

// doomAll takes objects out of the tree and notes that they are to go.
func (c *Change) doomAll(parts []lbaas.Part, doomed map[string][]string) {
	c.forget(parts)
	listeners := map[string]bool{}
	for _, part := range parts {
		c.progress(part.Base(), true)
		table := tables[part.Noun()]
		doomed[table] = append(doomed[table], part.Base().ID)
		if p, ok := part.(*lbaas.L7Policy); ok && !listeners[p.ListenerID] {
			listeners[p.ListenerID] = true
			c.closeGap(p.ListenerID)
		}
	}
}

// below are the parts of a tree that go with a part: the deepest first.
func below(lb *lbaas.LoadBalancer, part lbaas.Part) []lbaas.Part {
	id := part.Base().ID
	switch part.(type) {
	case *lbaas.Listener:
		return belowListener(lb, lb.Listener(id))
	case *lbaas.L7Policy:
		if p := lb.L7Policy(id); p != nil {
			return asParts(p.Rules)
		}
	case *lbaas.RateLimitPolicy:
		if p := lb.RateLimitPolicy(id); p != nil {
			return asParts(p.Rules)
		}
	case *lbaas.Pool:
		return belowPool(lb.Pool(id))
	}
	return nil
}

func belowListener(lb *lbaas.LoadBalancer, l *lbaas.Listener) []lbaas.Part {
	if l == nil {
		return nil
	}
	var parts []lbaas.Part
	for _, p := range append(asParts(l.L7Policies), asParts(l.RateLimitPolicies)...) {
		parts = append(append(parts, below(lb, p)...), p)
	}
	return parts
}

func belowPool(p *lbaas.Pool) []lbaas.Part {
	if p == nil {
		return nil
	}
	parts := asParts(p.Members)
	if p.HealthMonitor != nil {
		parts = append(parts, p.HealthMonitor)
	}
	return parts
}

func asParts[P lbaas.Part](list []P) []lbaas.Part {
	parts := make([]lbaas.Part, len(list))
	for i, p := range list {
		parts[i] = p
	}
	return parts
}

func (c *Change) deleteAll(lb *lbaas.LoadBalancer) error {
	if err := c.flush(); err != nil {
		return err
	}
	for _, table := range childTables {
		if err := c.doom(table, "load_balancer_id = ?", c.LB.ID); err != nil {
			return err
		}
	}
	_, err := c.tx.NewUpdate().Table(tableLoadBalancers).Set("deleted = ?", true).Where("id = ?", c.LB.ID).Exec(c.ctx)
	if err != nil {
		return fmt.Errorf("delete load balancer %s: %w", c.LB.ID, err)
	}
	parts := c.LB.Parts()
	for _, part := range parts {
		c.progress(part.Base(), true)
	}
	c.forget(parts)
	c.progress(&lb.Object, true)
	return nil
}

// release takes a pool away from the listeners whose default it is. L7 policies do not let it go.
func (c *Change) release(pool lbaas.Part) error {
	id := pool.Base().ID
	for _, l := range c.LB.Listeners {
		for _, p := range l.L7Policies {
			if p.RedirectPoolID == id {
				return lbaas.Errorf(lbaas.Conflict, "Pool %s is in use by L7 policy %s", id, p.ID)
			}
		}
	}
	for _, l := range c.LB.Listeners {
		if l.DefaultPoolID != id {
			continue
		}
		l.DefaultPoolID = ""
		if err := c.Put(l); err != nil {
			return err
		}
	}
	return nil
}

func (c *Change) writeDoomed() error {
	for _, table := range childTables {
		for some := range slices.Chunk(c.doomed[table], idChunk) {
			if err := c.doom(table, "id IN (?)", bun.List(some)); err != nil {
				return err
			}
		}
	}
	clear(c.doomed)
	return nil
}

// doom marks the live rows of a table that a condition names.
func (c *Change) doom(table, condition string, arg any) error {
	up := c.tx.NewUpdate().Table(table).
		Set("deleted = ?", true).Set("failed = ?", false).Set("reason = ''").
		Set("generation = ?", c.LB.Progress.Generation).Set("updated_at = ?", micros(c.time))
	if keyed[table] {
		up = up.Set("live = NULL")
	}
	n, err := affected(up.Where("load_balancer_id = ?", c.LB.ID).Where("deleted = ?", false).Where(condition, arg).Exec(c.ctx))
	if err != nil {
		return fmt.Errorf("delete %s: %w", table, err)
	}
	c.grown[table] -= n
	return nil
}

// marks are objects that go, by noun and id.
type marks map[mark]bool

type mark struct {
	noun lbaas.Noun
	id   string
}

func markOf(p lbaas.Part) mark { return mark{p.Noun(), p.Base().ID} }

// forget takes objects out of the tree, all at once: a pool may have thousands of members.
func (c *Change) forget(parts []lbaas.Part) {
	gone := make(marks, len(parts))
	for _, p := range parts {
		gone[markOf(p)] = true
		c.unshelve(p)
	}
	for _, l := range c.LB.Listeners {
		for _, p := range l.L7Policies {
			p.Rules = without(p.Rules, gone)
		}
		for _, p := range l.RateLimitPolicies {
			p.Rules = without(p.Rules, gone)
		}
		l.L7Policies, l.RateLimitPolicies = without(l.L7Policies, gone), without(l.RateLimitPolicies, gone)
	}
	for _, p := range c.LB.Pools {
		p.Members = without(p.Members, gone)
		if p.HealthMonitor != nil && gone[markOf(p.HealthMonitor)] {
			p.HealthMonitor = nil
		}
	}
	c.LB.Listeners, c.LB.Pools = without(c.LB.Listeners, gone), without(c.LB.Pools, gone)
}

func (c *Change) unshelve(part lbaas.Part) {
	id := part.Base().ID
	switch part.(type) {
	case *lbaas.Listener:
		delete(c.listeners.kept, id)
	case *lbaas.Pool:
		delete(c.pools.kept, id)
	case *lbaas.Member:
		delete(c.members.kept, id)
	case *lbaas.HealthMonitor:
		delete(c.monitors.kept, id)
	case *lbaas.L7Policy:
		delete(c.l7Policies.kept, id)
	case *lbaas.L7Rule:
		delete(c.l7Rules.kept, id)
	case *lbaas.RateLimitPolicy:
		delete(c.rateLimitPolicies.kept, id)
	case *lbaas.RateLimitRule:
		delete(c.rateLimitRules.kept, id)
	}
}

// without makes a new list where something goes: whoever deletes may be going through the old one.
func without[P lbaas.Part](list []P, gone marks) []P {
	n := 0
	for _, p := range list {
		if gone[markOf(p)] {
			n++
		}
	}
	switch n {
	case 0:
		return list
	case len(list):
		return nil
	}
	rest := make([]P, 0, len(list)-n)
	for _, p := range list {
		if !gone[markOf(p)] {
			rest = append(rest, p)
		}
	}
	return rest
}

// Touch stamps objects without changing them, so that they show PENDING_UPDATE. The load balancer itself always is.
func (c *Change) Touch(parts ...lbaas.Part) error {
	for _, part := range parts {
		if o := part.Base(); o.Progress.Generation == c.LB.Progress.Generation && o.UpdatedAt.IsZero() {
			continue // it was made in this very change
		}
		c.progress(part.Base(), false)
		id := part.Base().ID
		switch part.(type) {
		case *lbaas.Listener:
			c.listeners.stamped = append(c.listeners.stamped, id)
		case *lbaas.Pool:
			c.pools.stamped = append(c.pools.stamped, id)
		case *lbaas.HealthMonitor:
			c.monitors.stamped = append(c.monitors.stamped, id)
		case *lbaas.Member:
			c.members.stamped = append(c.members.stamped, id)
		case *lbaas.L7Policy:
			c.l7Policies.stamped = append(c.l7Policies.stamped, id)
		case *lbaas.L7Rule:
			c.l7Rules.stamped = append(c.l7Rules.stamped, id)
		case *lbaas.RateLimitPolicy:
			c.rateLimitPolicies.stamped = append(c.rateLimitPolicies.stamped, id)
		case *lbaas.RateLimitRule:
			c.rateLimitRules.stamped = append(c.rateLimitRules.stamped, id)
		}
	}
	return nil
}

// progress is how far an object has come that was just touched or deleted.
func (c *Change) progress(o *lbaas.Object, deleted bool) {
	o.Progress = lbaas.Progress{
		Generation: c.LB.Progress.Generation, Observed: o.Progress.Observed, Deleted: deleted,
	}
	o.UpdatedAt = c.time
}
