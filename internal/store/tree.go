package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

// treeRows are the rows of one load balancer, one query per table. Those below listeners are asked for only where there are
// some, which the row of the load balancer comes with.
type treeRows struct {
	lb        loadBalancerRow
	listeners []listenerRow
	pools     []poolRow
	members   []memberRow
	monitors  []healthMonitorRow

	l7Policies        []l7PolicyRow
	l7Rules           []l7RuleRow
	rateLimitPolicies []rateLimitPolicyRow
	rateLimitRules    []rateLimitRuleRow

	flavor, zone map[string]any // the data of their profiles
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
	var t treeRows
	if err := t.head(ctx, db, id); err != nil {
		return treeRows{}, err
	}
	for _, part := range []struct {
		there bool
		rows  any
		order string
	}{
		{true, &t.listeners, "created_at, id"},
		{true, &t.pools, "created_at, id"},
		{true, &t.members, "number"}, // of its pool, in the order in which they came
		{true, &t.monitors, "deleted DESC, created_at, id"},
		{t.lb.HasL7Policies, &t.l7Policies, "position, created_at, id"},
		{t.lb.HasL7Policies, &t.l7Rules, "created_at, id"},
		{t.lb.HasRateLimits, &t.rateLimitPolicies, "created_at, id"},
		{t.lb.HasRateLimits, &t.rateLimitRules, "created_at, id"},
	} {
		if !part.there {
			continue
		}
		sel := db.NewSelect().Model(part.rows).Where("load_balancer_id = ?", id).OrderExpr(part.order)
		if !deleted {
			sel = sel.Where("deleted = ?", false)
		}
		if err := sel.Scan(ctx); err != nil {
			return treeRows{}, fmt.Errorf("read the tree of load balancer %s: %w", id, err)
		}
	}
	return t, t.profiles(ctx, db)
}

// profiles reads the data of the flavor's and the availability zone's profiles, where the load balancer has such.
func (t *treeRows) profiles(ctx context.Context, db bun.IDB) error {
	if t.lb.FlavorID == "" && t.lb.AvailabilityZone == "" {
		return nil
	}
	var flavor, zone string
	err := db.NewSelect().
		ColumnExpr("COALESCE((SELECT p.flavor_data FROM flavors f JOIN flavor_profiles p ON p.id = f.flavor_profile_id"+
			" WHERE f.id = ?), '')", t.lb.FlavorID).
		ColumnExpr("COALESCE((SELECT p.availability_zone_data FROM availability_zones z"+
			" JOIN availability_zone_profiles p ON p.id = z.availability_zone_profile_id WHERE z.name = ?), '')", t.lb.AvailabilityZone).
		Scan(ctx, &flavor, &zone)
	if err != nil {
		return fmt.Errorf("read the profiles of load balancer %s: %w", t.lb.ID, err)
	}
	textJSON(flavor, &t.flavor)
	textJSON(zone, &t.zone)
	return nil
}

// head reads the load balancer's own row.
func (t *treeRows) head(ctx context.Context, db bun.IDB, id string) error {
	err := db.NewSelect().Model(&t.lb).Where("id = ?", id).ColumnExpr("?TableColumns").
		ColumnExpr("EXISTS (SELECT 1 FROM l7policies c WHERE c.load_balancer_id = load_balancers.id) AS has_l7_policies").
		ColumnExpr("EXISTS (SELECT 1 FROM rate_limit_policies c WHERE c.load_balancer_id = load_balancers.id) AS has_rate_limits").
		Scan(ctx)
	if notFound(err) {
		return lbaas.Missing(lbaas.NounLoadBalancer, id)
	}
	if err != nil {
		return fmt.Errorf("read load balancer %s: %w", id, err)
	}
	return nil
}

func (t *treeRows) domain() *lbaas.LoadBalancer {
	lb := t.lb.domain()
	lb.Flavor, lb.Zone = t.flavor, t.zone
	listeners := make(map[string]*lbaas.Listener, len(t.listeners))
	for i := range t.listeners {
		l := t.listeners[i].domain()
		listeners[l.ID] = l
		lb.Listeners = append(lb.Listeners, l)
	}
	t.l7(listeners)
	t.rateLimits(listeners)
	t.poolsInto(lb)
	return lb
}

func (t *treeRows) l7(listeners map[string]*lbaas.Listener) {
	policies := make(map[string]*lbaas.L7Policy, len(t.l7Policies))
	for i := range t.l7Policies {
		p := t.l7Policies[i].domain()
		policies[p.ID] = p
		if l := listeners[p.ListenerID]; l != nil {
			l.L7Policies = append(l.L7Policies, p)
		}
	}
	for i := range t.l7Rules {
		if p := policies[t.l7Rules[i].L7PolicyID]; p != nil {
			p.Rules = append(p.Rules, t.l7Rules[i].domain())
		}
	}
}

func (t *treeRows) rateLimits(listeners map[string]*lbaas.Listener) {
	policies := make(map[string]*lbaas.RateLimitPolicy, len(t.rateLimitPolicies))
	for i := range t.rateLimitPolicies {
		p := t.rateLimitPolicies[i].domain()
		policies[p.ID] = p
		if l := listeners[p.ListenerID]; l != nil {
			l.RateLimitPolicies = append(l.RateLimitPolicies, p)
		}
	}
	for i := range t.rateLimitRules {
		if p := policies[t.rateLimitRules[i].RateLimitPolicyID]; p != nil {
			p.Rules = append(p.Rules, t.rateLimitRules[i].domain())
		}
	}
}

func (t *treeRows) poolsInto(lb *lbaas.LoadBalancer) {
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
}
