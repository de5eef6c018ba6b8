package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

// Flavor profiles as Neutron has them.

var serviceProfileAttributes = attributes{
	"id": {column: "id"}, "description": {column: "description"}, "enabled": {column: "enabled", value: boolean},
	"driver":     {column: "CASE WHEN driver = '' THEN provider_name ELSE driver END"},
	"metainfo":   {column: "COALESCE(metainfo, flavor_data)"},
	"created_at": {column: "created_at", hidden: true},
}

func (r *flavorProfileRow) service() *network.ServiceProfile {
	p := &network.ServiceProfile{
		ID: r.ID, Description: r.Description, Driver: cmp.Or(r.Driver, r.Provider), Metainfo: r.Data, Enabled: r.Enabled, Provider: r.Provider, Data: r.Data,
	}
	if r.Metainfo != nil {
		p.Metainfo = *r.Metainfo
	}
	return p
}

// say takes what Neutron's clients may write.
func (r *flavorProfileRow) say(p *network.ServiceProfile) {
	r.Description, r.Enabled, r.Driver, r.Metainfo, r.Provider, r.Data = p.Description, p.Enabled, p.Driver, &p.Metainfo, p.Provider, p.Data
}

// ServiceProfile returns one service profile.
func (s *Store) ServiceProfile(ctx context.Context, id string) (*network.ServiceProfile, error) {
	row, err := serviceProfileRow(ctx, s.read, id)
	if err != nil {
		return nil, err
	}
	return row.service(), nil
}

func serviceProfileRow(ctx context.Context, db bun.IDB, id string) (*flavorProfileRow, error) {
	row, err := one[flavorProfileRow](ctx, db, lbaas.NounFlavorProfile, id)
	if errors.Is(err, lbaas.NotFound) {
		return nil, network.ServiceProfileNotFound(id)
	}
	return row, err
}

// ServiceProfiles returns those that a query asks for.
func (s *Store) ServiceProfiles(ctx context.Context, q Query) ([]*network.ServiceProfile, error) {
	rows, err := list[flavorProfileRow](ctx, s.read, q, tableFlavorProfiles, serviceProfileAttributes)
	if err != nil {
		return nil, fmt.Errorf("list service profiles: %w", err)
	}
	profiles := make([]*network.ServiceProfile, len(rows))
	for i := range rows {
		profiles[i] = rows[i].service()
	}
	return profiles, nil
}

// CreateServiceProfiles keeps new service profiles and gives them ids.
func (s *Store) CreateServiceProfiles(ctx context.Context, profiles []*network.ServiceProfile) error {
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		var rows []*flavorProfileRow
		for _, p := range profiles {
			p.ID = uuid.NewString()
			row := &flavorProfileRow{ID: p.ID, CreatedAt: micros(now())}
			row.say(p)
			rows = append(rows, row)
		}
		if err := insert(ctx, tx, rows); err != nil {
			return fmt.Errorf("insert %d service profiles: %w", len(rows), err)
		}
		return nil
	})
}

// UpdateServiceProfile lets fn change a service profile that no flavor has, all but its id, and returns it as it is then.
func (s *Store) UpdateServiceProfile(ctx context.Context, id string, fn func(*network.ServiceProfile) error) (p *network.ServiceProfile, err error) {
	err = s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		row, err := freeServiceProfile(ctx, tx, id)
		if err != nil {
			return err
		}
		p = row.service()
		if err := fn(p); err != nil {
			return err
		}
		p.ID = id
		row.say(p)
		if _, err := tx.NewUpdate().Model(row).WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("update service profile %s: %w", id, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// freeServiceProfile reads a service profile that no flavor has, and gets, until the transaction ends.
func freeServiceProfile(ctx context.Context, tx bun.Tx, id string) (*flavorProfileRow, error) {
	if err := held(ctx, tx, tableFlavorProfiles, "id", id, network.ServiceProfileNotFound(id)); err != nil {
		return nil, err
	}
	err := profileUnused(ctx, tx, id)
	if errors.Is(err, lbaas.Conflict) {
		return nil, network.ServiceProfileInUse(id)
	}
	if err != nil {
		return nil, err
	}
	return serviceProfileRow(ctx, tx, id)
}

// DeleteServiceProfile removes a service profile that no flavor has.
func (s *Store) DeleteServiceProfile(ctx context.Context, id string) error {
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := freeServiceProfile(ctx, tx, id); err != nil {
			return err
		}
		if _, err := tx.NewDelete().Table(tableFlavorProfiles).Where("id = ?", id).Exec(ctx); err != nil {
			return fmt.Errorf("delete service profile %s: %w", id, err)
		}
		return nil
	})
}

// UsableServiceProfile returns the service profile that a load balancer of a flavor gets, or says in Neutron's words why it gets
// none.
func (s *Store) UsableServiceProfile(ctx context.Context, flavorID string) (*network.ServiceProfile, error) {
	f, err := s.ServiceFlavor(ctx, flavorID)
	if err != nil {
		return nil, err
	}
	if !f.Enabled {
		return nil, network.FlavorDisabled()
	}
	return s.firstServiceProfile(ctx, f)
}

// NextServiceProfile is UsableServiceProfile whether or not the flavor is enabled.
func (s *Store) NextServiceProfile(ctx context.Context, flavorID string) (*network.ServiceProfile, error) {
	f, err := s.ServiceFlavor(ctx, flavorID)
	if err != nil {
		return nil, err
	}
	return s.firstServiceProfile(ctx, f)
}

func (s *Store) firstServiceProfile(ctx context.Context, f *network.ServiceFlavor) (*network.ServiceProfile, error) {
	if len(f.ProfileIDs) == 0 {
		return nil, network.ServiceProfileNotBound(f.ID, "")
	}
	p, err := s.ServiceProfile(ctx, f.ProfileIDs[0])
	switch {
	case err != nil:
		return nil, err
	case !p.Enabled:
		return nil, network.ServiceProfileDisabled()
	case p.Provider == "":
		return nil, network.ServiceProfileDriverNotFound(p.Driver)
	}
	return p, nil
}
