package store

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

// CreateFloatingIP keeps a new floating address and fills its ID, its times, its address where it names none, in the subnet of that id
// where that is not "", and, where it names a port, the fixed address and the router.
func (s *Store) CreateFloatingIP(ctx context.Context, f *network.FloatingIP, subnetID string) error {
	var made *network.FloatingIP
	var hints []Hint
	err := s.allocating(ctx, "store.createFloatingIP", func(ctx context.Context, tx bun.Tx) (err error) {
		attempt := *f
		made = &attempt
		if err := s.countNetwork(ctx, tx, f.ProjectID, network.QuotaFloatingIP, 1); err != nil {
			return err
		}
		made.ID, made.CreatedAt, made.Revision = fresh(f.ID), now(), 1
		made.UpdatedAt = made.CreatedAt
		if err := associate(ctx, tx, made); err != nil {
			return err
		}
		if err := takeFloating(ctx, tx, made, subnetID); err != nil {
			return err
		}
		if err := alreadyStands(ctx, tx, made); err != nil {
			return err
		}
		if _, err := tx.NewInsert().Model(newFloatingIPRow(made)).Exec(ctx); err != nil {
			return fixedTaken(made, fmt.Errorf("insert floating address: %w", err))
		}
		hints, err = regate(ctx, tx, made.RouterID)
		return err
	})
	if err != nil {
		return err
	}
	*f = *made
	s.hintAll(append(hints, Hint{Network: true}))
	return nil
}

// fixedTaken says of a duplicate, which only a fixed address can be here, what it is.
func fixedTaken(f *network.FloatingIP, err error) error {
	if duplicate(err) {
		return network.FloatingIPPortAlreadyAssociated(f)
	}
	return err
}

// takeFloating makes the port in the external network that holds the address.
func takeFloating(ctx context.Context, tx bun.Tx, f *network.FloatingIP, subnetID string) error {
	if err := lockNetwork(ctx, tx, f.NetworkID); err != nil {
		return err
	}
	n, err := networkByID(ctx, tx, f.NetworkID)
	if err != nil {
		return err
	}
	if !n.External {
		return network.BadRequest("floatingip", "Network %s is not a valid external network", n.ID)
	}
	subnets, err := subnetsOfNetwork(ctx, tx, n.ID)
	if err != nil {
		return err
	}
	subnets = slices.DeleteFunc(subnets, func(sub *network.Subnet) bool { return sub.IPVersion() != 4 })
	if len(subnets) == 0 {
		return network.BadRequest("floatingip", "Network %s does not contain any IPv4 subnet", n.ID)
	}
	p := &network.Port{NetworkID: n.ID, AdminStateUp: true, DeviceOwner: network.OwnerFloatingIP, DeviceID: f.ID}
	if subnetID != "" || f.Address.IsValid() {
		p.FixedIPs = []network.FixedIP{{SubnetID: subnetID, Address: f.Address}}
	}
	if err := insertPort(ctx, tx, p); err != nil {
		return err
	}
	i := slices.IndexFunc(p.FixedIPs, func(a network.FixedIP) bool { return a.Address.Is4() })
	if i < 0 {
		return network.ExternalIPAddressExhausted(n.ID)
	}
	f.OwnPortID, f.Address = p.ID, p.FixedIPs[i].Address
	return nil
}

// associate fills the fixed address and the router of a floating address from the port that it names, and holds both.
func associate(ctx context.Context, tx bun.Tx, f *network.FloatingIP) error {
	f.RouterID = ""
	if f.PortID == "" {
		f.FixedAddress = netip.Addr{}
		return nil
	}
	fixed, routerID, err := resolveFloating(ctx, tx, f)
	if err != nil {
		return err
	}
	if err := held(ctx, tx, "routers", "id", routerID, network.ExternalGatewayNotFound(f.NetworkID, fixed.SubnetID, f.PortID)); err != nil {
		return err
	}
	if _, _, _, err := lockedPort(ctx, tx, f.PortID); err != nil {
		return err
	}
	fixed, again, err := resolveFloating(ctx, tx, f)
	if err != nil {
		return err
	}
	if again != routerID {
		return errAnew // routers changed meanwhile
	}
	f.FixedAddress, f.RouterID = fixed.Address, routerID
	return nil
}

// resolveFloating finds the fixed address that a floating one is to stand for, and the router that leads to it from the external network:
// the one that is the subnet's gateway, or else the first.
func resolveFloating(ctx context.Context, tx bun.Tx, f *network.FloatingIP) (network.FixedIP, string, error) {
	_, p, err := portByID(ctx, tx, f.PortID)
	if err != nil {
		return network.FixedIP{}, "", err
	}
	fixed, err := p.FloatTo(f.FixedAddress)
	if err != nil {
		return fixed, "", err
	}
	var routers []string
	err = tx.NewSelect().TableExpr("routers AS r").ColumnExpr("r.id").
		Join("JOIN ports AS i ON i.device_id = r.id AND i.device_owner = ? AND i.deleted = ?", network.OwnerRouterInterface, false).
		Join("JOIN port_addresses AS a ON a.port_id = i.id").
		Join("JOIN subnets AS s ON s.id = a.subnet_id").
		Where("r.gateway_network_id = ? AND a.subnet_id = ?", f.NetworkID, fixed.SubnetID).
		OrderExpr("CASE WHEN a.address = s.gateway_ip THEN 0 ELSE 1 END, r.created_at, r.id").Limit(1).Scan(ctx, &routers)
	if err != nil {
		return fixed, "", fmt.Errorf("look for the router of a floating address: %w", err)
	}
	if len(routers) == 0 {
		return fixed, "", network.ExternalGatewayNotFound(f.NetworkID, fixed.SubnetID, p.ID)
	}
	return fixed, routers[0], nil
}

