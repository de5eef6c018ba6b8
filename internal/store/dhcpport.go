package store

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

// DHCPPort is what came of KeepDHCPPort.
type DHCPPort struct {
	Changed bool     // something was written
	Full    []string // subnets in which the server has no address, since none is free
}

// KeepDHCPPort has a host take a network that no host has and that wants DHCP, and makes the port of its DHCP server what the network's
// subnets want: with an address of each that is served, the highest that is free in its pools, and none where no subnet is served or no
// port gets leases.
// A network that another host has is left alone. One that is not there any more needs nothing.
func (s *Store) KeepDHCPPort(ctx context.Context, host, networkID string) (DHCPPort, error) {
	var done DHCPPort
	var hints []Hint
	err := s.allocating(ctx, "store.keepDHCPPort", func(ctx context.Context, tx bun.Tx) error {
		k := &dhcpKeeper{ctx: ctx, tx: tx, host: host}
		err := k.keep(networkID)
		done, hints = k.done, k.hints
		return err
	})
	if err != nil {
		return DHCPPort{}, fmt.Errorf("keep the DHCP port of network %s: %w", networkID, err)
	}
	s.hintAll(hints)
	return done, nil
}

// dhcpKeeper is one try of KeepDHCPPort.
type dhcpKeeper struct {
	ctx   context.Context // of the transaction, which the keeper does not outlive
	tx    bun.Tx
	host  string
	net   *network.Network
	done  DHCPPort
	hints []Hint
}

func (k *dhcpKeeper) keep(networkID string) error {
	n, err := affected(k.tx.NewUpdate().Table("networks").Set("epoch = epoch + 1").
		Where("id = ? AND host IN ('', ?)", networkID, k.host).Exec(k.ctx))
	if err != nil || n == 0 {
		return err
	}
	if k.net, err = networkByID(k.ctx, k.tx, networkID); err != nil {
		return err
	}
	subnets, err := subnetsOfNetwork(k.ctx, k.tx, networkID)
	if err != nil {
		return err
	}
	wanted, err := wantDHCP(k.tx.NewSelect().Table("networks").Where("id = ?", networkID)).Exists(k.ctx)
	if err != nil {
		return fmt.Errorf("look for ports that get leases: %w", err)
	}
	served := slices.DeleteFunc(subnets, func(s *network.Subnet) bool { return !wanted || !s.ServesDHCP() })
	if len(served) > 0 && k.net.Host == "" {
		if err := k.claim(); err != nil {
			return err
		}
	}
	row, p, err := dhcpPortOf(k.ctx, k.tx, networkID)
	switch {
	case err != nil:
		return err
	case len(served) == 0:
		return k.drop(row)
	case row == nil:
		return k.create(served)
	}
	return k.update(row, p, served)
}

func (k *dhcpKeeper) claim() error {
	k.done.Changed = true
	k.net.Host = k.host
	if _, err := k.tx.NewUpdate().Table("networks").Set("host = ?", k.host).Where("id = ?", k.net.ID).Exec(k.ctx); err != nil {
		return fmt.Errorf("take network %s: %w", k.net.ID, err)
	}
	return nil
}

// dhcpPortOf returns the port of a network's DHCP server; nil is none.
func dhcpPortOf(ctx context.Context, tx bun.Tx, networkID string) (*portRow, *network.Port, error) {
	row := &portRow{}
	err := tx.NewSelect().Model(row).Where("network_id = ? AND device_owner = ? AND deleted = ?", networkID, network.OwnerDHCP, false).
		Where("netns = ?", network.DHCPNetNS+networkID). // who has the network may have a server of their own
		Order("created_at", "id").Limit(1).Scan(ctx)
	if notFound(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the DHCP server's port: %w", err)
	}
	list, err := portsOf(ctx, tx, []*portRow{row})
	if err != nil {
		return nil, nil, err
	}
	return row, list[0], nil
}

func (k *dhcpKeeper) create(served []*network.Subnet) error {
	p := &network.Port{
		ID: fresh(""), ProjectID: k.net.ProjectID, NetworkID: k.net.ID, AdminStateUp: true, MAC: network.RandomMAC(),
		DeviceID: network.DHCPDevice(k.host, k.net.ID), DeviceOwner: network.OwnerDHCP, Revision: 1, CreatedAt: now(),
		Binding: network.Binding{Host: k.host, NetNS: network.DHCPNetNS + k.net.ID},
	}
	p.UpdatedAt = p.CreatedAt
	if err := k.address(p, served); err != nil || len(p.FixedIPs) == 0 {
		return err
	}
	row := newPortRow(p)
	row.replan(k.net)
	if _, err := k.tx.NewInsert().Model(row).Exec(k.ctx); err != nil {
		return macTaken(p, false, fmt.Errorf("insert the DHCP server's port: %w", err))
	}
	k.changed(p.ID)
	return nil
}

