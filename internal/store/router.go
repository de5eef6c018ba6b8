package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

type routerRow struct {
	bun.BaseModel `bun:"table:routers"`

	ID               string `bun:"id,pk"`
	ProjectID        string
	Name             string
	Description      string
	AdminStateUp     bool
	Host             string
	GatewayNetworkID string
	GatewayPortID    string
	EnableSNAT       bool `bun:"enable_snat"`
	Routes           string
	Tags             string
	Revision         int64
	Epoch            int64
	CreatedAt        int64
	UpdatedAt        int64
}

func newRouterRow(r *network.Router) *routerRow {
	return &routerRow{
		ID: r.ID, ProjectID: r.ProjectID, Name: r.Name, Description: r.Description, AdminStateUp: r.AdminStateUp, Host: r.Host,
		GatewayNetworkID: r.Gateway.NetworkID, GatewayPortID: r.Gateway.PortID, EnableSNAT: r.Gateway.EnableSNAT,
		Routes: jsonText(r.Routes), Tags: listText(r.Tags), Revision: r.Revision,
		CreatedAt: micros(r.CreatedAt), UpdatedAt: micros(r.UpdatedAt),
	}
}

func (r *routerRow) domain() *network.Router {
	router := &network.Router{
		ID: r.ID, ProjectID: r.ProjectID, Name: r.Name, Description: r.Description, AdminStateUp: r.AdminStateUp, Host: r.Host,
		Gateway: network.Gateway{NetworkID: r.GatewayNetworkID, PortID: r.GatewayPortID, EnableSNAT: r.EnableSNAT},
		Tags:    textList(r.Tags), Revision: r.Revision, CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
	textJSON(r.Routes, &router.Routes)
	return router
}

func routerAttributes() attributes {
	return attributes{
		"id":              {column: "id"},
		"tags":            {column: "tags"},
		"name":            {column: "name"},
		"description":     {column: "description"},
		"project_id":      {column: "project_id"},
		"tenant_id":       {column: "project_id"},
		"admin_state_up":  {column: "admin_state_up", value: boolean},
		"status":          {column: alwaysActive},
		"distributed":     {column: never, value: boolean},
		"ha":              {column: never, value: boolean},
		"flavor_id":       {column: nothing},
		"revision_number": {column: "revision", value: integer},
		"created_at":      {column: "created_at", value: moment},
		"updated_at":      {column: "updated_at", value: moment},
	}
}

// Router returns a router with the addresses of its gateway. One that is not there is Neutron's RouterNotFound.
func (s *Store) Router(ctx context.Context, id string) (*network.Router, error) {
	var r *network.Router
	err := s.snapshot(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		r, err = routerByID(ctx, tx, id)
		return err
	})
	return r, err
}

// Routers lists routers. Beside the attributes, network.VisibleTo is understood.
func (s *Store) Routers(ctx context.Context, q Query) ([]*network.Router, error) {
	return found(ctx, s, "routers", q, routerAttributes(), special{network.VisibleTo: ofProjects}, routersOf)
}

