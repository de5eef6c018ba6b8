package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

// insertGateway gives a router its port in an external network.
func insertGateway(ctx context.Context, tx bun.Tx, r *network.Router, a *attached) ([]Hint, error) {
	if err := lockNetwork(ctx, tx, r.Gateway.NetworkID); err != nil {
		return nil, err
	}
	if err := checkGateway(ctx, tx, r); err != nil {
		return nil, err
	}
	p := routerPort(r, network.OwnerRouterGateway, "", r.Gateway.NetworkID, r.Gateway.FixedIPs)
	if err := insertPort(ctx, tx, p); err != nil {
		return nil, err
	}
	r.Gateway.PortID, r.Gateway.FixedIPs = p.ID, p.FixedIPs
	return []Hint{{PortID: p.ID}}, outside(ctx, tx, p, a)
}

// outside refuses a gateway in subnets that the router leads to inside.
func outside(ctx context.Context, tx bun.Tx, gateway *network.Port, a *attached) error {
	subnets, err := subnetsByID(ctx, tx, subnetIDs(gateway))
	if err != nil {
		return err
	}
	var inside []*network.Subnet
	for _, p := range a.interfaces() {
		for _, id := range subnetIDs(p) {
			if sub := a.subnet(id); sub != nil {
				inside = append(inside, sub)
			}
		}
	}
	return network.CheckOverlap(inside, subnets)
}

// checkGateway checks the network, which is locked, and the addresses that a router's gateway is to have.
func checkGateway(ctx context.Context, tx bun.Tx, r *network.Router) error {
	n, err := networkByID(ctx, tx, r.Gateway.NetworkID)
	if err != nil {
		return err
	}
	if !n.External {
		return network.BadRequest("router", "Network %s is not an external network", n.ID)
	}
	subnets, err := subnetsOfNetwork(ctx, tx, n.ID)
	if err != nil {
		return err
	}
	for _, f := range r.Gateway.FixedIPs {
		if f.Address.IsValid() && slices.ContainsFunc(subnets, func(s *network.Subnet) bool { return s.Gateway == f.Address }) {
			return network.BadRequest("router", "External IP %s is the same as the gateway IP", f.Address)
		}
	}
	return nil
}

// changeGateway makes a router's gateway what its update says.
func (s *Store) changeGateway(ctx context.Context, tx bun.Tx, before, r *network.Router, a *attached) ([]Hint, error) {
	was, is := before.Gateway, &r.Gateway
	if was.NetworkID == is.NetworkID {
		is.PortID = was.PortID
		if was.NetworkID == "" || is.FixedIPs == nil || slices.Equal(was.FixedIPs, is.FixedIPs) {
			is.FixedIPs = was.FixedIPs
			return nil, nil
		}
		return s.moveGateway(ctx, tx, r, a)
	}
	var hints []Hint
	if was.NetworkID != "" {
		floats, err := used(ctx, tx, "floating_ips", "router_id", r.ID)
		if err != nil {
			return nil, err
		}
		if floats {
			return nil, network.RouterGatewayInUse(r.ID, was.NetworkID)
		}
		if hints, err = lockAndDrop(ctx, tx, was.PortID); err != nil {
			return nil, err
		}
	}
	is.PortID = ""
	if is.NetworkID == "" {
		is.FixedIPs = nil
		return hints, nil
	}
	more, err := insertGateway(ctx, tx, r, a)
	return append(hints, more...), err
}

// moveGateway gives a router's gateway other addresses of its network.
func (s *Store) moveGateway(ctx context.Context, tx bun.Tx, r *network.Router, a *attached) ([]Hint, error) {
	if err := lockNetwork(ctx, tx, r.Gateway.NetworkID); err != nil {
		return nil, err
	}
	if err := checkGateway(ctx, tx, r); err != nil {
		return nil, err
	}
	p, hints, err := s.alterPort(ctx, tx, r.Gateway.PortID, func(p *network.Port) error {
		p.FixedIPs = r.Gateway.FixedIPs
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.Gateway.FixedIPs = p.FixedIPs
	return hints, outside(ctx, tx, p, a)
}

// regate has the gateway of a router plugged anew, after a change of the floating addresses that it has.
func regate(ctx context.Context, tx bun.Tx, routerID string) ([]Hint, error) {
	if routerID == "" {
		return nil, nil
	}
	row := &routerRow{}
	err := tx.NewSelect().Model(row).Where("id = ?", routerID).Scan(ctx)
	if notFound(err) || err == nil && row.GatewayPortID == "" {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read router: %w", err)
	}
	if err := lockNetwork(ctx, tx, row.GatewayNetworkID); err != nil {
		return nil, err
	}
	n, err := networkByID(ctx, tx, row.GatewayNetworkID)
	if err != nil {
		return nil, err
	}
	return replanPorts(ctx, tx, n, "id = ?", row.GatewayPortID)
}
