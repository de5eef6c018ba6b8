package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

// Change is a change to one load balancer, in a transaction that has its row: nobody else changes the load balancer
// meanwhile. It may be run again from the start, so it has no effect but through its methods.
type Change struct {
	// LB is the load balancer with its whole live tree: objects that are wanted deleted are not in it. Put, Delete and
	// Touch keep it in step.
	LB *lbaas.LoadBalancer

	ctx  context.Context // that of the transaction, which the Change does not outlive
	tx   bun.Tx
	time time.Time // of the change
	born time.Time // of the object that was made last: each is a little later, so that the order in which they came lasts

	lb        loadBalancerRow
	listeners shelf[listenerRow]
	pools     shelf[poolRow]
	members   shelf[memberRow]
	monitors  shelf[healthMonitorRow]

	l7Policies        shelf[l7PolicyRow]
	l7Rules           shelf[l7RuleRow]
	rateLimitPolicies shelf[rateLimitPolicyRow]
	rateLimitRules    shelf[rateLimitRuleRow]

	numbers map[string]int64    // the last number of the pools that got members
	doomed  map[string][]string // by table, the ids to mark as deleted, before anything on the shelves is written
	grown   map[string]int64    // by table, how many rows were inserted, less those that were marked as deleted
	refs    map[string]bool     // the ids of secrets and containers that listeners and pools come to refer to
}

