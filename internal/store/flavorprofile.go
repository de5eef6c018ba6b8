package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

type flavorProfileRow struct {
	bun.BaseModel `bun:"table:flavor_profiles,alias:flavor_profiles"`

	ID          string  `bun:"id,pk"`
	Name        string  `bun:"name"`
	Provider    string  `bun:"provider_name"`
	Data        string  `bun:"flavor_data"`
	Description string  `bun:"description"`
	Enabled     bool    `bun:"enabled"`
	Driver      string  `bun:"driver"`   // as Neutron's clients wrote it; "" is as the provider's name
	Metainfo    *string `bun:"metainfo"` // as Neutron's clients wrote it; nil is as the data
	CreatedAt   int64   `bun:"created_at,skipupdate"`
	Epoch       int64   `bun:"epoch,skipupdate"`
}

func newFlavorProfileRow(p *lbaas.FlavorProfile) *flavorProfileRow {
	return &flavorProfileRow{ID: p.ID, Name: p.Name, Provider: p.Provider, Data: p.Data, Enabled: !p.Disabled}
}

func (r *flavorProfileRow) domain() *lbaas.FlavorProfile {
	return &lbaas.FlavorProfile{ID: r.ID, Name: r.Name, Provider: r.Provider, Data: r.Data, Disabled: !r.Enabled}
}

// rewrite takes what Octavia's clients may change. What Neutron's wrote of it counts no more.
func (r *flavorProfileRow) rewrite(p *lbaas.FlavorProfile) {
	if p.Provider != r.Provider {
		r.Driver = ""
	}
	if p.Data != r.Data {
		r.Metainfo = nil
	}
	r.Name, r.Provider, r.Data = p.Name, p.Provider, p.Data
}

var flavorProfileAttributes = attributes{
	"id": {column: "id"}, "name": {column: "name"}, "provider_name": {column: "provider_name"},
	"flavor_data": {column: "flavor_data"},
	"created_at":  {column: "created_at", hidden: true},
}

// FlavorProfile returns one flavor profile.
func (s *Store) FlavorProfile(ctx context.Context, id string) (*lbaas.FlavorProfile, error) {
	row, err := one[flavorProfileRow](ctx, s.read, lbaas.NounFlavorProfile, id)
	if err != nil {
		return nil, err
	}
	return row.domain(), nil
}

// FlavorProfiles returns those that a query asks for.
func (s *Store) FlavorProfiles(ctx context.Context, q Query) ([]*lbaas.FlavorProfile, error) {
	rows, err := list[flavorProfileRow](ctx, s.read, q, tableFlavorProfiles, flavorProfileAttributes)
	if err != nil {
		return nil, fmt.Errorf("list flavor profiles: %w", err)
	}
	profiles := make([]*lbaas.FlavorProfile, len(rows))
	for i := range rows {
		profiles[i] = rows[i].domain()
	}
	return profiles, nil
}

// CreateFlavorProfile keeps a new flavor profile and gives it an id where it has none.
func (s *Store) CreateFlavorProfile(ctx context.Context, p *lbaas.FlavorProfile) error {
	if p.ID == "" {
		p.ID = uuid.NewString()
	}
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		row := newFlavorProfileRow(p)
		row.CreatedAt = micros(now())
		_, err := tx.NewInsert().Model(row).Exec(ctx)
		switch {
		case duplicate(err):
			return lbaas.Errorf(lbaas.Conflict, "Already an entity with that specified id.")
		case err != nil:
			return fmt.Errorf("insert flavor profile %s: %w", p.ID, err)
		}
		return nil
	})
}

// UpdateFlavorProfile lets fn change a flavor profile, all but its id and whether it is disabled, and returns it as it is then. While a flavor uses it,
// only its name can change: anything else is a Conflict.
func (s *Store) UpdateFlavorProfile(ctx context.Context, id string, fn func(*lbaas.FlavorProfile) error) (p *lbaas.FlavorProfile, err error) {
	err = s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := held(ctx, tx, tableFlavorProfiles, "id", id, lbaas.Missing(lbaas.NounFlavorProfile, id)); err != nil {
			return err
		}
		row, err := one[flavorProfileRow](ctx, tx, lbaas.NounFlavorProfile, id)
		if err != nil {
			return err
		}
		p = row.domain()
		if err := fn(p); err != nil {
			return err
		}
		p.ID, p.Disabled = id, !row.Enabled
		if p.Provider != row.Provider || p.Data != row.Data {
			if err := profileUnused(ctx, tx, id); err != nil {
				return err
			}
		}
		row.rewrite(p)
		if _, err := tx.NewUpdate().Model(row).WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("update flavor profile %s: %w", id, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// DeleteFlavorProfile removes a flavor profile that no flavor uses. Its errors are NotFound and Conflict.
func (s *Store) DeleteFlavorProfile(ctx context.Context, id string) error {
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		missing := lbaas.Missing(lbaas.NounFlavorProfile, id)
		if err := held(ctx, tx, tableFlavorProfiles, "id", id, missing); err != nil {
			return err
		}
		if err := profileUnused(ctx, tx, id); err != nil {
			return err
		}
		if _, err := tx.NewDelete().Table(tableFlavorProfiles).Where("id = ?", id).Exec(ctx); err != nil {
			return fmt.Errorf("delete flavor profile %s: %w", id, err)
		}
		return nil
	})
}

// profileUnused refuses when a flavor uses the profile. Whoever asks holds it.
func profileUnused(ctx context.Context, tx bun.Tx, id string) error {
	if err := unused(ctx, tx, tableFlavors, "flavor_profile_id", id, "Flavor profile"); err != nil {
		return err
	}
	return unused(ctx, tx, tableFlavorBindings, "profile_id", id, "Flavor profile")
}
