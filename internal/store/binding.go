package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

// replan says anew where the port is to be plugged, after a change of something that it depends on. A nil network is one that
// no longer counts.
func (r *portRow) replan(n *network.Network) {
	r.WantedHost = ""
	if n != nil && n.AdminStateUp && r.AdminStateUp && r.NetNS != "" && !r.Deleted {
		r.WantedHost = r.Host
	}
	if r.WantedHost == "" && r.PluggedHost == "" {
		return // nothing to do on any host
	}
	if r.PluggedHost == "" {
		r.PluggedHost = r.WantedHost
	}
	r.Generation++
	r.Reason = ""
}

// carry takes over from the stored row what only replan and the hosts change.
func (r *portRow) carry(stored *portRow) {
	r.WantedHost, r.PluggedHost = stored.WantedHost, stored.PluggedHost
	r.Generation, r.Observed, r.Reason = stored.Generation, stored.Observed, stored.Reason
}

// replug has done anew what depends on how ports of a network are plugged, those that the condition picks: bound ports are
// plugged again by their hosts, and the load balancers that plug ports by themselves are applied again. It returns what
// to hint once that is committed.
func (s *Store) replug(ctx context.Context, tx bun.Tx, n *network.Network, condition string, args ...any) ([]Hint, error) {
	hints, err := replanPorts(ctx, tx, n, condition, args...)
	if err != nil {
		return nil, err
	}
	more, err := s.reapply(ctx, tx, condition, args...)
	return append(hints, more...), err
}

// replanPorts replans the bound ones among ports and returns hints of those of which a host has something to do.
func replanPorts(ctx context.Context, tx bun.Tx, n *network.Network, condition string, args ...any) ([]Hint, error) {
	var rows []*portRow
	err := tx.NewSelect().Model(&rows).Where(condition, args...).Where("host <> '' AND deleted = ?", false).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the bound ports: %w", err)
	}
	var hints []Hint
	for _, row := range rows {
		before := row.Generation
		row.replan(n)
		if row.Generation == before {
			continue
		}
		_, err := tx.NewUpdate().Model(row).Column("wanted_host", "plugged_host", "generation", "reason").WherePK().Exec(ctx)
		if err != nil {
			return nil, fmt.Errorf("replan port %s: %w", row.ID, err)
		}
		hints = append(hints, Hint{PortID: row.ID})
	}
	return hints, nil
}

// reapply makes the load balancers pending that use any of the ports that the condition picks.
func (s *Store) reapply(ctx context.Context, tx bun.Tx, condition string, args ...any) ([]Hint, error) {
	var ids []string
	err := tx.NewSelect().Table(tableLoadBalancers).Column("id").Where("deleted = ?", false).
		Where("id IN (?)", tx.NewSelect().Table("ports").ColumnExpr("SUBSTR(device_id, ?)", len(deviceOfLoadBalancer)+1).
			Where(condition, args...).Where("device_owner = ? AND deleted = ?", network.OwnerLoadBalancer, false)).
		Order("id").Scan(ctx, &ids)
	if err != nil {
		return nil, fmt.Errorf("look for the ports' load balancers: %w", err)
	}
	var hints []Hint
	for chunk := range slices.Chunk(ids, chunkSize) {
		if _, err := s.bump(tx, now()).Where("id IN (?)", bun.List(chunk)).Exec(ctx); err != nil {
			return nil, fmt.Errorf("have the ports' load balancers applied: %w", err)
		}
		for _, id := range chunk {
			hints = append(hints, Hint{LoadBalancerID: id})
		}
	}
	return hints, nil
}

// deviceOfLoadBalancer begins the device_id of the ports that load balancers use; the id follows.
const deviceOfLoadBalancer = "lb-"

