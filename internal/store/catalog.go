package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

// The tables of what stands beside the trees.
const (
	tableQuotas                   = "quotas"
	tableFlavors                  = "flavors"
	tableFlavorProfiles           = "flavor_profiles"
	tableFlavorBindings           = "flavor_bindings"
	tableAvailabilityZones        = "availability_zones"
	tableAvailabilityZoneProfiles = "availability_zone_profiles"
	tableAmphorae                 = "amphorae"
)

// changeBeside is change for what stands beside the trees.
func (s *Store) changeBeside(ctx context.Context, fn func(ctx context.Context, tx bun.Tx) error) error {
	return s.change(ctx, "store.changeBeside", fn)
}

// hold makes a row stay as it is until the transaction ends, and tells whether it is there at all. Whoever comes to rely on the row
// (a load balancer on its flavor, a flavor on its profile, a change on a quota) holds it, and so does whoever takes it away or
// changes what others rely on, before looking for them. Looking alone would not do: under READ COMMITTED neither of the two sees
// what the other has not committed, and on a Galera cluster a lock does not reach the other nodes. So the row is written, with a
// value that really changes: the later of the two waits for the commit of the earlier and then sees it (the row is gone, or it has a
// user), or, on another node, is certified against it and starts anew. On SQLite there is one writer anyway.
//
// It is not compared with an epoch that was read before: what depends on the row is read after this, so that nothing can have
// changed since, and of many that wait none has to start anew.
func hold(ctx context.Context, tx bun.Tx, table, key, value string) (bool, error) {
	n, err := affected(tx.NewUpdate().Table(table).Set("epoch = epoch + 1").Where("? = ?", bun.Safe(key), value).Exec(ctx))
	if err != nil {
		return false, fmt.Errorf("hold %s %q of %s: %w", key, value, table, err)
	}
	return n == 1, nil
}

// held is hold of a row without which there is nothing to do.
func held(ctx context.Context, tx bun.Tx, table, key, value string, missing *lbaas.Error) error {
	found, err := hold(ctx, tx, table, key, value)
	if err == nil && !found {
		return missing
	}
	return err
}

// used tells whether a table has a row, not wanted deleted where it has such, with a value in a column. Whoever asks holds
// what the column refers to.
func used(ctx context.Context, tx bun.Tx, table, column, value string) (bool, error) {
	sel := tx.NewSelect().TableExpr(table).ColumnExpr("1").Where("? = ?", bun.Safe(column), value)
	if table == tableLoadBalancers {
		sel = sel.Where("deleted = ?", false)
	}
	found, err := sel.Limit(1).Exists(ctx)
	if err != nil {
		return false, fmt.Errorf("look for %s with the %s %q: %w", table, column, value, err)
	}
	return found, nil
}

// unused refuses when there is such a row, in the API's words.
func unused(ctx context.Context, tx bun.Tx, table, column, value, noun string) error {
	found, err := used(ctx, tx, table, column, value)
	if err == nil && found {
		return lbaas.Errorf(lbaas.Conflict, "%s %s is in use and cannot be modified.", noun, value)
	}
	return err
}

// rely holds the flavor and the availability zone of a load balancer that did not have them before, so that neither
// goes while a load balancer comes to name it.
func (c *Change) rely(lb *lbaas.LoadBalancer, oldFlavor, oldZone string) error {
	if id := lb.FlavorID; id != "" && id != oldFlavor {
		if err := c.relyOnFlavor(id, lb.FlavorProfileID); err != nil {
			return err
		}
	}
	if name := lb.AvailabilityZone; name != "" && name != oldZone {
		return held(c.ctx, c.tx, tableAvailabilityZones, "name", name, lbaas.Missing(lbaas.NounAvailabilityZone, name))
	}
	return nil
}

// relyOnFlavor holds a flavor that has the profile by which it was judged; "" is any.
func (c *Change) relyOnFlavor(id, profileID string) error {
	missing := lbaas.Missing(lbaas.NounFlavor, id)
	if err := held(c.ctx, c.tx, tableFlavors, "id", id, missing); err != nil || profileID == "" {
		return err
	}
	row, err := boundFlavor(c.ctx, c.tx, id)
	if err == nil && row.FlavorProfileID != profileID {
		return missing
	}
	return err
}
