package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

type rateLimitPolicyRow struct {
	bun.BaseModel `bun:"table:rate_limit_policies,alias:rate_limit_policies"`
	objectRow

	LoadBalancerID string `bun:"load_balancer_id"`
	ListenerID     string `bun:"listener_id"`
	Action         string `bun:"action"`
}

func newRateLimitPolicyRow(p *lbaas.RateLimitPolicy) rateLimitPolicyRow {
	return rateLimitPolicyRow{
		objectRow:      newObjectRow(&p.Object),
		LoadBalancerID: p.LoadBalancerID, ListenerID: p.ListenerID, Action: string(p.Action),
	}
}

func (r *rateLimitPolicyRow) domain() *lbaas.RateLimitPolicy {
	return &lbaas.RateLimitPolicy{
		Object:         r.objectRow.domain(),
		LoadBalancerID: r.LoadBalancerID, ListenerID: r.ListenerID, Action: lbaas.RateLimitAction(r.Action),
	}
}

// same tells whether both rows say the same of the object, whatever its progress.
func (r rateLimitPolicyRow) same(o rateLimitPolicyRow) bool {
	r.objectRow, o.objectRow = r.settled(), o.settled()
	return r == o
}

type rateLimitRuleRow struct {
	bun.BaseModel `bun:"table:rate_limit_rules,alias:rate_limit_rules"`
	objectRow

	LoadBalancerID    string `bun:"load_balancer_id"`
	RateLimitPolicyID string `bun:"rate_limit_policy_id"`
	Metric            string `bun:"metric"`
	Threshold         int64  `bun:"threshold"`
	Interval          int64  `bun:"interval_seconds"`
	URLs              string `bun:"urls"`
}

func newRateLimitRuleRow(r *lbaas.RateLimitRule) rateLimitRuleRow {
	return rateLimitRuleRow{
		objectRow:      newObjectRow(&r.Object),
		LoadBalancerID: r.LoadBalancerID, RateLimitPolicyID: r.RateLimitPolicyID, Metric: string(r.Metric),
		Threshold: int64(r.Threshold), Interval: int64(r.Interval), URLs: listText(r.URLs),
	}
}

func (r *rateLimitRuleRow) domain() *lbaas.RateLimitRule {
	return &lbaas.RateLimitRule{
		Object:         r.objectRow.domain(),
		LoadBalancerID: r.LoadBalancerID, RateLimitPolicyID: r.RateLimitPolicyID, Metric: lbaas.RateLimitMetric(r.Metric),
		Threshold: int(r.Threshold), Interval: int(r.Interval), URLs: textList(r.URLs),
	}
}

// same tells whether both rows say the same of the object, whatever its progress.
func (r rateLimitRuleRow) same(o rateLimitRuleRow) bool {
	r.objectRow, o.objectRow = r.settled(), o.settled()
	return r == o
}

// The specification says enabled where the rest of the API says admin_state_up.
var rateLimitPolicyAttributes = objectAttributes(attributes{
	"loadbalancer_id": {column: "load_balancer_id"},
	"listener_id":     {column: "listener_id"},
	"action":          {column: "action"},
	"enabled":         {column: "admin_state_up", value: boolean},
})

var rateLimitRuleAttributes = objectAttributes(attributes{
	"loadbalancer_id":    {column: "load_balancer_id"},
	"ratelimitpolicy_id": {column: "rate_limit_policy_id"},
	"metric":             {column: "metric"},
	"threshold":          {column: "threshold", value: integer},
	"interval":           {column: "interval_seconds", value: integer},
	"enabled":            {column: "admin_state_up", value: boolean},
})

// RateLimitPolicy returns one rate-limit policy, also while it is wanted deleted, until it is gone. Its rules carry their ids
// only.
func (s *Store) RateLimitPolicy(ctx context.Context, id string) (*lbaas.RateLimitPolicy, error) {
	row, err := one[rateLimitPolicyRow](ctx, s.read, lbaas.NounRateLimitPolicy, id)
	if err != nil {
		return nil, err
	}
	policies, err := s.rateLimitPoliciesWithRules(ctx, []rateLimitPolicyRow{*row})
	if err != nil {
		return nil, err
	}
	return policies[0], nil
}

// RateLimitPolicies returns those that a query asks for, as RateLimitPolicy does.
func (s *Store) RateLimitPolicies(ctx context.Context, q Query) ([]*lbaas.RateLimitPolicy, error) {
	rows, err := list[rateLimitPolicyRow](ctx, s.read, q, tableRateLimitPolicies, rateLimitPolicyAttributes)
	if err != nil {
		return nil, fmt.Errorf("list rate-limit policies: %w", err)
	}
	return s.rateLimitPoliciesWithRules(ctx, rows)
}

func (s *Store) rateLimitPoliciesWithRules(ctx context.Context, rows []rateLimitPolicyRow) ([]*lbaas.RateLimitPolicy, error) {
	policies := make([]*lbaas.RateLimitPolicy, len(rows))
	ids := make([]string, len(rows))
	for i := range rows {
		policies[i], ids[i] = rows[i].domain(), rows[i].ID
	}
	rules, err := idsBy(ctx, s.read, tableRateLimitRules, "rate_limit_policy_id", ids)
	if err != nil {
		return nil, err
	}
	for _, p := range policies {
		for _, id := range rules[p.ID] {
			p.Rules = append(p.Rules, &lbaas.RateLimitRule{Object: lbaas.Object{ID: id}})
		}
	}
	return policies, nil
}

// RateLimitRule returns one rate-limit rule, also while it is wanted deleted, until it is gone.
func (s *Store) RateLimitRule(ctx context.Context, id string) (*lbaas.RateLimitRule, error) {
	row, err := one[rateLimitRuleRow](ctx, s.read, lbaas.NounRateLimitRule, id)
	if err != nil {
		return nil, err
	}
	return row.domain(), nil
}

// RateLimitRules returns those that a query asks for; those of one policy by a filter on ratelimitpolicy_id.
func (s *Store) RateLimitRules(ctx context.Context, q Query) ([]*lbaas.RateLimitRule, error) {
	rows, err := list[rateLimitRuleRow](ctx, s.read, q, tableRateLimitRules, rateLimitRuleAttributes)
	if err != nil {
		return nil, fmt.Errorf("list rate-limit rules: %w", err)
	}
	rules := make([]*lbaas.RateLimitRule, len(rows))
	for i := range rows {
		rules[i] = rows[i].domain()
	}
	return rules, nil
}
