package store

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"plimsoll/lbaas"
)

// Put inserts objects whose id the load balancer does not have, giving an id where there is none, and updates the others. All are
// stamped with the generation and linked into c.LB. It fills in what the store decides: project, times, progress, the operating
// status (kept as observed, once an object exists), a new member's number and an L7 policy's position: one that is put at 0 or beyond the
// end is appended, and those behind a place that is taken or left move and are stamped too. Pools come before what refers to them,
// whatever the order of the arguments, and what is below an object is put by itself: an object keeps what the tree has below it. Errors
// are the API's: Conflict for a port, an address or a monitor that is taken and for a rule too many, NotFound for a listener, a pool or a
// policy that is not there. What is put goes to the database together, when fn has returned.
func (c *Change) Put(parts ...lbaas.Part) error {
	for _, p := range inPutOrder(parts) {
		if err := c.put(p); err != nil {
			return err
		}
	}
	return nil
}

var putOrder = map[lbaas.Noun]int{
	lbaas.NounPool: 1, lbaas.NounListener: 2, lbaas.NounL7Policy: 3, lbaas.NounL7Rule: 4,
	lbaas.NounRateLimitPolicy: 5, lbaas.NounRateLimitRule: 6, lbaas.NounHealthMonitor: 7, lbaas.NounMember: 8,
}

func inPutOrder(parts []lbaas.Part) []lbaas.Part {
	return slices.SortedStableFunc(slices.Values(parts), func(a, b lbaas.Part) int {
		return cmp.Compare(putOrder[a.Noun()], putOrder[b.Noun()])
	})
}

func (c *Change) put(part lbaas.Part) error {
	giveID(part.Base())
	switch p := part.(type) {
	case *lbaas.LoadBalancer:
		return c.putLoadBalancer(p)
	case *lbaas.Listener:
		return c.putListener(p)
	case *lbaas.Pool:
		return c.putPool(p)
	case *lbaas.HealthMonitor:
		return c.putHealthMonitor(p)
	case *lbaas.Member:
		return c.putMember(p)
	case *lbaas.L7Policy:
		return c.putL7Policy(p)
	case *lbaas.L7Rule:
		return c.putL7Rule(p)
	case *lbaas.RateLimitPolicy:
		return c.putRateLimitPolicy(p)
	case *lbaas.RateLimitRule:
		return c.putRateLimitRule(p)
	}
	return fmt.Errorf("keep a %s: there is no table for it", part.Noun())
}

func giveID(o *lbaas.Object) {
	if o.ID == "" {
		o.ID = uuid.NewString()
	}
}

func (c *Change) putLoadBalancer(lb *lbaas.LoadBalancer) error {
	if lb.ID != c.LB.ID {
		return fmt.Errorf("put load balancer %s into a change of %s", lb.ID, c.LB.ID)
	}
	if err := c.rely(lb, c.lb.FlavorID, c.lb.AvailabilityZone); err != nil {
		return err
	}
	c.settle(&lb.Object, &c.lb.objectRow, "")
	row := newLoadBalancerRow(lb)
	if _, err := c.tx.NewUpdate().Model(&row).WherePK().Exec(c.ctx); err != nil {
		return fmt.Errorf("update load balancer %s: %w", lb.ID, err)
	}
	c.lb = row
	return nil
}

func (c *Change) putListener(l *lbaas.Listener) error {
	if err := c.LB.CheckListener(l); err != nil {
		return err
	}
	l.LoadBalancerID = c.LB.ID
	c.settle(&l.Object, was(&c.listeners, l.ID), lbaas.Offline)
	row, before := newListenerRow(l), c.listeners.kept[l.ID]
	c.refer(row.refs(), before.refs())
	put(&c.listeners, row)
	old := c.LB.Listener(l.ID)
	if old == nil {
		old = &lbaas.Listener{}
	}
	l.L7Policies, l.RateLimitPolicies = old.L7Policies, old.RateLimitPolicies
	c.LB.Listeners = linked(c.LB.Listeners, l)
	return nil
}