// PortPlan returns what a host needs to plug a port. That of a router's gateway also has the floating addresses that the router
// translates, each as a single address.
func (s *Store) PortPlan(ctx context.Context, portID string) (*network.PortPlan, error) {
	var plan *network.PortPlan
	err := s.snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, p, err := portByID(ctx, tx, portID)
		if err != nil {
			return err
		}
		n, err := networkByID(ctx, tx, p.NetworkID)
		if err != nil {
			return err
		}
		subnets, err := subnetsOfNetwork(ctx, tx, p.NetworkID)
		if err != nil {
			return err
		}
		plan = network.PlanPort(p, n, subnets)
		return addFloating(ctx, tx, p, plan)
	})
	return plan, err
}

// BoundPorts returns the ports of which a host has to know: those that are to be plugged there, and, with an empty Binding.Host and
// Observed below Generation, those that are to be unplugged there, deleted ones among them.
func (s *Store) BoundPorts(ctx context.Context, host string) ([]*network.Port, error) {
	return s.boundPorts(ctx, host, func(q *bun.SelectQuery) *bun.SelectQuery { return q })
}

// DuePorts returns those of BoundPorts of which the host has something to do.
func (s *Store) DuePorts(ctx context.Context, host string) ([]*network.Port, error) {
	return s.boundPorts(ctx, host, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("observed <> generation") })
}

func (s *Store) boundPorts(ctx context.Context, host string, narrow func(*bun.SelectQuery) *bun.SelectQuery) ([]*network.Port, error) {
	var list []*network.Port
	err := s.snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
		var rows []*portRow
		err := tx.NewSelect().Model(&rows).Where("plugged_host = ? AND plugged_host <> ''", host).Apply(narrow).Order("created_at", "id").Scan(ctx)
		if err != nil {
			return fmt.Errorf("list the bound ports: %w", err)
		}
		for _, row := range rows {
			row.Host = row.WantedHost
			if row.WantedHost != host {
				row.Host = ""
			}
		}
		list, err = portsOf(ctx, tx, rows)
		return err
	})
	return list, err
}

// BindingObserved notes what the host of a port made of a generation of its binding: true now where reason is "", else why it is not, or no
// more. Of an older generation nothing is noted. A deleted port that was unplugged goes away; one that moves to another host is that host's
// from now on.
func (s *Store) BindingObserved(ctx context.Context, portID string, generation int64, reason string) error {
	moved := false
	err := s.change(ctx, "store.bindingObserved", func(ctx context.Context, tx bun.Tx) error {
		moved = false
		row := &portRow{}
		err := tx.NewSelect().Model(row).Where("id = ? AND generation = ?", portID, generation).Scan(ctx)
		if notFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read port: %w", err)
		}
		if reason == "" && row.Deleted {
			return erasePort(ctx, tx, portID)
		}
		if moved = row.note(reason); moved { // the other host is to see that the port is its own now
			if err := lockNetwork(ctx, tx, row.NetworkID); err != nil {
				return err
			}
		}
		_, err = tx.NewUpdate().Model(row).Column("plugged_host", "generation", "observed", "reason").
			Where("id = ? AND generation = ?", portID, generation).Exec(ctx)
		if err != nil {
			return fmt.Errorf("note the binding: %w", err)
		}
		return nil
	})
	if err == nil && moved {
		s.hint(Hint{PortID: portID})
	}
	return err
}

// note takes in what the host made of the row's generation, and tells whether it is another host's turn.
func (r *portRow) note(reason string) (moved bool) {
	r.Reason = reason
	if reason != "" {
		if r.Observed == r.Generation { // it was plugged and is not any more; the reason is not for NotePorts to clear
			r.Observed--
		}
		return false
	}
	moved = r.WantedHost != "" && r.WantedHost != r.PluggedHost
	r.PluggedHost = r.WantedHost
	if moved {
		r.Generation++ // what the host before says once more is not of this one
	} else {
		r.Observed = r.Generation
	}
	return moved
}

func (s *Store) hintAll(hints []Hint) {
	for _, h := range slices.Compact(hints) {
		s.hint(h)
	}
}
