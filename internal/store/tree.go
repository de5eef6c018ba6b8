package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

// treeRows are the rows of one load balancer, one query per table.
type treeRows struct {
	lb        loadBalancerRow
	listeners []listenerRow
	pools     []poolRow
	members   []memberRow
	monitors  []healthMonitorRow
}

// Tree returns a load balancer with its whole live tree as it was at one moment: children that are wanted deleted are not
// in it. A load balancer that is wanted deleted itself is found until it is gone.
func (s *Store) Tree(ctx context.Context, id string) (*lbaas.LoadBalancer, error) {
	return s.tree(ctx, id, false)
}

// StatusTree is Tree with the children that are wanted deleted but not gone yet.
func (s *Store) StatusTree(ctx context.Context, id string) (*lbaas.LoadBalancer, error) {
	return s.tree(ctx, id, true)
}

func (s *Store) tree(ctx context.Context, id string, deleted bool) (*lbaas.LoadBalancer, error) {
	var t treeRows
	err := s.snapshot(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		t, err = readTree(ctx, tx, id, deleted)
		return err
	})
	if err != nil {
		return nil, err
	}
	return t.domain(), nil
}

func readTree(ctx context.Context, db bun.IDB, id string, deleted bool) (treeRows, error) {
	lb, err := one[loadBalancerRow](ctx, db, lbaas.NounLoadBalancer, id)
	if err != nil {
		return treeRows{}, err
	}
	t := treeRows{lb: *lb}
	for _, part := range []struct {
		rows  any
		order string
	}{
		{&t.listeners, "created_at, id"},
		{&t.pools, "created_at, id"},
		{&t.members, "number"}, // of its pool, in the order in which they came
		{&t.monitors, "deleted DESC, created_at, id"},
	} {
		sel := db.NewSelect().Model(part.rows).Where("load_balancer_id = ?", id).OrderExpr(part.order)
		if !deleted {
			sel = sel.Where("deleted = ?", false)
		}
		if err := sel.Scan(ctx); err != nil {
			return treeRows{}, fmt.Errorf("read the tree of load balancer %s: %w", id, err)
		}
	}
	return t, nil
}

func (t *treeRows) domain() *lbaas.LoadBalancer {
	lb := t.lb.domain()
	for i := range t.listeners {
		lb.Listeners = append(lb.Listeners, t.listeners[i].domain())
	}
	pools := make(map[string]*lbaas.Pool, len(t.pools))
	for i := range t.pools {
		p := t.pools[i].domain()
		pools[p.ID] = p
		lb.Pools = append(lb.Pools, p)
	}
	for i := range t.members {
		if p := pools[t.members[i].PoolID]; p != nil {
			p.Members = append(p.Members, t.members[i].domain())
		}
	}
	for i := range t.monitors {
		if p := pools[t.monitors[i].PoolID]; p != nil {
			p.HealthMonitor = t.monitors[i].domain() // the live one comes last
		}
	}
	return lb
}
