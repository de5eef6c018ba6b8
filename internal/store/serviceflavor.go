package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

// Flavors as Neutron has them: names are not unique, and there may be any number of profiles, of which the first counts. That one is
// in the flavor's row, where load balancers' trees look for it; those after it are bindings.

type flavorBindingRow struct {
	bun.BaseModel `bun:"table:flavor_bindings,alias:flavor_bindings"`

	FlavorID  string `bun:"flavor_id,pk"`
	ProfileID string `bun:"profile_id,pk"`
	Position  int64  `bun:"position"`
}

var serviceFlavorAttributes = attributes{
	"id": {column: "id"}, "name": {column: shownName}, "description": {column: "description"},
	"enabled": {column: "enabled", value: boolean}, "service_type": {column: "service_type"},
	"created_at": {column: "created_at", hidden: true},
}

// ServiceFlavor returns one flavor.
func (s *Store) ServiceFlavor(ctx context.Context, id string) (f *network.ServiceFlavor, err error) {
	err = s.snapshot(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		f, err = serviceFlavor(ctx, tx, id)
		return err
	})
	return f, err
}

func serviceFlavor(ctx context.Context, db bun.IDB, id string) (*network.ServiceFlavor, error) {
	row, err := rowOf[flavorRow](ctx, db, id)
	if notFound(err) {
		return nil, network.FlavorNotFound(id)
	}
	if err != nil {
		return nil, fmt.Errorf("read flavor %s: %w", id, err)
	}
	flavors, err := serviceFlavorsOf(ctx, db, []flavorRow{*row})
	if err != nil {
		return nil, err
	}
	return flavors[0], nil
}

// ServiceFlavors returns those that a query asks for.
func (s *Store) ServiceFlavors(ctx context.Context, q Query) (flavors []*network.ServiceFlavor, err error) {
	err = s.snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
		rows, err := list[flavorRow](ctx, tx, q, tableFlavors, serviceFlavorAttributes)
		if err != nil {
			return fmt.Errorf("list service flavors: %w", err)
		}
		flavors, err = serviceFlavorsOf(ctx, tx, rows)
		return err
	})
	return flavors, err
}

// serviceFlavorsOf adds the ids of the profiles.
func serviceFlavorsOf(ctx context.Context, db bun.IDB, rows []flavorRow) ([]*network.ServiceFlavor, error) {
	flavors := make([]*network.ServiceFlavor, len(rows))
	byID := make(map[string]*network.ServiceFlavor, len(rows))
	var ids []string
	for i, r := range rows {
		f := &network.ServiceFlavor{ID: r.ID, Name: r.shown(), Description: r.Description, Enabled: r.Enabled}
		if r.FlavorProfileID != "" {
			f.ProfileIDs = []string{r.FlavorProfileID}
		}
		flavors[i], byID[r.ID] = f, f
		ids = append(ids, r.ID)
	}
	for some := range slices.Chunk(ids, idChunk) {
		var bindings []flavorBindingRow
		err := db.NewSelect().Model(&bindings).Where("flavor_id IN (?)", bun.List(some)).OrderExpr("position, profile_id").Scan(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the profiles of %d flavors: %w", len(some), err)
		}
		for _, b := range bindings {
			byID[b.FlavorID].ProfileIDs = append(byID[b.FlavorID].ProfileIDs, b.ProfileID)
		}
	}
	return flavors, nil
}

// CreateServiceFlavors keeps new flavors, without profiles, and gives them ids.
func (s *Store) CreateServiceFlavors(ctx context.Context, flavors []*network.ServiceFlavor) error {
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		var rows []*flavorRow
		for _, f := range flavors {
			f.ID = uuid.NewString()
			row := &flavorRow{ID: f.ID, Description: f.Description, Enabled: f.Enabled, CreatedAt: micros(now())}
			row.call(f.Name)
			rows = append(rows, row)
		}
		if err := insert(ctx, tx, rows); err != nil {
			return fmt.Errorf("insert %d flavors: %w", len(rows), err)
		}
		return nil
	})
}

// call gives a flavor a name that others may have, too.
func (r *flavorRow) call(name string) { r.Name, r.OwnName = r.ID, &name }

