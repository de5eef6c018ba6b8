package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

type l7PolicyRow struct {
	bun.BaseModel `bun:"table:l7policies,alias:l7policies"`
	objectRow

	LoadBalancerID   string `bun:"load_balancer_id"`
	ListenerID       string `bun:"listener_id"`
	Action           string `bun:"action"`
	RedirectPoolID   string `bun:"redirect_pool_id"`
	RedirectURL      string `bun:"redirect_url"`
	RedirectPrefix   string `bun:"redirect_prefix"`
	RedirectHTTPCode int64  `bun:"redirect_http_code"`
	Position         int64  `bun:"position"`
}

func newL7PolicyRow(p *lbaas.L7Policy) l7PolicyRow {
	return l7PolicyRow{
		objectRow:      newObjectRow(&p.Object),
		LoadBalancerID: p.LoadBalancerID, ListenerID: p.ListenerID, Action: string(p.Action),
		RedirectPoolID: p.RedirectPoolID, RedirectURL: p.RedirectURL, RedirectPrefix: p.RedirectPrefix,
		RedirectHTTPCode: int64(p.RedirectHTTPCode), Position: int64(p.Position),
	}
}

func (r *l7PolicyRow) domain() *lbaas.L7Policy {
	return &lbaas.L7Policy{
		Object:         r.objectRow.domain(),
		LoadBalancerID: r.LoadBalancerID, ListenerID: r.ListenerID, Action: lbaas.L7Action(r.Action),
		RedirectPoolID: r.RedirectPoolID, RedirectURL: r.RedirectURL, RedirectPrefix: r.RedirectPrefix,
		RedirectHTTPCode: int(r.RedirectHTTPCode), Position: int(r.Position),
	}
}

// same tells whether both rows say the same of the object, whatever its progress.
func (r l7PolicyRow) same(o l7PolicyRow) bool {
	r.objectRow, o.objectRow = r.settled(), o.settled()
	return r == o
}

var l7PolicyAttributes = objectAttributes(attributes{
	"loadbalancer_id":    {column: "load_balancer_id"},
	"listener_id":        {column: "listener_id"},
	"action":             {column: "action"},
	"redirect_pool_id":   {column: "redirect_pool_id"},
	"redirect_url":       {column: "redirect_url"},
	"redirect_prefix":    {column: "redirect_prefix"},
	"redirect_http_code": {column: "redirect_http_code", value: integer},
	"position":           {column: "position", value: integer},
})

// L7Policy returns one L7 policy, also while it is wanted deleted, until it is gone. Its rules carry their ids only.
func (s *Store) L7Policy(ctx context.Context, id string) (*lbaas.L7Policy, error) {
	row, err := one[l7PolicyRow](ctx, s.read, lbaas.NounL7Policy, id)
	if err != nil {
		return nil, err
	}
	policies, err := s.l7PoliciesWithRules(ctx, []l7PolicyRow{*row})
	if err != nil {
		return nil, err
	}
	return policies[0], nil
}

// L7Policies returns those that a query asks for, as L7Policy does.
func (s *Store) L7Policies(ctx context.Context, q Query) ([]*lbaas.L7Policy, error) {
	rows, err := list[l7PolicyRow](ctx, s.read, q, tableL7Policies, l7PolicyAttributes)
	if err != nil {
		return nil, fmt.Errorf("list L7 policies: %w", err)
	}
	return s.l7PoliciesWithRules(ctx, rows)
}

func (s *Store) l7PoliciesWithRules(ctx context.Context, rows []l7PolicyRow) ([]*lbaas.L7Policy, error) {
	policies := make([]*lbaas.L7Policy, len(rows))
	ids := make([]string, len(rows))
	for i := range rows {
		policies[i], ids[i] = rows[i].domain(), rows[i].ID
	}
	rules, err := idsBy(ctx, s.read, tableL7Rules, "l7policy_id", ids)
	if err != nil {
		return nil, err
	}
	for _, p := range policies {
		for _, id := range rules[p.ID] {
			p.Rules = append(p.Rules, &lbaas.L7Rule{Object: lbaas.Object{ID: id}})
		}
	}
	return policies, nil
}
