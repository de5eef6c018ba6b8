package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

type flavorRow struct {
	bun.BaseModel `bun:"table:flavors,alias:flavors"`

	ID              string  `bun:"id,pk"`
	Name            string  `bun:"name"`
	OwnName         *string `bun:"own_name"` // instead of the name, which is the id then; nil is none
	Description     string  `bun:"description"`
	Enabled         bool    `bun:"enabled"`
	FlavorProfileID string  `bun:"flavor_profile_id,skipupdate"`
	CreatedAt       int64   `bun:"created_at,skipupdate"`
	Epoch           int64   `bun:"epoch,skipupdate"`
}

// shownName is a flavor's name as SQL, as both faces show it.
const shownName = "COALESCE(own_name, name)"

// boundFlavors are the flavors that load balancers can have: those with a profile.
const boundFlavors = "(SELECT * FROM flavors WHERE flavor_profile_id <> '') AS flavors"

func newFlavorRow(f *lbaas.Flavor) *flavorRow {
	return &flavorRow{ID: f.ID, Name: f.Name, Description: f.Description, Enabled: f.Enabled, FlavorProfileID: f.FlavorProfileID}
}

func (r *flavorRow) domain() *lbaas.Flavor {
	return &lbaas.Flavor{ID: r.ID, Name: r.shown(), Description: r.Description, Enabled: r.Enabled, FlavorProfileID: r.FlavorProfileID}
}

func (r *flavorRow) shown() string {
	if r.OwnName != nil {
		return *r.OwnName
	}
	return r.Name
}

var flavorAttributes = attributes{
	"id": {column: "id"}, "name": {column: shownName}, "description": {column: "description"},
	"enabled":           {column: "enabled", value: boolean},
	"flavor_profile_id": {column: "flavor_profile_id"},
	"created_at":        {column: "created_at", hidden: true},
}

// Flavor returns one flavor. One without a profile, which only Neutron knows, is none.
func (s *Store) Flavor(ctx context.Context, id string) (*lbaas.Flavor, error) {
	row, err := boundFlavor(ctx, s.read, id)
	if err != nil {
		return nil, err
	}
	return row.domain(), nil
}

func boundFlavor(ctx context.Context, db bun.IDB, id string) (*flavorRow, error) {
	row, err := one[flavorRow](ctx, db, lbaas.NounFlavor, id)
	if err == nil && row.FlavorProfileID == "" {
		err = lbaas.Missing(lbaas.NounFlavor, id)
	}
	return row, err
}

// Flavors returns those that a query asks for, of those that have a profile.
func (s *Store) Flavors(ctx context.Context, q Query) ([]*lbaas.Flavor, error) {
	rows, err := list[flavorRow](ctx, s.read, q, boundFlavors, flavorAttributes)
	if err != nil {
		return nil, fmt.Errorf("list flavors: %w", err)
	}
	flavors := make([]*lbaas.Flavor, len(rows))
	for i := range rows {
		flavors[i] = rows[i].domain()
	}
	return flavors, nil
}

// CreateFlavor keeps a new flavor and gives it an id where it has none. Its errors are NotFound for a profile that is not there
// and Conflict for a name that is taken.
func (s *Store) CreateFlavor(ctx context.Context, f *lbaas.Flavor) error {
	if f.ID == "" {
		f.ID = uuid.NewString()
	}
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		missing := lbaas.Missing(lbaas.NounFlavorProfile, f.FlavorProfileID)
		if err := held(ctx, tx, tableFlavorProfiles, "id", f.FlavorProfileID, missing); err != nil {
			return err
		}
		if err := unnamed(ctx, tx, f.Name); err != nil {
			return err
		}
		row := newFlavorRow(f)
		row.CreatedAt = micros(now())
		_, err := tx.NewInsert().Model(row).Exec(ctx)
		return flavorWritten(err, f)
	})
}

// unnamed refuses a name that a flavor has. Of two that take one at once the key of the table refuses the later.
func unnamed(ctx context.Context, tx bun.Tx, name string) error {
	found, err := used(ctx, tx, tableFlavors, shownName, name)
	if err == nil && found {
		return flavorNamed(name)
	}
	return err
}

func flavorNamed(name string) error {
	return lbaas.Errorf(lbaas.Conflict, "A flavor of %s already exists.", name)
}

// UpdateFlavor lets fn change a flavor, all but its id and its profile, and returns it as it is then.
func (s *Store) UpdateFlavor(ctx context.Context, id string, fn func(*lbaas.Flavor) error) (f *lbaas.Flavor, err error) {
	err = s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := held(ctx, tx, tableFlavors, "id", id, lbaas.Missing(lbaas.NounFlavor, id)); err != nil {
			return err
		}
		row, err := boundFlavor(ctx, tx, id)
		if err != nil {
			return err
		}
		f = row.domain()
		if err := fn(f); err != nil {
			return err
		}
		f.ID, f.FlavorProfileID = id, row.FlavorProfileID
		if f.Name != row.shown() {
			if err := unnamed(ctx, tx, f.Name); err != nil {
				return err
			}
			row.Name, row.OwnName = f.Name, nil
		}
		row.Description, row.Enabled = f.Description, f.Enabled
		_, err = tx.NewUpdate().Model(row).WherePK().Exec(ctx)
		return flavorWritten(err, f)
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func flavorWritten(err error, f *lbaas.Flavor) error {
	switch {
	case duplicate(err):
		return flavorNamed(f.Name)
	case err != nil:
		return fmt.Errorf("write flavor %s: %w", f.ID, err)
	}
	return nil
}

// DeleteFlavor removes a flavor that no load balancer has, but for those that are wanted deleted. Its errors are NotFound and Conflict.
func (s *Store) DeleteFlavor(ctx context.Context, id string) error {
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := held(ctx, tx, tableFlavors, "id", id, lbaas.Missing(lbaas.NounFlavor, id)); err != nil {
			return err
		}
		if _, err := boundFlavor(ctx, tx, id); err != nil {
			return err
		}
		if err := unused(ctx, tx, tableLoadBalancers, "flavor_id", id, "Flavor"); err != nil {
			return err
		}
		return dropFlavor(ctx, tx, id)
	})
}

// dropFlavor removes a flavor with what binds profiles to it.
func dropFlavor(ctx context.Context, tx bun.Tx, id string) error {
	if _, err := tx.NewDelete().Table(tableFlavors).Where("id = ?", id).Exec(ctx); err != nil {
		return fmt.Errorf("delete flavor %s: %w", id, err)
	}
	if _, err := tx.NewDelete().Table(tableFlavorBindings).Where("flavor_id = ?", id).Exec(ctx); err != nil {
		return fmt.Errorf("delete the profiles' bindings of flavor %s: %w", id, err)
	}
	return nil
}
