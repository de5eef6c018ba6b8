package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

type availabilityZoneRow struct {
	bun.BaseModel `bun:"table:availability_zones,alias:availability_zones"`

	Name        string `bun:"name,pk"`
	Description string `bun:"description"`
	Enabled     bool   `bun:"enabled"`
	ProfileID   string `bun:"availability_zone_profile_id,skipupdate"`
	CreatedAt   int64  `bun:"created_at,skipupdate"`
	Epoch       int64  `bun:"epoch,skipupdate"`
}

func newAvailabilityZoneRow(z *lbaas.AvailabilityZone) *availabilityZoneRow {
	return &availabilityZoneRow{Name: z.Name, Description: z.Description, Enabled: z.Enabled, ProfileID: z.ProfileID}
}

func (r *availabilityZoneRow) domain() *lbaas.AvailabilityZone {
	return &lbaas.AvailabilityZone{Name: r.Name, Description: r.Description, Enabled: r.Enabled, ProfileID: r.ProfileID}
}

// The name is the key: it is also what markers name.
var availabilityZoneAttributes = attributes{
	"id": {column: "name", hidden: true}, "name": {column: "name"}, "description": {column: "description"},
	"enabled":                      {column: "enabled", value: boolean},
	"availability_zone_profile_id": {column: "availability_zone_profile_id"},
	"created_at":                   {column: "created_at", hidden: true},
}

// AvailabilityZone returns the availability zone of a name.
func (s *Store) AvailabilityZone(ctx context.Context, name string) (*lbaas.AvailabilityZone, error) {
	return zoneNamed(ctx, s.read, name)
}

func zoneNamed(ctx context.Context, db bun.IDB, name string) (*lbaas.AvailabilityZone, error) {
	var row availabilityZoneRow
	err := db.NewSelect().Model(&row).Where("name = ?", name).Scan(ctx)
	switch {
	case notFound(err):
		return nil, lbaas.Missing(lbaas.NounAvailabilityZone, name)
	case err != nil:
		return nil, fmt.Errorf("read availability zone %q: %w", name, err)
	}
	return row.domain(), nil
}

// AvailabilityZones returns those that a query asks for. Its marker is a name.
func (s *Store) AvailabilityZones(ctx context.Context, q Query) ([]*lbaas.AvailabilityZone, error) {
	rows, err := list[availabilityZoneRow](ctx, s.read, q, tableAvailabilityZones, availabilityZoneAttributes)
	if err != nil {
		return nil, fmt.Errorf("list availability zones: %w", err)
	}
	zones := make([]*lbaas.AvailabilityZone, len(rows))
	for i := range rows {
		zones[i] = rows[i].domain()
	}
	return zones, nil
}

// CreateAvailabilityZone keeps a new availability zone. Its errors are NotFound for a profile that is not there and Conflict for a
// name that is taken.
func (s *Store) CreateAvailabilityZone(ctx context.Context, z *lbaas.AvailabilityZone) error {
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		missing := lbaas.Missing(lbaas.NounAvailabilityZoneProfile, z.ProfileID)
		if err := held(ctx, tx, tableAvailabilityZoneProfiles, "id", z.ProfileID, missing); err != nil {
			return err
		}
		row := newAvailabilityZoneRow(z)
		row.CreatedAt = micros(now())
		_, err := tx.NewInsert().Model(row).Exec(ctx)
		switch {
		case duplicate(err):
			return lbaas.Errorf(lbaas.Conflict, "A availability zone of %s already exists.", z.Name) // the API's grammar
		case err != nil:
			return fmt.Errorf("insert availability zone %q: %w", z.Name, err)
		}
		return nil
	})
}

// UpdateAvailabilityZone lets fn change an availability zone, all but its name and its profile, and returns it as it is then.
func (s *Store) UpdateAvailabilityZone(ctx context.Context, name string, fn func(*lbaas.AvailabilityZone) error) (z *lbaas.AvailabilityZone, err error) {
	err = s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := held(ctx, tx, tableAvailabilityZones, "name", name, lbaas.Missing(lbaas.NounAvailabilityZone, name)); err != nil {
			return err
		}
		if z, err = zoneNamed(ctx, tx, name); err != nil {
			return err
		}
		profile := z.ProfileID
		if err := fn(z); err != nil {
			return err
		}
		z.Name, z.ProfileID = name, profile
		if _, err := tx.NewUpdate().Model(newAvailabilityZoneRow(z)).WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("update availability zone %q: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return z, nil
}

// DeleteAvailabilityZone removes an availability zone that no load balancer names, but for those that are wanted deleted. Its
// errors are NotFound and Conflict.
func (s *Store) DeleteAvailabilityZone(ctx context.Context, name string) error {
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := held(ctx, tx, tableAvailabilityZones, "name", name, lbaas.Missing(lbaas.NounAvailabilityZone, name)); err != nil {
			return err
		}
		if err := unused(ctx, tx, tableLoadBalancers, "availability_zone", name, "Availability Zone"); err != nil {
			return err
		}
		if _, err := tx.NewDelete().Table(tableAvailabilityZones).Where("name = ?", name).Exec(ctx); err != nil {
			return fmt.Errorf("delete availability zone %q: %w", name, err)
		}
		return nil
	})
}