// ChangeLoadBalancer runs fn in one transaction in which the load balancer's generation has been bumped and its whole live
// tree read; the loop is told once it is committed. The database may make it start anew, with a fresh tree. fn must not call other
// methods of the store that write: SQLite has one writer, and this is it. The error is NotFound for a load balancer that is not
// there, Immutable for one that is wanted deleted, QuotaExceeded for a project that would have too much, and else what fn gives.
func (s *Store) ChangeLoadBalancer(ctx context.Context, id string, fn func(c *Change) error) error {
	err := s.change(ctx, "store.changeLoadBalancer", func(ctx context.Context, tx bun.Tx) error {
		c, err := s.begin(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := fn(c); err != nil {
			return err
		}
		if err := c.flush(); err != nil {
			return err
		}
		return s.checkQuotas(ctx, tx, c.LB.ProjectID, c.grown)
	})
	if err != nil {
		return err
	}
	s.hint(Hint{LoadBalancerID: id})
	return nil
}

// begin bumps the generation first: that takes the row's lock, or on a Galera cluster makes the later of two commits fail
// and start anew, so that changes to one load balancer come one after the other and each sees what the last one wrote.
func (s *Store) begin(ctx context.Context, tx bun.Tx, id string) (*Change, error) {
	t := now()
	n, err := affected(s.bump(tx, t).Where("id = ?", id).Exec(ctx))
	if err != nil {
		return nil, fmt.Errorf("begin a change of load balancer %s: %w", id, err)
	}
	if n == 0 {
		return nil, closed(ctx, tx, id)
	}
	rows, err := readTree(ctx, tx, id, false)
	if err != nil {
		return nil, err
	}
	return newChange(ctx, tx, t, rows), nil
}

// bump makes load balancers pending, in a new generation of which nothing has failed yet. Which ones, the caller says; those
// that are wanted deleted are not among them.
func (s *Store) bump(tx bun.Tx, t time.Time) *bun.UpdateQuery {
	// MariaDB assigns from left to right and sees the new values: pending_since must come before failed.
	return tx.NewUpdate().Table(tableLoadBalancers).
		Set("pending_since = CASE WHEN pending_since = 0 OR failed THEN ? ELSE pending_since END", s.clock()).
		Set("generation = generation + 1").
		Set("failed = ?", false).Set("reason = ''").Set("updated_at = ?", micros(t)).
		Where("deleted = ?", false)
}

// closed says why a load balancer takes no changes.
func closed(ctx context.Context, tx bun.Tx, id string) error {
	if _, err := one[loadBalancerRow](ctx, tx, lbaas.NounLoadBalancer, id); err != nil {
		return err
	}
	return lbaas.Errorf(lbaas.Immutable, "%s %s is immutable and cannot be updated.", lbaas.NounLoadBalancer, id)
}

func newChange(ctx context.Context, tx bun.Tx, t time.Time, rows treeRows) *Change {
	return &Change{
		LB:  rows.domain(),
		ctx: ctx, tx: tx, time: t, born: t,
		lb:        rows.lb,
		listeners: newShelf(rows.listeners),
		pools:     newShelf(rows.pools),
		members:   newShelf(rows.members),
		monitors:  newShelf(rows.monitors),

		l7Policies:        newShelf(rows.l7Policies),
		l7Rules:           newShelf(rows.l7Rules),
		rateLimitPolicies: newShelf(rows.rateLimitPolicies),
		rateLimitRules:    newShelf(rows.rateLimitRules),

		numbers: map[string]int64{},
		doomed:  map[string][]string{},
		grown:   map[string]int64{},
		refs:    map[string]bool{},
	}
}

// CreateLoadBalancer inserts a load balancer with the tree that it carries, at generation 1, and fills in ids, times and
// progress. Its errors are those of Change.Put, NotFound for a flavor or an availability zone that is not there, and QuotaExceeded.
func (s *Store) CreateLoadBalancer(ctx context.Context, lb *lbaas.LoadBalancer) error {
	identify(lb)
	parts, wanted := lb.Parts()[1:], positionsOf(lb)
	err := s.change(ctx, "store.createLoadBalancer", func(ctx context.Context, tx bun.Tx) error {
		t := now()
		lb.CreatedAt, lb.UpdatedAt = t, time.Time{}
		lb.Progress, lb.Operating = lbaas.Progress{Generation: 1}, lbaas.Offline
		row := newLoadBalancerRow(lb)
		if _, err := tx.NewInsert().Model(&row).Value("pending_since", "?", s.clock()).Exec(ctx); err != nil {
			if duplicate(err) {
				return lbaas.Errorf(lbaas.Conflict, "Already an entity with that specified id.")
			}
			return fmt.Errorf("insert load balancer %s: %w", lb.ID, err)
		}
		c := newChange(ctx, tx, t, treeRows{lb: row})
		c.LB = bare(lb) // the parts come in one by one, each checked against those before it
		wanted.restore()
		if err := c.Put(parts...); err != nil {
			return err
		}
		if err := c.flush(); err != nil {
			return err
		}
		if err := c.rely(lb, "", ""); err != nil { // late, since others wait for what is held
			return err
		}
		c.grown[tableLoadBalancers]++
		return s.checkQuotas(ctx, tx, lb.ProjectID, c.grown)
	})
	if err != nil {
		return err
	}
	s.hint(Hint{LoadBalancerID: lb.ID, Network: true}) // its host may have to guard the VIP, of which it could not know whose it is
	return nil
}

// bare is a copy of a load balancer without its tree.
func bare(lb *lbaas.LoadBalancer) *lbaas.LoadBalancer {
	b := *lb
	b.Listeners, b.Pools = nil, nil
	return &b
}

// identify gives ids to the objects of a tree that have none, and tells those below listeners and pools whose they are.
func identify(lb *lbaas.LoadBalancer) {
	for _, p := range lb.Parts() {
		giveID(p.Base())
	}
	for _, p := range lb.Pools {
		for _, m := range p.Members {
			m.PoolID = p.ID
		}
		if p.HealthMonitor != nil {
			p.HealthMonitor.PoolID = p.ID
		}
	}
	for _, l := range lb.Listeners {
		identifyBelow(l)
	}
}

func identifyBelow(l *lbaas.Listener) {
	for _, p := range l.L7Policies {
		p.ListenerID = l.ID
		for _, r := range p.Rules {
			r.L7PolicyID = p.ID
		}
	}
	for _, p := range l.RateLimitPolicies {
		p.ListenerID = l.ID
		for _, r := range p.Rules {
			r.RateLimitPolicyID = p.ID
		}
	}
}

// FailOver asks for new instances of the data plane in place of those that are older than this change.
func (c *Change) FailOver() error {
	c.LB.FailedOver = c.LB.Progress.Generation
	return c.Put(c.LB)
}
