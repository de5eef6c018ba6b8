package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

// quotaRow is a project's own limits; noNumber is none.
type quotaRow struct {
	bun.BaseModel `bun:"table:quotas,alias:quotas"`

	ProjectID     string `bun:"project_id,pk"`
	Own           bool   `bun:"own"`
	LoadBalancer  int64  `bun:"load_balancer"`
	Listener      int64  `bun:"listener"`
	Pool          int64  `bun:"pool"`
	HealthMonitor int64  `bun:"health_monitor"`
	Member        int64  `bun:"member"`
	L7Policy      int64  `bun:"l7_policy"`
	L7Rule        int64  `bun:"l7_rule"`
	Epoch         int64  `bun:"epoch,skipupdate"`
}

// limits are the columns of the nouns.
func (r *quotaRow) limits() map[lbaas.Noun]*int64 {
	return map[lbaas.Noun]*int64{
		lbaas.NounLoadBalancer: &r.LoadBalancer, lbaas.NounListener: &r.Listener, lbaas.NounPool: &r.Pool,
		lbaas.NounHealthMonitor: &r.HealthMonitor, lbaas.NounMember: &r.Member,
		lbaas.NounL7Policy: &r.L7Policy, lbaas.NounL7Rule: &r.L7Rule,
	}
}

func newQuotaRow(q *lbaas.Quota) *quotaRow {
	r := &quotaRow{ProjectID: q.ProjectID}
	for noun, column := range r.limits() {
		*column = noNumber
		if n, ok := q.Limits[noun]; ok {
			*column = int64(n)
		}
	}
	return r
}

func (r *quotaRow) domain() *lbaas.Quota {
	q := &lbaas.Quota{ProjectID: r.ProjectID, Limits: map[lbaas.Noun]int{}}
	for noun, column := range r.limits() {
		if *column != noNumber {
			q.Limits[noun] = int(*column)
		}
	}
	return q
}

// SetQuotaDefaults gives the limits of projects that have none of their own. It is called at most once, before the store is
// used; without it everything is unlimited.
func (s *Store) SetQuotaDefaults(defaults map[lbaas.Noun]int) { s.quotaDefaults = defaults }

// QuotaDefaults are the limits of projects that have none of their own.
func (s *Store) QuotaDefaults() map[lbaas.Noun]int { return s.quotaDefaults }

// Quota returns a project's own limits: none where it was given none.
func (s *Store) Quota(ctx context.Context, projectID string) (*lbaas.Quota, error) {
	row, err := quotaOf(ctx, s.read, projectID)
	if err != nil {
		return nil, err
	}
	return row.domain(), nil
}

// quotaOf reads the limits of a project; without a row it has none.
func quotaOf(ctx context.Context, db bun.IDB, projectID string) (*quotaRow, error) {
	row := newQuotaRow(&lbaas.Quota{ProjectID: projectID})
	err := db.NewSelect().Model(row).Where("project_id = ?", projectID).Scan(ctx)
	if err != nil && !notFound(err) {
		return nil, fmt.Errorf("read the quota of project %s: %w", projectID, err)
	}
	return row, nil
}

// The project is the key and the order.
var quotaAttributes = attributes{
	"id": {column: "project_id", hidden: true}, "created_at": {column: "project_id", hidden: true},
	"project_id":   {column: "project_id"},
	"loadbalancer": {column: "load_balancer", value: integer}, "load_balancer": {column: "load_balancer", value: integer},
	"listener": {column: "listener", value: integer}, "pool": {column: "pool", value: integer},
	"healthmonitor": {column: "health_monitor", value: integer}, "health_monitor": {column: "health_monitor", value: integer},
	"member":   {column: "member", value: integer},
	"l7policy": {column: "l7_policy", value: integer}, "l7rule": {column: "l7_rule", value: integer},
}

// Quotas returns the limits of the projects that have any of their own or that have a load balancer. The marker is a
// project's id; the order is theirs.
func (s *Store) Quotas(ctx context.Context, q Query) ([]*lbaas.Quota, error) {
	rows, err := list[quotaRow](ctx, s.read, q, listedQuotas, quotaAttributes)
	if err != nil {
		return nil, fmt.Errorf("list quotas: %w", err)
	}
	quotas := make([]*lbaas.Quota, len(rows))
	for i := range rows {
		quotas[i] = rows[i].domain()
	}
	return quotas, nil
}

// listedQuotas has a row for each project that Quotas lists.
var listedQuotas = fmt.Sprintf(`(SELECT p.project_id, COALESCE(q.own, FALSE) AS own,
	COALESCE(q.load_balancer, %[1]d) AS load_balancer, COALESCE(q.listener, %[1]d) AS listener, COALESCE(q.pool, %[1]d) AS pool,
	COALESCE(q.health_monitor, %[1]d) AS health_monitor, COALESCE(q.member, %[1]d) AS member,
	COALESCE(q.l7_policy, %[1]d) AS l7_policy, COALESCE(q.l7_rule, %[1]d) AS l7_rule, COALESCE(q.epoch, 0) AS epoch
	FROM (SELECT project_id FROM quotas WHERE own UNION SELECT project_id FROM load_balancers WHERE NOT deleted) p
	LEFT JOIN quotas q ON q.project_id = p.project_id) AS quotas`, noNumber)

