package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

type availabilityZoneProfileRow struct {
	bun.BaseModel `bun:"table:availability_zone_profiles,alias:availability_zone_profiles"`

	ID        string `bun:"id,pk"`
	Name      string `bun:"name"`
	Provider  string `bun:"provider_name"`
	Data      string `bun:"availability_zone_data"`
	CreatedAt int64  `bun:"created_at,skipupdate"`
	Epoch     int64  `bun:"epoch,skipupdate"`
}

func newAvailabilityZoneProfileRow(p *lbaas.AvailabilityZoneProfile) *availabilityZoneProfileRow {
	return &availabilityZoneProfileRow{ID: p.ID, Name: p.Name, Provider: p.Provider, Data: p.Data}
}

func (r *availabilityZoneProfileRow) domain() *lbaas.AvailabilityZoneProfile {
	return &lbaas.AvailabilityZoneProfile{ID: r.ID, Name: r.Name, Provider: r.Provider, Data: r.Data}
}

var availabilityZoneProfileAttributes = attributes{
	"id": {column: "id"}, "name": {column: "name"}, "provider_name": {column: "provider_name"},
	"availability_zone_data": {column: "availability_zone_data"},
	"created_at":             {column: "created_at", hidden: true},
}

// AvailabilityZoneProfile returns one availability zone profile.
func (s *Store) AvailabilityZoneProfile(ctx context.Context, id string) (*lbaas.AvailabilityZoneProfile, error) {
	row, err := one[availabilityZoneProfileRow](ctx, s.read, lbaas.NounAvailabilityZoneProfile, id)
	if err != nil {
		return nil, err
	}
	return row.domain(), nil
}

// AvailabilityZoneProfiles returns those that a query asks for.
func (s *Store) AvailabilityZoneProfiles(ctx context.Context, q Query) ([]*lbaas.AvailabilityZoneProfile, error) {
	rows, err := list[availabilityZoneProfileRow](ctx, s.read, q, tableAvailabilityZoneProfiles, availabilityZoneProfileAttributes)
	if err != nil {
		return nil, fmt.Errorf("list availability zone profiles: %w", err)
	}
	profiles := make([]*lbaas.AvailabilityZoneProfile, len(rows))
	for i := range rows {
		profiles[i] = rows[i].domain()
	}
	return profiles, nil
}

// CreateAvailabilityZoneProfile keeps a new availability zone profile and gives it an id where it has none.
func (s *Store) CreateAvailabilityZoneProfile(ctx context.Context, p *lbaas.AvailabilityZoneProfile) error {
	if p.ID == "" {
		p.ID = uuid.NewString()
	}
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		row := newAvailabilityZoneProfileRow(p)
		row.CreatedAt = micros(now())
		_, err := tx.NewInsert().Model(row).Exec(ctx)
		switch {
		case duplicate(err):
			return lbaas.Errorf(lbaas.Conflict, "Already an entity with that specified id.")
		case err != nil:
			return fmt.Errorf("insert availability zone profile %s: %w", p.ID, err)
		}
		return nil
	})
}

// UpdateAvailabilityZoneProfile lets fn change an availability zone profile, all but its id, and returns it as it is then. While a zone uses it,
// only its name can change: anything else is a Conflict.
func (s *Store) UpdateAvailabilityZoneProfile(ctx context.Context, id string, fn func(*lbaas.AvailabilityZoneProfile) error) (p *lbaas.AvailabilityZoneProfile, err error) {
	err = s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := held(ctx, tx, tableAvailabilityZoneProfiles, "id", id, lbaas.Missing(lbaas.NounAvailabilityZoneProfile, id)); err != nil {
			return err
		}
		row, err := one[availabilityZoneProfileRow](ctx, tx, lbaas.NounAvailabilityZoneProfile, id)
		if err != nil {
			return err
		}
		p = row.domain()
		if err := fn(p); err != nil {
			return err
		}
		p.ID = id
		if p.Provider != row.Provider || p.Data != row.Data {
			if err := unused(ctx, tx, tableAvailabilityZones, "availability_zone_profile_id", id, "Availability Zone Profile"); err != nil {
				return err
			}
		}
		if _, err := tx.NewUpdate().Model(newAvailabilityZoneProfileRow(p)).WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("update availability zone profile %s: %w", id, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// DeleteAvailabilityZoneProfile removes an availability zone profile that no zone uses. Its errors are NotFound and Conflict.
func (s *Store) DeleteAvailabilityZoneProfile(ctx context.Context, id string) error {
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		missing := lbaas.Missing(lbaas.NounAvailabilityZoneProfile, id)
		if err := held(ctx, tx, tableAvailabilityZoneProfiles, "id", id, missing); err != nil {
			return err
		}
		if err := unused(ctx, tx, tableAvailabilityZones, "availability_zone_profile_id", id, "Availability Zone Profile"); err != nil {
			return err
		}
		if _, err := tx.NewDelete().Table(tableAvailabilityZoneProfiles).Where("id = ?", id).Exec(ctx); err != nil {
			return fmt.Errorf("delete availability zone profile %s: %w", id, err)
		}
		return nil
	})
}
