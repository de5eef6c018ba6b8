package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

// HostAlive is how long after it was seen last a host counts as alive.
const HostAlive = 40 * time.Second

type hostRow struct {
	bun.BaseModel `bun:"table:hosts"`

	Name         string `bun:"name,pk"`
	ID           string `bun:"id"`
	TunnelIP     string `bun:"tunnel_ip"`
	Version      string
	AdminStateUp bool
	CreatedAt    int64
	SeenAt       int64
}

func (r *hostRow) domain(now int64) *network.Host {
	return &network.Host{
		ID: r.ID, Name: r.Name, TunnelIP: r.TunnelIP, Version: r.Version, AdminStateUp: r.AdminStateUp,
		CreatedAt: fromMicros(r.CreatedAt), SeenAt: fromMicros(r.SeenAt), Alive: now-r.SeenAt < HostAlive.Microseconds(),
	}
}

// HostSeen notes that a host is alive now, by the database's clock, and what it says of itself: its name, tunnel address and version.
func (s *Store) HostSeen(ctx context.Context, h *network.Host) error {
	moved := false
	err := s.change(ctx, "store.hostSeen", func(ctx context.Context, tx bun.Tx) error {
		moved = false
		row := &hostRow{}
		err := tx.NewSelect().Model(row).Where("name = ?", h.Name).Scan(ctx)
		if notFound(err) {
			row = &hostRow{Name: h.Name, ID: uuid.NewString(), AdminStateUp: true, CreatedAt: micros(now()), TunnelIP: h.TunnelIP, Version: h.Version}
			moved = true
			_, err = tx.NewInsert().Model(row).Value("seen_at", "?", s.clock()).Exec(ctx)
			return err
		}
		if err != nil {
			return err
		}
		moved = row.TunnelIP != h.TunnelIP
		_, err = tx.NewUpdate().Table("hosts").Set("seen_at = ?", s.clock()).Set("tunnel_ip = ?", h.TunnelIP).Set("version = ?", h.Version).
			Where("name = ?", h.Name).Exec(ctx)
		return err
	})
	if duplicate(err) {
		return nil // another process of the same host was faster; the next beat is ours
	}
	if err != nil {
		return fmt.Errorf("note that host %s was seen: %w", h.Name, err)
	}
	if moved {
		s.hint(Hint{Network: true})
	}
	return nil
}

// Hosts returns the hosts that were ever seen, by name.
func (s *Store) Hosts(ctx context.Context) ([]*network.Host, error) { return hosts(ctx, s, s.read) }

func hosts(ctx context.Context, s *Store, db bun.IDB) ([]*network.Host, error) {
	var rows []struct {
		hostRow

		Now int64
	}
	err := db.NewSelect().Table("hosts").Column("name", "id", "tunnel_ip", "version", "admin_state_up", "created_at", "seen_at").
		ColumnExpr("? AS now", s.clock()).Order("name").Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("list hosts: %w", err)
	}
	list := make([]*network.Host, len(rows))
	for i := range rows {
		list[i] = rows[i].domain(rows[i].Now)
	}
	return list, nil
}

// SetHostAdminState says whether a host is given anything new. The error is lbaas.NotFound for one that was never seen.
func (s *Store) SetHostAdminState(ctx context.Context, name string, up bool) error {
	return s.changeHost(ctx, name, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Table("hosts").Set("admin_state_up = ?", up).Where("name = ?", name).Exec(ctx)
		return err
	})
}

// DeleteHost forgets a host that is dead and has nothing. Others are a Conflict: one that is alive would report itself again, and what is on a
// host that nobody knows would be nowhere.
func (s *Store) DeleteHost(ctx context.Context, name string) error {
	return s.changeHost(ctx, name, func(ctx context.Context, tx bun.Tx) error {
		gone, err := affected(tx.NewDelete().Table("hosts").Where("name = ? AND seen_at <= ? - ?", name, s.clock(), HostAlive.Microseconds()).Exec(ctx))
		if err != nil {
			return err
		}
		if gone == 0 {
			return lbaas.Errorf(lbaas.Conflict, "Host %s is alive: it would report itself again.", name)
		}
		return hostFree(ctx, tx, name)
	})
}

// hostFree refuses a host that has something, also what only it can take away.
func hostFree(ctx context.Context, tx bun.Tx, name string) error {
	for _, of := range []struct{ table, column, what string }{
		{tableLoadBalancers, "host", "load balancers"}, {"routers", "host", "routers"}, {"networks", "host", "DHCP servers of networks"},
		{"ports", "host", "ports"}, {"ports", "plugged_host", "ports"},
	} {
		there, err := tx.NewSelect().Table(of.table).Where("? = ?", bun.Safe(of.column), name).Exists(ctx)
		if err != nil {
			return err
		}
		if there {
			return lbaas.Errorf(lbaas.Conflict, "Host %s still has %s.", name, of.what)
		}
	}
	return nil
}

// changeHost changes the row of a host. The error is lbaas.NotFound for one that was never seen.
func (s *Store) changeHost(ctx context.Context, name string, fn func(ctx context.Context, tx bun.Tx) error) error {
	err := s.change(ctx, "store.changeHost", func(ctx context.Context, tx bun.Tx) error {
		there, err := tx.NewSelect().Table("hosts").Where("name = ?", name).Exists(ctx)
		if err != nil {
			return fmt.Errorf("look for host %s: %w", name, err)
		}
		if !there {
			return lbaas.Errorf(lbaas.NotFound, "Host %s could not be found.", name)
		}
		if err := fn(ctx, tx); err != nil {
			return fmt.Errorf("change host %s: %w", name, err)
		}
		return nil
	})
	if err == nil {
		s.hint(Hint{Network: true})
	}
	return err
}

// HostLoad is how much a host has.
type HostLoad struct{ LoadBalancers, Routers, Networks int }

// HostLoads counts what hosts have, by their names: load balancers that are bound to them, routers, and networks with a DHCP server.
func (s *Store) HostLoads(ctx context.Context) (map[string]HostLoad, error) {
	loads := map[string]HostLoad{}
	for _, of := range []struct {
		table, condition string
		args             []any
		count            func(*HostLoad, int)
	}{
		{tableLoadBalancers, "deleted = ?", []any{false}, func(l *HostLoad, n int) { l.LoadBalancers = n }},
		{"routers", "host <> ''", nil, func(l *HostLoad, n int) { l.Routers = n }},
		{"networks", "id IN (SELECT network_id FROM subnets WHERE enable_dhcp = ?)", []any{true}, func(l *HostLoad, n int) { l.Networks = n }},
	} {
		var rows []struct {
			Host string
			N    int
		}
		err := s.read.NewSelect().TableExpr(of.table).ColumnExpr("host, COUNT(*) AS n").Where("host <> ''").Where(of.condition, of.args...).
			Group("host").Scan(ctx, &rows)
		if err != nil {
			return nil, fmt.Errorf("count the %s of hosts: %w", of.table, err)
		}
		for _, row := range rows {
			load := loads[row.Host]
			of.count(&load, row.N)
			loads[row.Host] = load
		}
	}
	return loads, nil
}