// alreadyStands refuses a second floating address of one network for a fixed address. The key would, too, but on some databases only
// after it refused all else of the transaction.
func alreadyStands(ctx context.Context, tx bun.Tx, f *network.FloatingIP) error {
	if f.PortID == "" {
		return nil
	}
	row := newFloatingIPRow(f)
	there, err := tx.NewSelect().Table("floating_ips").Where("network_id = ? AND fixed = ? AND id <> ?", f.NetworkID, row.Fixed, f.ID).Exists(ctx)
	if err != nil {
		return fmt.Errorf("look for floating addresses of a fixed one: %w", err)
	}
	if there {
		return network.FloatingIPPortAlreadyAssociated(f)
	}
	return nil
}

// UpdateFloatingIP lets fn change a floating address, which it may have to do more than once, and returns what was kept. When it names
// another port or fixed address, or none, it stands for that from then on; the router is found anew.
func (s *Store) UpdateFloatingIP(ctx context.Context, id string, fn func(*network.FloatingIP) error) (*network.FloatingIP, error) {
	var after *network.FloatingIP
	var hints []Hint
	err := s.change(ctx, "store.updateFloatingIP", func(ctx context.Context, tx bun.Tx) error {
		f, err := floatingIPByID(ctx, tx, id)
		if err != nil {
			return err
		}
		before := *f
		if err := fn(f); err != nil {
			return err
		}
		if moved(&before, f) {
			if err := associate(ctx, tx, f); err != nil {
				return err
			}
			if err := alreadyStands(ctx, tx, f); err != nil {
				return err
			}
		}
		f.Revision, f.UpdatedAt = before.Revision+1, now()
		if err := writeFloating(ctx, tx, f, before.Revision); err != nil {
			return err
		}
		if hints, err = reroute(ctx, tx, &before, f); err != nil {
			return err
		}
		after, err = floatingIPByID(ctx, tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.hintAll(append(hints, Hint{Network: true}))
	return after, nil
}

// moved tells whether a floating address is to stand for something else.
func moved(a, b *network.FloatingIP) bool {
	return a.PortID != b.PortID || b.PortID != "" && a.FixedAddress != b.FixedAddress
}

// writeFloating keeps a floating address that has been of that revision; when it no longer is, the transaction starts anew.
func writeFloating(ctx context.Context, tx bun.Tx, f *network.FloatingIP, revision int64) error {
	n, err := affected(tx.NewUpdate().Model(newFloatingIPRow(f)).ExcludeColumn("id", "created_at").WherePK().
		Where("revision = ?", revision).Exec(ctx))
	if err != nil {
		return fixedTaken(f, fmt.Errorf("update floating address: %w", err))
	}
	if n == 0 {
		return errAnew
	}
	return nil
}

// reroute tells the routers of a floating address before and after a change.
func reroute(ctx context.Context, tx bun.Tx, before, after *network.FloatingIP) ([]Hint, error) {
	if before.RouterID == after.RouterID {
		return nil, nil // the router's gateway has the address already; what it stands for is in the host's plan
	}
	hints, err := regate(ctx, tx, before.RouterID)
	if err != nil {
		return nil, err
	}
	more, err := regate(ctx, tx, after.RouterID)
	return append(hints, more...), err
}

// DeleteFloatingIP removes a floating address with its port.
func (s *Store) DeleteFloatingIP(ctx context.Context, id string) error {
	var hints []Hint
	err := s.change(ctx, "store.deleteFloatingIP", func(ctx context.Context, tx bun.Tx) error {
		f, err := floatingIPByID(ctx, tx, id)
		if err != nil {
			return err
		}
		hints, err = dropFloating(ctx, tx, f)
		return err
	})
	if err != nil {
		return err
	}
	s.hintAll(append(hints, Hint{Network: true}))
	return nil
}

func dropFloating(ctx context.Context, tx bun.Tx, f *network.FloatingIP) ([]Hint, error) {
	n, err := affected(tx.NewDelete().Table("floating_ips").Where("id = ? AND revision = ?", f.ID, f.Revision).Exec(ctx))
	if err != nil {
		return nil, fmt.Errorf("delete floating address: %w", err)
	}
	if n == 0 {
		return nil, errAnew
	}
	hints, err := regate(ctx, tx, f.RouterID)
	if err != nil {
		return nil, err
	}
	more, err := lockAndDrop(ctx, tx, f.OwnPortID)
	return append(hints, more...), err
}

// freeFloating makes the floating addresses stand for nothing that stand for addresses of a port, which is locked, other than those kept.
func freeFloating(ctx context.Context, tx bun.Tx, portID string, kept []network.FixedIP) ([]Hint, error) {
	var rows []*floatingIPRow
	if err := tx.NewSelect().Model(&rows).Where("port_id = ?", portID).Order("id").Scan(ctx); err != nil {
		return nil, fmt.Errorf("read the port's floating addresses: %w", err)
	}
	var hints []Hint
	for _, row := range rows {
		before := row.domain()
		if slices.ContainsFunc(kept, func(f network.FixedIP) bool { return f.Address == before.FixedAddress }) {
			continue
		}
		after := *before
		after.PortID, after.FixedAddress, after.RouterID = "", netip.Addr{}, ""
		after.Revision, after.UpdatedAt = before.Revision+1, now()
		if err := writeFloating(ctx, tx, &after, before.Revision); err != nil {
			return nil, err
		}
		more, err := regate(ctx, tx, before.RouterID)
		if err != nil {
			return nil, err
		}
		hints = append(hints, more...)
	}
	return hints, nil
}