func (k *dhcpKeeper) changed(portID string) {
	k.done.Changed = true
	k.hints = []Hint{{PortID: portID}, {Network: true}}
}

// update gives the port addresses of the subnets that it lacks, and takes those of others.
func (k *dhcpKeeper) update(row *portRow, p *network.Port, served []*network.Subnet) error {
	missing := slices.DeleteFunc(slices.Clone(served), func(s *network.Subnet) bool {
		return slices.ContainsFunc(p.FixedIPs, func(f network.FixedIP) bool { return f.SubnetID == s.ID })
	})
	var kept []network.FixedIP
	for _, f := range p.FixedIPs {
		if slices.ContainsFunc(served, func(s *network.Subnet) bool { return s.ID == f.SubnetID }) {
			kept = append(kept, f)
			continue
		}
		if err := erase(k.ctx, k.tx.NewDelete().Model((*addressRow)(nil)).Where("subnet_id = ? AND number = ?", f.SubnetID, addressNumber(f.Address))); err != nil {
			return err
		}
	}
	before := len(p.FixedIPs)
	p.FixedIPs = kept
	if err := k.address(p, missing); err != nil {
		return err
	}
	if len(kept) == before && len(p.FixedIPs) == before {
		return nil
	}
	row.replan(k.net)
	row.Revision, row.UpdatedAt = row.Revision+1, micros(now())
	_, err := k.tx.NewUpdate().Model(row).Column("revision", "updated_at", "wanted_host", "plugged_host", "generation", "reason").WherePK().Exec(k.ctx)
	if err != nil {
		return fmt.Errorf("update the DHCP server's port: %w", err)
	}
	k.changed(p.ID)
	return nil
}

// drop deletes the port; one that may be plugged goes when its host has unplugged it.
func (k *dhcpKeeper) drop(row *portRow) error {
	if row == nil {
		return nil
	}
	hints, err := dropPort(k.ctx, k.tx, row)
	k.done.Changed, k.hints = true, hints
	return err
}

// address gives the port an address of each of the subnets.
func (k *dhcpKeeper) address(p *network.Port, subnets []*network.Subnet) error {
	for _, s := range subnets {
		a, err := k.free(p, s)
		if err != nil {
			return err
		}
		if !a.IsValid() {
			k.done.Full = append(k.done.Full, s.ID)
			continue
		}
		row := &addressRow{SubnetID: s.ID, Number: addressNumber(a), Address: a.String(), PortID: p.ID, Position: len(p.FixedIPs)}
		if _, err := k.tx.NewInsert().Model(row).Exec(k.ctx); duplicate(err) {
			return errTaken
		} else if err != nil {
			return fmt.Errorf("insert address: %w", err)
		}
		p.FixedIPs = append(p.FixedIPs, network.FixedIP{SubnetID: s.ID, Address: a})
	}
	return nil
}

// free is the address that the server gets in a subnet, or the zero Addr where there is none: the highest, so that the low ones, which
// people know by heart, are left to them.
func (k *dhcpKeeper) free(p *network.Port, s *network.Subnet) (netip.Addr, error) {
	if s.Automatic() {
		return network.EUI64(s.CIDR, p.MAC)
	}
	pools := slices.Clone(s.AllocationPools)
	slices.SortFunc(pools, func(a, b network.Range) int { return b.Start.Compare(a.Start) })
	for _, r := range pools {
		a, err := highestFree(k.ctx, k.tx, s.ID, r)
		if err != nil || a.IsValid() {
			return a, err
		}
	}
	return netip.Addr{}, nil
}

// highestFree looks for the highest free address of a range.
func highestFree(ctx context.Context, tx bun.Tx, subnetID string, r network.Range) (netip.Addr, error) {
	for most := takenAtFirst; r.End.IsValid() && !r.End.Less(r.Start); most = takenAtOnce {
		taken, err := takenIn(ctx, tx, subnetID, r, most, "number DESC")
		if err != nil {
			return netip.Addr{}, err
		}
		for _, t := range taken {
			if t != r.End {
				return r.End, nil
			}
			r.End = r.End.Prev()
		}
		if len(taken) < most {
			break
		}
	}
	if r.End.IsValid() && !r.End.Less(r.Start) {
		return r.End, nil
	}
	return netip.Addr{}, nil
}

// NotePorts notes why hosts could not make what plugged ports are for, by the ports' ids; "" is that they could. Ports that are being plugged
// show what comes of that.
func (s *Store) NotePorts(ctx context.Context, reasons map[string]string) error {
	return s.change(ctx, "store.notePorts", func(ctx context.Context, tx bun.Tx) error {
		for _, id := range slices.Sorted(maps.Keys(reasons)) {
			_, err := tx.NewUpdate().Table("ports").Set("reason = ?", reasons[id]).
				Where("id = ? AND observed = generation AND deleted = ?", id, false).Exec(ctx)
			if err != nil {
				return fmt.Errorf("note what came of port %s: %w", id, err)
			}
		}
		return nil
	})
}