// QuotaUsage counts what projects have: rows that are not wanted deleted. Every project has an entry for every noun that
// quotas bound.
func (s *Store) QuotaUsage(ctx context.Context, projectIDs []string) (map[string]map[lbaas.Noun]int, error) {
	usage := make(map[string]map[lbaas.Noun]int, len(projectIDs))
	for _, id := range projectIDs {
		usage[id] = map[lbaas.Noun]int{}
		for _, noun := range lbaas.QuotaNouns() {
			usage[id][noun] = 0
		}
	}
	for some := range slices.Chunk(projectIDs, idChunk) {
		for _, noun := range lbaas.QuotaNouns() {
			var rows []struct {
				ProjectID string
				N         int
			}
			err := s.read.NewSelect().TableExpr(tables[noun]).ColumnExpr("project_id, COUNT(*) AS n").
				Where("project_id IN (?)", bun.List(some)).Where("deleted = ?", false).GroupExpr("project_id").Scan(ctx, &rows)
			if err != nil {
				return nil, fmt.Errorf("count the %s of %d projects: %w", tables[noun], len(projectIDs), err)
			}
			for _, r := range rows {
				if of := usage[r.ProjectID]; of != nil { // the database reads a NUL as something else
					of[noun] = r.N
				}
			}
		}
	}
	return usage, nil
}

// PutQuota lets fn change a project's own limits and returns them as they are then.
func (s *Store) PutQuota(ctx context.Context, projectID string, fn func(*lbaas.Quota) error) (q *lbaas.Quota, err error) {
	if err := lbaas.Within("project_id", projectID, 36); err != nil {
		return nil, err
	}
	err = s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := holdQuota(ctx, tx, projectID); err != nil {
			return err
		}
		row, err := quotaOf(ctx, tx, projectID)
		if err != nil {
			return err
		}
		q = row.domain()
		if err := fn(q); err != nil {
			return err
		}
		q.ProjectID = projectID
		row = newQuotaRow(q)
		row.Own = true
		if _, err := tx.NewUpdate().Model(row).WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("write the quota of project %s: %w", projectID, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return q, nil
}

// DeleteQuota takes back a project's own limits, so that it has the deployment's defaults. The error is NotFound where it
// has none.
func (s *Store) DeleteQuota(ctx context.Context, projectID string) error {
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		missing := lbaas.Missing("Quotas", projectID)
		if err := held(ctx, tx, tableQuotas, "project_id", projectID, missing); err != nil {
			return err
		}
		row := newQuotaRow(&lbaas.Quota{ProjectID: projectID})
		n, err := affected(tx.NewUpdate().Model(row).WherePK().Where("own = ?", true).Exec(ctx))
		switch {
		case err != nil:
			return fmt.Errorf("take back the quota of project %s: %w", projectID, err)
		case n == 0:
			return missing
		}
		return nil
	})
}

// checkQuotas refuses a change by which a project comes to have more of a noun than it may have. grown says by how many rows each
// table of the project has grown in this transaction, less those that are now wanted deleted: what does not grow is not asked for.
// What is unlimited touches no row. Where a limit is finite, the project's row is held and then everything live is counted, which takes
// in what this transaction has written and what all others that held the row before have. So nothing is kept that could drift.
//
// What was under way without a limit when a noun is limited for the first time held nothing. Those that come right after may not count it,
// until it is committed: a project may then have more than its limit by so much, as it may after a limit was lowered. To close that would
// cost a write in every transaction of a project without limits. On SQLite, which has one writer, it cannot be.
func (s *Store) checkQuotas(ctx context.Context, tx bun.Tx, projectID string, grown map[string]int64) error {
	nouns := growing(grown)
	if len(nouns) == 0 {
		return nil
	}
	row, err := quotaOf(ctx, tx, projectID)
	if err != nil || !row.finite(nouns, s.quotaDefaults) {
		return err
	}
	if err := holdQuota(ctx, tx, projectID); err != nil {
		return err
	}
	if row, err = quotaOf(ctx, tx, projectID); err != nil { // as it is now
		return err
	}
	limits := row.domain()
	for _, noun := range nouns {
		if err := checkQuota(ctx, tx, projectID, noun, limits.Limit(noun, s.quotaDefaults)); err != nil {
			return err
		}
	}
	return nil
}

func checkQuota(ctx context.Context, tx bun.Tx, projectID string, noun lbaas.Noun, limit int) error {
	if limit == lbaas.Unlimited {
		return nil
	}
	n, err := tx.NewSelect().TableExpr(tables[noun]).Where("project_id = ?", projectID).Where("deleted = ?", false).Count(ctx)
	if err != nil {
		return fmt.Errorf("count the %s of project %s: %w", tables[noun], projectID, err)
	}
	if n > int64(limit) {
		return lbaas.QuotaMet(noun)
	}
	return nil
}

// growing are the nouns with a quota of which there are more than before.
func growing(grown map[string]int64) []lbaas.Noun {
	var nouns []lbaas.Noun
	for _, noun := range lbaas.QuotaNouns() {
		if grown[tables[noun]] > 0 {
			nouns = append(nouns, noun)
		}
	}
	return nouns
}

// finite tells whether any of the nouns is limited.
func (r *quotaRow) finite(nouns []lbaas.Noun, defaults map[lbaas.Noun]int) bool {
	q := r.domain()
	return slices.ContainsFunc(nouns, func(noun lbaas.Noun) bool { return q.Limit(noun, defaults) != lbaas.Unlimited })
}

// holdQuota holds the row of a project and makes it where there is none. Of two that make it at once the later starts anew.
func holdQuota(ctx context.Context, tx bun.Tx, projectID string) error {
	found, err := hold(ctx, tx, tableQuotas, "project_id", projectID)
	if err != nil || found {
		return err
	}
	row := newQuotaRow(&lbaas.Quota{ProjectID: projectID})
	_, err = tx.NewInsert().Model(row).Exec(ctx)
	switch {
	case duplicate(err):
		return errAnew
	case err != nil:
		return fmt.Errorf("insert the quota of project %s: %w", projectID, err)
	}
	return nil
}
