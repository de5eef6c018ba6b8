package store

import (
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

// Delete wants objects gone: from now on they count for nothing, and they vanish once the loop has made it true. A pool takes its
// members and its monitor with it, and the listeners that use it lose it; the load balancer takes everything. What is not in the
// tree needs no deleting.
func (c *Change) Delete(parts ...lbaas.Part) error {
	doomed := map[string][]string{}
	for _, part := range parts {
		if lb, ok := part.(*lbaas.LoadBalancer); ok {
			return c.deleteAll(lb)
		}
		if pool, ok := part.(*lbaas.Pool); ok {
			if err := c.empty(pool.ID, doomed); err != nil {
				return err
			}
		}
		c.forget(part)
		c.progress(part.Base(), true)
		table := tables[part.Noun()]
		doomed[table] = append(doomed[table], part.Base().ID)
	}
	// What was put before may be what is deleted now: it must not come after.
	if c.pools.full() || c.listeners.full() || c.monitors.full() || c.members.full() {
		if err := c.flush(); err != nil {
			return err
		}
	}
	for table, ids := range doomed {
		c.doomed[table] = append(c.doomed[table], ids...)
	}
	return nil
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
	for _, part := range c.LB.Parts() {
		c.progress(part.Base(), true)
		c.forget(part)
	}
	c.progress(&lb.Object, true)
	return nil
}

// empty dooms what a pool has, and takes the pool away from its listeners.
func (c *Change) empty(poolID string, doomed map[string][]string) error {
	pool := c.LB.Pool(poolID)
	if pool == nil {
		return nil
	}
	for _, m := range slices.Clone(pool.Members) {
		c.forget(m)
		c.progress(&m.Object, true)
		doomed[tableMembers] = append(doomed[tableMembers], m.ID)
	}
	if h := pool.HealthMonitor; h != nil {
		c.forget(h)
		c.progress(&h.Object, true)
		doomed[tableHealthMonitors] = append(doomed[tableHealthMonitors], h.ID)
	}
	for _, l := range c.LB.ListenersOf(poolID) {
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
	if table != tablePools { // which have no unique key to count for nothing in
		up = up.Set("live = NULL")
	}
	_, err := up.Where("load_balancer_id = ?", c.LB.ID).Where("deleted = ?", false).Where(condition, arg).Exec(c.ctx)
	if err != nil {
		return fmt.Errorf("delete %s: %w", table, err)
	}
	return nil
}

// forget takes an object out of the tree.
func (c *Change) forget(part lbaas.Part) {
	id := part.Base().ID
	switch p := part.(type) {
	case *lbaas.Listener:
		delete(c.listeners.kept, id)
		c.LB.Listeners = without(c.LB.Listeners, id)
	case *lbaas.Pool:
		delete(c.pools.kept, id)
		c.LB.Pools = without(c.LB.Pools, id)
	case *lbaas.Member:
		delete(c.members.kept, id)
		if pool := c.LB.Pool(p.PoolID); pool != nil {
			pool.Members = without(pool.Members, id)
		}
	case *lbaas.HealthMonitor:
		delete(c.monitors.kept, id)
		if pool := c.LB.Pool(p.PoolID); pool != nil {
			pool.HealthMonitor = nil
		}
	}
}

// without makes a new list: whoever deletes may be going through the old one.
func without[P lbaas.Part](list []P, id string) []P {
	var rest []P
	for _, p := range list {
		if p.Base().ID != id {
			rest = append(rest, p)
		}
	}
	return rest
}

// Touch stamps objects without changing them, so that they show PENDING_UPDATE. The load balancer itself always is.
func (c *Change) Touch(parts ...lbaas.Part) error {
	for _, part := range parts {
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
