package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

// What else uses a network or a subnet, and what goes with it.

// noGateways refuses to make a network internal through which routers reach the outside, or that has floating addresses.
func noGateways(ctx context.Context, tx bun.Tx, id string) error {
	there, err := tx.NewSelect().Table("ports").Where("network_id = ? AND deleted = ?", id, false).
		Where("device_owner IN (?)", bun.List([]string{network.OwnerRouterGateway, network.OwnerFloatingIP})).Exists(ctx)
	if err != nil {
		return fmt.Errorf("look for gateways: %w", err)
	}
	if there {
		return network.ExternalNetworkInUse(id)
	}
	return nil
}

// dropCompany removes what goes with a network, which is locked: ports of DHCP servers, and floating addresses that stand for nothing.
func dropCompany(ctx context.Context, tx bun.Tx, networkID string) ([]Hint, error) {
	var idle []*floatingIPRow
	err := tx.NewSelect().Model(&idle).Where("network_id = ? AND port_id = ''", networkID).Order("id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the idle floating addresses: %w", err)
	}
	var hints []Hint
	for _, row := range idle {
		more, err := dropFloating(ctx, tx, row.domain())
		if err != nil {
			return nil, err
		}
		hints = append(hints, more...)
	}
	var servers []*portRow
	err = tx.NewSelect().Model(&servers).Where("network_id = ? AND device_owner = ? AND deleted = ?", networkID, network.OwnerDHCP, false).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the ports of DHCP servers: %w", err)
	}
	for _, row := range servers {
		more, err := dropPort(ctx, tx, row)
		if err != nil {
			return nil, err
		}
		hints = append(hints, more...)
	}
	return hints, nil
}

// leaveSubnet takes the addresses of a subnet, which is locked, from those that do not keep it: DHCP servers, and, where stations give
// themselves addresses, all ports but those of routers and load balancers. A DHCP server without another address goes.
func (s *Store) leaveSubnet(ctx context.Context, tx bun.Tx, sub *network.Subnet) ([]Hint, error) {
	var ids []string
	sel := tx.NewSelect().Table("ports").Column("id").Where("deleted = ?", false).
		Where("id IN (SELECT port_id FROM port_addresses WHERE subnet_id = ?)", sub.ID)
	if sub.Automatic() {
		stay := []string{network.OwnerRouterInterface, network.OwnerRouterGateway, network.OwnerLoadBalancer}
		sel = sel.Where("device_owner NOT IN (?)", bun.List(stay))
	} else {
		sel = sel.Where("device_owner = ?", network.OwnerDHCP)
	}
	if err := sel.Order("id").Scan(ctx, &ids); err != nil {
		return nil, fmt.Errorf("read who leaves the subnet: %w", err)
	}
	var hints []Hint
	for _, id := range ids {
		p, more, err := s.alterPort(ctx, tx, id, func(p *network.Port) error {
			p.FixedIPs = slices.DeleteFunc(p.FixedIPs, func(f network.FixedIP) bool { return f.SubnetID == sub.ID })
			return nil
		})
		if err != nil {
			return nil, err
		}
		hints = append(hints, more...)
		if !p.ServesLeases() || len(p.FixedIPs) > 0 {
			continue
		}
		if more, err = lockAndDrop(ctx, tx, id); err != nil {
			return nil, err
		}
		hints = append(hints, more...)
	}
	return hints, nil
}

// servesHosts tells whether a change of a network changes what hosts do besides plugging its ports.
func servesHosts(a, b *network.Network) bool {
	return a.MTU != b.MTU || a.AdminStateUp != b.AdminStateUp || a.Host != b.Host || a.Segment != b.Segment || a.External != b.External
}

// leases tells whether a change of a subnet changes what DHCP servers and routers tell of it.
func leases(a, b *network.Subnet) bool {
	return a.Gateway != b.Gateway || a.EnableDHCP != b.EnableDHCP || a.IPv6AddressMode != b.IPv6AddressMode || a.IPv6RAMode != b.IPv6RAMode ||
		!slices.Equal(a.DNSNameservers, b.DNSNameservers) || !slices.Equal(a.HostRoutes, b.HostRoutes) ||
		!slices.Equal(a.AllocationPools, b.AllocationPools)
}
