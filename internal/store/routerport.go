package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

// attached is what a router leads to, at a moment.
type attached struct {
	ports   []*network.Port // interfaces and the gateway
	subnets []*network.Subnet
}

// interfaces are the ports that lead inside.
func (a *attached) interfaces() []*network.Port {
	return slices.DeleteFunc(slices.Clone(a.ports), func(p *network.Port) bool { return p.DeviceOwner != network.OwnerRouterInterface })
}

func (a *attached) subnet(id string) *network.Subnet {
	i := slices.IndexFunc(a.subnets, func(s *network.Subnet) bool { return s.ID == id })
	if i < 0 {
		return nil
	}
	return a.subnets[i]
}

// lockedRouter reads a router of which nobody else changes anything until the transaction ends, and what it leads to.
func lockedRouter(ctx context.Context, tx bun.Tx, id string) (*network.Router, *attached, error) {
	if err := held(ctx, tx, "routers", "id", id, network.RouterNotFound(id)); err != nil {
		return nil, nil, err
	}
	r, err := routerByID(ctx, tx, id)
	if err != nil {
		return nil, nil, err
	}
	a, err := attachedTo(ctx, tx, id)
	return r, a, err
}

func attachedTo(ctx context.Context, tx bun.Tx, routerID string) (*attached, error) {
	var rows []*portRow
	err := tx.NewSelect().Model(&rows).Where("device_id = ? AND deleted = ?", routerID, false).
		Where("device_owner IN (?)", bun.List([]string{network.OwnerRouterInterface, network.OwnerRouterGateway})).
		Order("created_at", "id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the router's ports: %w", err)
	}
	ports, err := portsOf(ctx, tx, rows)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, p := range ports {
		for _, f := range p.FixedIPs {
			ids = append(ids, f.SubnetID)
		}
	}
	subnets, err := subnetsByID(ctx, tx, ids)
	return &attached{ports, subnets}, err
}

func subnetsByID(ctx context.Context, db bun.IDB, ids []string) ([]*network.Subnet, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []*subnetRow
	if err := db.NewSelect().Model(&rows).Where("id IN (?)", bun.List(ids)).Order("created_at", "id").Scan(ctx); err != nil {
		return nil, fmt.Errorf("read subnets: %w", err)
	}
	return subnetsOf(rows), nil
}

// routerPort is a port of a router, which its host plugs into the router's namespace.
func routerPort(r *network.Router, owner, projectID, networkID string, fixed []network.FixedIP) *network.Port {
	return &network.Port{
		ProjectID: projectID, NetworkID: networkID, AdminStateUp: true, FixedIPs: fixed, DeviceID: r.ID, DeviceOwner: owner,
		Binding: network.Binding{Host: r.Host, NetNS: network.RouterNetNS + r.ID},
	}
}

// AddRouterInterface gives a router a port in a subnet, with the subnet's gateway as its address, or, where portID is not "", that port.
// A further IPv6 subnet of a network comes to the port that the router has there, as Neutron does it.
func (s *Store) AddRouterInterface(ctx context.Context, routerID, subnetID, portID string) (*network.RouterInterface, error) {
	var made *network.RouterInterface
	var hints []Hint
	var where string
	add := func(ctx context.Context, tx bun.Tx) error {
		r, a, err := lockedRouter(ctx, tx, routerID)
		if err != nil {
			return err
		}
		if portID != "" {
			made, hints, err = s.adoptPort(ctx, tx, r, a, portID)
		} else {
			made, hints, err = s.enterSubnet(ctx, tx, r, a, subnetID, &where)
		}
		return err
	}
	err := s.patient(ctx, &where, func() error { return s.allocating(ctx, "store.addRouterInterface", add) })
	if err != nil {
		return nil, err
	}
	s.hintAll(append(hints, Hint{Network: true}))
	return made, nil
}