func (c *Change) putPool(p *lbaas.Pool) error {
	p.LoadBalancerID = c.LB.ID
	c.settle(&p.Object, was(&c.pools, p.ID), lbaas.Offline)
	row := newPoolRow(p)
	before := c.pools.kept[p.ID]
	row.LastNumber = before.LastNumber
	c.refer(row.refs(), before.refs())
	put(&c.pools, row)
	c.LB.Pools = linked(c.LB.Pools, p)
	return nil
}

func (c *Change) putHealthMonitor(h *lbaas.HealthMonitor) error {
	pool := c.LB.Pool(h.PoolID)
	if pool == nil {
		return lbaas.Missing(lbaas.NounPool, h.PoolID)
	}
	if err := pool.CheckMonitor(h); err != nil {
		return err
	}
	h.LoadBalancerID = c.LB.ID
	c.settle(&h.Object, was(&c.monitors, h.ID), lbaas.Offline)
	put(&c.monitors, newHealthMonitorRow(h))
	pool.HealthMonitor = h
	return nil
}

func (c *Change) putMember(m *lbaas.Member) error {
	pool := c.LB.Pool(m.PoolID)
	if pool == nil {
		return lbaas.Missing(lbaas.NounPool, m.PoolID)
	}
	if err := pool.CheckMember(m); err != nil {
		return err
	}
	m.LoadBalancerID = c.LB.ID
	m.Number = c.number(m)
	c.settle(&m.Object, was(&c.members, m.ID), pool.InitialOperating())
	put(&c.members, newMemberRow(m))
	pool.Members = linked(pool.Members, m)
	return nil
}

func (c *Change) putL7Policy(p *lbaas.L7Policy) error {
	if err := c.LB.CheckL7Policy(p); err != nil {
		return err
	}
	old := c.LB.L7Policy(p.ID)
	if old == nil {
		old = &lbaas.L7Policy{}
	}
	p.LoadBalancerID, p.Rules = c.LB.ID, old.Rules
	c.settle(&p.Object, was(&c.l7Policies, p.ID), lbaas.Offline)
	c.place(p)
	put(&c.l7Policies, newL7PolicyRow(p))
	return nil
}

func (c *Change) putL7Rule(r *lbaas.L7Rule) error {
	policy := c.LB.L7Policy(r.L7PolicyID)
	if policy == nil {
		return lbaas.Missing(lbaas.NounL7Policy, r.L7PolicyID)
	}
	if err := policy.CheckL7Rule(r); err != nil {
		return err
	}
	r.LoadBalancerID = c.LB.ID
	c.settle(&r.Object, was(&c.l7Rules, r.ID), lbaas.Offline)
	put(&c.l7Rules, newL7RuleRow(r))
	policy.Rules = linked(policy.Rules, r)
	return nil
}

func (c *Change) putRateLimitPolicy(p *lbaas.RateLimitPolicy) error {
	old := c.LB.RateLimitPolicy(p.ID)
	if old == nil {
		old = &lbaas.RateLimitPolicy{}
	}
	p.LoadBalancerID, p.Rules = c.LB.ID, old.Rules
	if err := c.LB.CheckRateLimitPolicy(p); err != nil {
		return err
	}
	c.settle(&p.Object, was(&c.rateLimitPolicies, p.ID), lbaas.Offline)
	put(&c.rateLimitPolicies, newRateLimitPolicyRow(p))
	l := c.LB.Listener(p.ListenerID)
	l.RateLimitPolicies = linked(l.RateLimitPolicies, p)
	return nil
}

func (c *Change) putRateLimitRule(r *lbaas.RateLimitRule) error {
	policy := c.LB.RateLimitPolicy(r.RateLimitPolicyID)
	if policy == nil {
		return lbaas.Missing(lbaas.NounRateLimitPolicy, r.RateLimitPolicyID)
	}
	if err := c.LB.CheckRateLimitRule(policy, r); err != nil {
		return err
	}
	r.LoadBalancerID = c.LB.ID
	c.settle(&r.Object, was(&c.rateLimitRules, r.ID), lbaas.Offline)
	put(&c.rateLimitRules, newRateLimitRuleRow(r))
	policy.Rules = linked(policy.Rules, r)
	return nil
}

