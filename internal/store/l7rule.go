package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

type l7RuleRow struct {
	bun.BaseModel `bun:"table:l7rules,alias:l7rules"`
	objectRow

	LoadBalancerID string `bun:"load_balancer_id"`
	L7PolicyID     string `bun:"l7policy_id"`
	Type           string `bun:"type"`
	CompareType    string `bun:"compare_type"`
	Key            string `bun:"rule_key"`
	Value          string `bun:"rule_value"`
	Invert         bool   `bun:"invert"`
}

func newL7RuleRow(r *lbaas.L7Rule) l7RuleRow {
	return l7RuleRow{
		objectRow:      newObjectRow(&r.Object),
		LoadBalancerID: r.LoadBalancerID, L7PolicyID: r.L7PolicyID,
		Type: string(r.Type), CompareType: string(r.CompareType), Key: r.Key, Value: r.Value, Invert: r.Invert,
	}
}

func (r *l7RuleRow) domain() *lbaas.L7Rule {
	return &lbaas.L7Rule{
		Object:         r.objectRow.domain(),
		LoadBalancerID: r.LoadBalancerID, L7PolicyID: r.L7PolicyID,
		Type: lbaas.L7RuleType(r.Type), CompareType: lbaas.CompareType(r.CompareType),
		Key: r.Key, Value: r.Value, Invert: r.Invert,
	}
}

// same tells whether both rows say the same of the object, whatever its progress.
func (r l7RuleRow) same(o l7RuleRow) bool {
	r.objectRow, o.objectRow = r.settled(), o.settled()
	return r == o
}

var l7RuleAttributes = objectAttributes(attributes{
	"loadbalancer_id": {column: "load_balancer_id"},
	"l7policy_id":     {column: "l7policy_id"},
	"type":            {column: "type"},
	"compare_type":    {column: "compare_type"},
	"key":             {column: "rule_key"},
	"value":           {column: "rule_value"},
	"invert":          {column: "invert", value: boolean},
})

// L7Rule returns one L7 rule, also while it is wanted deleted, until it is gone.
func (s *Store) L7Rule(ctx context.Context, id string) (*lbaas.L7Rule, error) {
	row, err := one[l7RuleRow](ctx, s.read, lbaas.NounL7Rule, id)
	if err != nil {
		return nil, err
	}
	return row.domain(), nil
}

// L7Rules returns those that a query asks for; those of one policy by a filter on l7policy_id.
func (s *Store) L7Rules(ctx context.Context, q Query) ([]*lbaas.L7Rule, error) {
	rows, err := list[l7RuleRow](ctx, s.read, q, tableL7Rules, l7RuleAttributes)
	if err != nil {
		return nil, fmt.Errorf("list L7 rules: %w", err)
	}
	rules := make([]*lbaas.L7Rule, len(rows))
	for i := range rows {
		rules[i] = rows[i].domain()
	}
	return rules, nil
}