// adoptPort makes a port an interface of a router.
func (s *Store) adoptPort(ctx context.Context, tx bun.Tx, r *network.Router, a *attached, portID string) (*network.RouterInterface, []Hint, error) {
	p, hints, err := s.alterPort(ctx, tx, portID, func(p *network.Port) error {
		if err := network.CheckInterfacePort(p, a.ports); err != nil {
			return err
		}
		mine := routerPort(r, network.OwnerRouterInterface, "", "", nil)
		p.DeviceID, p.DeviceOwner, p.Binding.Host, p.Binding.NetNS = mine.DeviceID, mine.DeviceOwner, mine.Binding.Host, mine.Binding.NetNS
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	subnets, err := subnetsByID(ctx, tx, subnetIDs(p))
	if err != nil {
		return nil, nil, err
	}
	if err := network.CheckOverlap(a.subnets, subnets); err != nil {
		return nil, nil, err
	}
	return interfaceOf(r, p, subnetIDs(p)...), hints, nil
}

func subnetIDs(p *network.Port) []string {
	var ids []string
	for _, f := range p.FixedIPs {
		if !slices.Contains(ids, f.SubnetID) {
			ids = append(ids, f.SubnetID)
		}
	}
	return ids
}

func interfaceOf(r *network.Router, p *network.Port, subnetIDs ...string) *network.RouterInterface {
	return &network.RouterInterface{RouterID: r.ID, ProjectID: p.ProjectID, PortID: p.ID, NetworkID: p.NetworkID, SubnetIDs: subnetIDs}
}

// enterSubnet gives a router the gateway's address of a subnet, and tells of which network that is.
func (s *Store) enterSubnet(ctx context.Context, tx bun.Tx, r *network.Router, a *attached, subnetID string, where *string) (*network.RouterInterface, []Hint, error) {
	sub, err := lockedSubnet(ctx, tx, subnetID)
	if err != nil {
		return nil, nil, err
	}
	*where = sub.NetworkID
	if err := sub.CheckInterfaceSubnet(); err != nil {
		return nil, nil, err
	}
	if err := network.CheckOverlap(a.subnets, []*network.Subnet{sub}); err != nil {
		return nil, nil, err
	}
	fixed := network.FixedIP{SubnetID: sub.ID, Address: sub.Gateway}
	if there := network.IPv6Interface(a.ports, sub.NetworkID); there != nil && sub.IPVersion() == 6 {
		p, hints, err := s.alterPort(ctx, tx, there.ID, func(p *network.Port) error {
			p.FixedIPs = append(p.FixedIPs, fixed)
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
		return interfaceOf(r, p, sub.ID), hints, nil
	}
	p := routerPort(r, network.OwnerRouterInterface, r.ProjectID, sub.NetworkID, []network.FixedIP{fixed})
	if err := insertPort(ctx, tx, p); err != nil {
		return nil, nil, err
	}
	return interfaceOf(r, p, sub.ID), []Hint{{PortID: p.ID}}, nil
}

// leaving is for how long a request waits for a host to take away what has an address that it names.
const leaving = 5 * time.Second

// patient tries again what is refused for an address that maybe only a deleted port still has: its host takes it away at any moment, also
// between the try and the look at who leaves, so that the last try comes after nobody left any more. The network is the one that the try
// found itself in.
func (s *Store) patient(ctx context.Context, networkID *string, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, leaving)
	defer cancel()
	for there := true; ; {
		err := try()
		var e *lbaas.Error
		if !there || *networkID == "" || !errors.As(err, &e) || e.Type != "IpAddressInUse" && e.Type != "MacAddressInUse" {
			return err
		}
		var lookErr error
		if there, lookErr = s.leaves(ctx, *networkID); lookErr != nil {
			return err
		}
		if !there {
			continue
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// leaves tells whether a port of a network is deleted and not yet unplugged.
func (s *Store) leaves(ctx context.Context, networkID string) (bool, error) {
	there, err := s.read.NewSelect().Table("ports").Where("deleted = ? AND network_id = ?", true, networkID).Exists(ctx)
	if err != nil {
		return false, fmt.Errorf("look for leaving ports: %w", err)
	}
	return there, nil
}

// RemoveRouterInterface takes the interface in a subnet away from a router, or, where portID is not "", the one that is that port; both
// given have to belong together. The port goes, unless it has further subnets.
func (s *Store) RemoveRouterInterface(ctx context.Context, routerID, subnetID, portID string) (*network.RouterInterface, error) {
	var gone *network.RouterInterface
	var hints []Hint
	err := s.change(ctx, "store.removeRouterInterface", func(ctx context.Context, tx bun.Tx) error {
		r, a, err := lockedRouter(ctx, tx, routerID)
		if err != nil {
			return err
		}
		p, subnets, err := a.leavingBy(r.ID, subnetID, portID)
		if err != nil {
			return err
		}
		gone = interfaceOf(r, p, subnets...)
		for _, id := range subnets {
			if err := dispensable(ctx, tx, r, a.subnet(id)); err != nil {
				return err
			}
		}
		if len(subnets) < len(subnetIDs(p)) {
			_, hints, err = s.alterPort(ctx, tx, p.ID, func(p *network.Port) error {
				p.FixedIPs = slices.DeleteFunc(p.FixedIPs, func(f network.FixedIP) bool { return f.SubnetID == subnetID })
				return nil
			})
			return err
		}
		hints, err = lockAndDrop(ctx, tx, p.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.hintAll(append(hints, Hint{Network: true}))
	return gone, nil
}

// leavingBy finds the interface that a request names, and which of its subnets go.
func (a *attached) leavingBy(routerID, subnetID, portID string) (*network.Port, []string, error) {
	for _, p := range a.interfaces() {
		subnets := subnetIDs(p)
		switch {
		case portID == "" && slices.Contains(subnets, subnetID):
			return p, []string{subnetID}, nil
		case portID != p.ID:
		case subnetID != "" && !slices.Contains(subnets, subnetID):
			return nil, nil, network.SubnetMismatchForPort(portID, subnetID)
		default:
			return p, subnets, nil
		}
	}
	if portID != "" {
		return nil, nil, network.RouterInterfaceNotFound(routerID, portID)
	}
	return nil, nil, network.RouterInterfaceNotFoundForSubnet(routerID, subnetID)
}

// dispensable refuses to take a way away that floating addresses or extra routes need.
func dispensable(ctx context.Context, tx bun.Tx, r *network.Router, sub *network.Subnet) error {
	if sub == nil {
		return nil
	}
	var fixed []string
	err := tx.NewSelect().Table("floating_ips").Column("fixed_address").Where("router_id = ?", r.ID).Scan(ctx, &fixed)
	if err != nil {
		return fmt.Errorf("read the router's floating addresses: %w", err)
	}
	if slices.ContainsFunc(fixed, func(text string) bool { return sub.CIDR.Contains(textAddress(text)) }) {
		return network.RouterInterfaceInUseByFloatingIP(r.ID, sub.ID)
	}
	if network.Leads(r.Routes, sub.CIDR) {
		return network.RouterInterfaceInUseByRoute(r.ID, sub.ID)
	}
	return nil
}

func lockAndDrop(ctx context.Context, tx bun.Tx, portID string) ([]Hint, error) {
	row, _, _, err := lockedPort(ctx, tx, portID)
	if err != nil {
		return nil, err
	}
	return dropPort(ctx, tx, row)
}

// notOfL3 refuses to delete a port that a router or a floating address has.
func notOfL3(ctx context.Context, tx bun.Tx, p *network.Port) error {
	tables := map[string]string{
		network.OwnerRouterInterface: "routers", network.OwnerRouterGateway: "routers", network.OwnerFloatingIP: "floating_ips",
	}
	table, ok := tables[p.DeviceOwner]
	if !ok || len(p.FixedIPs) == 0 {
		return nil
	}
	if there, err := used(ctx, tx, table, "id", p.DeviceID); err != nil || !there {
		return err
	}
	return network.ServicePortInUse(p.ID, "has device owner "+p.DeviceOwner)
}