func routerByID(ctx context.Context, db bun.IDB, id string) (*network.Router, error) {
	row, err := readRow[routerRow](ctx, db, "router", id, network.RouterNotFound(id))
	if err != nil {
		return nil, err
	}
	list, err := routersOf(ctx, db, []*routerRow{row})
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// routersOf turns rows into routers, with the addresses of their gateways.
func routersOf(ctx context.Context, db bun.IDB, rows []*routerRow) ([]*network.Router, error) {
	list := make([]*network.Router, 0, len(rows))
	for _, row := range rows {
		list = append(list, row.domain())
	}
	for chunk := range slices.Chunk(list, chunkSize) {
		var gateways []*network.Port
		for _, r := range chunk {
			if r.Gateway.PortID != "" {
				gateways = append(gateways, &network.Port{ID: r.Gateway.PortID})
			}
		}
		if len(gateways) == 0 {
			continue
		}
		if err := fillAddresses(ctx, db, gateways); err != nil {
			return nil, err
		}
		byID := map[string][]network.FixedIP{}
		for _, p := range gateways {
			byID[p.ID] = p.FixedIPs
		}
		for _, r := range chunk {
			r.Gateway.FixedIPs = byID[r.Gateway.PortID]
		}
	}
	return list, nil
}

// CreateRouter keeps a new router and fills its ID, its times, and the port and the addresses of its gateway, where it is to have one.
func (s *Store) CreateRouter(ctx context.Context, r *network.Router) error {
	var made *network.Router
	var hints []Hint
	create := func(ctx context.Context, tx bun.Tx) (err error) {
		attempt := *r
		made, hints = &attempt, nil
		if err := s.countNetwork(ctx, tx, r.ProjectID, network.QuotaRouter, 1); err != nil {
			return err
		}
		made.ID, made.CreatedAt, made.Revision = fresh(r.ID), now(), 1
		made.UpdatedAt = made.CreatedAt
		if made.Gateway.NetworkID != "" {
			if hints, err = insertGateway(ctx, tx, made, &attached{}); err != nil {
				return err
			}
		}
		if err := checkRoutes(ctx, tx, made); err != nil {
			return err
		}
		if _, err := tx.NewInsert().Model(newRouterRow(made)).Exec(ctx); err != nil {
			return fmt.Errorf("insert router: %w", err)
		}
		return nil
	}
	err := s.patient(ctx, &r.Gateway.NetworkID, func() error { return s.allocating(ctx, "store.createRouter", create) })
	if err != nil {
		return err
	}
	*r = *made
	s.hintAll(append(hints, Hint{Network: true}))
	return nil
}

// checkRoutes checks the extra routes of a router against what it leads to now.
func checkRoutes(ctx context.Context, tx bun.Tx, r *network.Router) error {
	if len(r.Routes) == 0 {
		return nil
	}
	a, err := attachedTo(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	return network.ValidateRoutes(r.ID, r.Routes, a.ports, a.subnets)
}

// UpdateRouter lets fn change a router, which it may have to do more than once, and returns what was kept. The gateway is the one of
// Gateway.NetworkID from then on, with Gateway.FixedIPs; where those are nil, it has what it had in that network, or any addresses.
func (s *Store) UpdateRouter(ctx context.Context, id string, fn func(*network.Router) error) (*network.Router, error) {
	var after *network.Router
	var hints []Hint
	var where string
	update := func(ctx context.Context, tx bun.Tx) error {
		r, a, err := lockedRouter(ctx, tx, id)
		if err != nil {
			return err
		}
		before := *r
		before.Routes = slices.Clone(r.Routes)
		if err := fn(r); err != nil {
			return err
		}
		where = r.Gateway.NetworkID
		if hints, err = s.changeGateway(ctx, tx, &before, r, a); err != nil {
			return err
		}
		if !slices.Equal(before.Routes, r.Routes) {
			if err := checkRoutes(ctx, tx, r); err != nil {
				return err
			}
		}
		r.Revision, r.UpdatedAt, after = before.Revision+1, now(), r
		_, err = tx.NewUpdate().Model(newRouterRow(r)).ExcludeColumn("id", "epoch", "created_at").WherePK().Exec(ctx)
		if err != nil {
			return fmt.Errorf("update router: %w", err)
		}
		return nil
	}
	err := s.patient(ctx, &where, func() error { return s.allocating(ctx, "store.updateRouter", update) })
	if err != nil {
		return nil, err
	}
	s.hintAll(append(hints, Hint{Network: true}))
	return after, nil
}

// DeleteRouter removes a router and its gateway. One that has interfaces is Neutron's RouterInUse.
func (s *Store) DeleteRouter(ctx context.Context, id string) error {
	var hints []Hint
	err := s.change(ctx, "store.deleteRouter", func(ctx context.Context, tx bun.Tx) error {
		r, a, err := lockedRouter(ctx, tx, id)
		if err != nil {
			return err
		}
		if len(a.interfaces()) > 0 {
			return network.RouterInUse(id)
		}
		before := *r
		r.Gateway = network.Gateway{}
		if hints, err = s.changeGateway(ctx, tx, &before, r, a); err != nil {
			return err
		}
		return erase(ctx, tx.NewDelete().Table("routers").Where("id = ?", id))
	})
	if err != nil {
		return err
	}
	s.hintAll(append(hints, Hint{Network: true}))
	return nil
}