// UpdateServiceFlavor lets fn change a flavor's name and description and whether it is enabled, and returns it as it is then.
func (s *Store) UpdateServiceFlavor(ctx context.Context, id string, fn func(*network.ServiceFlavor) error) (f *network.ServiceFlavor, err error) {
	err = s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		if f, err = heldFlavor(ctx, tx, id); err != nil {
			return err
		}
		row, err := one[flavorRow](ctx, tx, lbaas.NounFlavor, id)
		if err != nil {
			return err
		}
		profiles := f.ProfileIDs
		if err := fn(f); err != nil {
			return err
		}
		f.ID, f.ProfileIDs = id, profiles
		if f.Name != row.shown() {
			row.call(f.Name)
		}
		row.Description, row.Enabled = f.Description, f.Enabled
		if _, err := tx.NewUpdate().Model(row).WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("update flavor %s: %w", id, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// heldFlavor reads a flavor that stays as it is until the transaction ends.
func heldFlavor(ctx context.Context, tx bun.Tx, id string) (*network.ServiceFlavor, error) {
	if err := held(ctx, tx, tableFlavors, "id", id, network.FlavorNotFound(id)); err != nil {
		return nil, err
	}
	return serviceFlavor(ctx, tx, id)
}

// DeleteServiceFlavor removes a flavor that no load balancer has, with its bindings.
func (s *Store) DeleteServiceFlavor(ctx context.Context, id string) error {
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := held(ctx, tx, tableFlavors, "id", id, network.FlavorNotFound(id)); err != nil {
			return err
		}
		if err := flavorUnused(ctx, tx, id); err != nil {
			return err
		}
		return dropFlavor(ctx, tx, id)
	})
}

// flavorUnused refuses when a load balancer has the flavor. Whoever asks holds it.
func flavorUnused(ctx context.Context, tx bun.Tx, id string) error {
	found, err := used(ctx, tx, tableLoadBalancers, "flavor_id", id)
	if err == nil && found {
		return network.FlavorInUse(id)
	}
	return err
}

// BindServiceProfile associates a profile with a flavor, after those that it has. As a first one it makes the flavor one that
// load balancers can have.
func (s *Store) BindServiceProfile(ctx context.Context, flavorID, profileID string) error {
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		f, err := heldFlavor(ctx, tx, flavorID)
		if err != nil {
			return err
		}
		if err := held(ctx, tx, tableFlavorProfiles, "id", profileID, network.ServiceProfileNotFound(profileID)); err != nil {
			return err
		}
		switch {
		case slices.Contains(f.ProfileIDs, profileID):
			return network.ServiceProfileBound(flavorID, profileID)
		case len(f.ProfileIDs) == 0:
			return setFirstProfile(ctx, tx, flavorID, profileID)
		}
		row := flavorBindingRow{FlavorID: flavorID, ProfileID: profileID}
		err = tx.NewSelect().Table(tableFlavorBindings).ColumnExpr("COALESCE(MAX(position), 0) + 1").Where("flavor_id = ?", flavorID).Scan(ctx, &row.Position)
		if err != nil {
			return fmt.Errorf("look for the last profile of flavor %s: %w", flavorID, err)
		}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return fmt.Errorf("bind profile %s to flavor %s: %w", profileID, flavorID, err)
		}
		return nil
	})
}

func setFirstProfile(ctx context.Context, tx bun.Tx, flavorID, profileID string) error {
	_, err := tx.NewUpdate().Table(tableFlavors).Set("flavor_profile_id = ?", profileID).Where("id = ?", flavorID).Exec(ctx)
	if err != nil {
		return fmt.Errorf("set the first profile of flavor %s: %w", flavorID, err)
	}
	return nil
}

// UnbindServiceProfile takes a profile away from a flavor. The first one stays while a load balancer has the flavor; after it the
// next one is the first.
func (s *Store) UnbindServiceProfile(ctx context.Context, flavorID, profileID string) error {
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		f, err := heldFlavor(ctx, tx, flavorID)
		if err != nil {
			return err
		}
		gone := profileID
		switch at := slices.Index(f.ProfileIDs, profileID); {
		case at < 0:
			return network.ServiceProfileNotBound(flavorID, profileID)
		case at == 0:
			if err := flavorUnused(ctx, tx, flavorID); err != nil {
				return err
			}
			gone = append(f.ProfileIDs, "")[1]
			if err := setFirstProfile(ctx, tx, flavorID, gone); err != nil {
				return err
			}
		}
		_, err = tx.NewDelete().Table(tableFlavorBindings).Where("flavor_id = ? AND profile_id = ?", flavorID, gone).Exec(ctx)
		if err != nil {
			return fmt.Errorf("take profile %s from flavor %s: %w", profileID, flavorID, err)
		}
		return nil
	})
}