// number is the member's own, or for a new one the next of its pool. The number of one that went is not given again, since
// the data plane may still be draining it.
func (c *Change) number(m *lbaas.Member) int {
	if old, ok := c.members.kept[m.ID]; ok {
		return int(old.Number)
	}
	pool := c.pools.kept[m.PoolID]
	pool.LastNumber++
	c.pools.kept[m.PoolID] = pool
	c.numbers[m.PoolID] = pool.LastNumber
	return int(pool.LastNumber)
}

// settle fills in what the store decides of an object; old is nil for a new one.
func (c *Change) settle(o *lbaas.Object, old *objectRow, initial lbaas.OperatingStatus) {
	o.ProjectID = c.LB.ProjectID
	o.Progress = lbaas.Progress{Generation: c.LB.Progress.Generation}
	if old == nil {
		c.born = c.born.Add(time.Microsecond)
		o.CreatedAt, o.UpdatedAt, o.Operating = c.born, time.Time{}, initial
		return
	}
	o.Progress.Observed = old.Observed
	o.CreatedAt, o.UpdatedAt, o.Operating = fromMicros(old.CreatedAt), c.time, lbaas.OperatingStatus(old.OperatingStatus)
	if old.Generation == o.Progress.Generation && old.UpdatedAt == 0 {
		o.UpdatedAt = time.Time{} // it was made in this very change
	}
}

// linked is a tree's list with a part in it, in the place of the one that has its id.
func linked[P lbaas.Part](list []P, part P) []P {
	for i, p := range list {
		if p.Base().ID == part.Base().ID {
			list[i] = part
			return list
		}
	}
	return append(list, part)
}

// flush writes what Delete, Put and Touch have noted: first what goes, so that what comes can have its place.
func (c *Change) flush() error {
	if err := c.writeDoomed(); err != nil {
		return err
	}
	moved := c.moved()
	for _, write := range []func() error{
		func() error { return write(c, tablePools, &c.pools) },
		func() error { return write(c, tableListeners, &c.listeners) },
		func() error { return write(c, tableL7Policies, &c.l7Policies) },
		func() error { return write(c, tableL7Rules, &c.l7Rules) },
		func() error { return write(c, tableRateLimitPolicies, &c.rateLimitPolicies) },
		func() error { return write(c, tableRateLimitRules, &c.rateLimitRules) },
		func() error { return write(c, tableHealthMonitors, &c.monitors) },
		func() error { return write(c, tableMembers, &c.members) },
		func() error { return c.writePositions(moved) },
		c.writeNumbers,
		c.holdRefs, // late, since others wait for what is held
	} {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Change) writeNumbers() error {
	for pool, number := range c.numbers {
		if _, err := c.tx.NewUpdate().Table(tablePools).Set("last_number = ?", number).Where("id = ?", pool).Exec(c.ctx); err != nil {
			return fmt.Errorf("number the members of pool %s: %w", pool, err)
		}
	}
	clear(c.numbers)
	return nil
}

// taken is what a unique key means that refused a row, in the API's words. The tree was looked at under the load balancer's
// lock, so this is the last line of defence and nothing that a user should ever see.
func taken(r any) error {
	switch r := r.(type) {
	case listenerRow:
		return lbaas.Errorf(lbaas.Conflict, "Another Listener on this Load Balancer is already using protocol %s and protocol_port %d",
			r.Protocol, r.ProtocolPort)
	case memberRow:
		return lbaas.Errorf(lbaas.Conflict, "Another member on this pool is already using ip %s on protocol_port %d",
			r.Address, r.ProtocolPort)
	case healthMonitorRow:
		return lbaas.Errorf(lbaas.Conflict, "This pool already has a health monitor")
	}
	return lbaas.Errorf(lbaas.Conflict, "Already an entity with that specified id.")
}
