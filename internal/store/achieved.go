package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

// Achieved records what an Apply of a generation achieved. Of that generation or an older one, the objects that failures names show
// ERROR with that reason, and so does the load balancer; the others are observed as wanted, or vanish when that is wanted. Newer
// ones are left alone: the load balancer stays pending for them. A load balancer that is wanted deleted itself only goes by Gone.
//
// amphorae are the instances that the data plane of the load balancer consists of now; nil is that the provider has none and
// leaves everything as it is.
func (s *Store) Achieved(
	ctx context.Context, l Lease, id string, generation int64, failures map[string]string, amphorae []lbaas.Amphora,
) error {
	return s.achieve(ctx, l, achievement{id: id, generation: generation, failures: failures}, amphorae)
}

// achieve records an achievement.
func (s *Store) achieve(ctx context.Context, l Lease, what achievement, amphorae []lbaas.Amphora) error {
	err := s.fenced(ctx, l, "store.achieved", func(ctx context.Context, tx bun.Tx) error {
		a := what // a transaction may start anew
		a.ctx, a.tx, a.time = ctx, tx, micros(now())
		if found, err := a.loadBalancer(s, l); err != nil || !found {
			return err
		}
		if err := a.record(); err != nil || amphorae == nil {
			return err
		}
		return a.instances(amphorae)
	})
	if err != nil {
		return fmt.Errorf("record what load balancer %s achieved: %w", what.id, err)
	}
	return nil
}

// achievement is one Achieved in its transaction.
type achievement struct {
	ctx        context.Context // that of the transaction, which the achievement does not outlive
	tx         bun.Tx
	id         string
	generation int64
	failures   map[string]string
	wait       bool // the failures are tried again: nothing becomes ERROR for them yet
	time       int64
	failed     []failedObject
}

type failedObject struct {
	noun     lbaas.Noun
	id, name string
	reason   string
}

func (a *achievement) record() error {
	nouns, err := a.due()
	if err != nil {
		return err
	}
	switch {
	case a.wait:
		err = a.waits(nouns)
	case len(a.failures) > 0:
		err = a.fail(nouns)
	}
	if err != nil {
		return err
	}
	for _, noun := range nouns {
		if err := a.children(tables[noun]); err != nil {
			return err
		}
	}
	if len(a.failures) == 0 {
		return nil
	}
	return a.blame()
}

// loadBalancer takes the row's lock, before any row below it is touched, and records success; blame takes that back.
func (a *achievement) loadBalancer(s *Store, l Lease) (found bool, err error) {
	if a.wait {
		return a.lock(l)
	}
	failing := len(a.failures) > 0
	up := a.tx.NewUpdate().Table(tableLoadBalancers)
	// Pending for something newer: there was progress, so its time begins now. Pending no more, unless for a failure.
	up = up.Set("pending_since = CASE WHEN pending_since = 0 AND (generation > ? OR NOT ?) THEN 0"+
		" WHEN deleted OR (generation > ? AND failed) THEN pending_since"+
		" WHEN generation > ? OR pending_since = 0 THEN ?"+
		" WHEN ? THEN pending_since ELSE 0 END",
		a.generation, failing, a.generation, a.generation, s.clock(), failing)
	if _, self := a.failures[a.id]; !self {
		up = up.Set("observed = CASE WHEN generation > ? OR deleted THEN observed ELSE generation END", a.generation)
	}
	n, err := affected(up.
		Set("failed = CASE WHEN generation > ? OR deleted THEN failed ELSE ? END", a.generation, false).
		Set("reason = CASE WHEN generation > ? OR deleted THEN reason ELSE '' END", a.generation).
		Set("updated_at = ?", a.time).
		Where("id = ?", a.id).Where("lease_name = ?", l.Name).Exec(a.ctx))
	return n == 1, err
}

// due are the nouns of which there is something to record, so that those which a load balancer does not have cost nothing. Any object may
// have failed.
func (a *achievement) due() ([]lbaas.Noun, error) {
	var there [len(childTables)]bool
	into := make([]any, len(there))
	sel := a.tx.NewSelect()
	for i, table := range childTables {
		sel = sel.ColumnExpr("EXISTS (SELECT 1 FROM ? WHERE load_balancer_id = ? AND generation <= ?"+
			" AND (? OR deleted OR observed <> generation OR failed OR reason <> ''))",
			bun.Safe(table), a.id, a.generation, len(a.failures) > 0)
		into[i] = &there[i]
	}
	if err := sel.Scan(a.ctx, into...); err != nil {
		return nil, err
	}
	var nouns []lbaas.Noun
	for i, noun := range childNouns {
		if there[i] {
			nouns = append(nouns, noun)
		}
	}
	return nouns, nil
}

// fail marks the objects that failed, and only them, so that children can tell.
func (a *achievement) fail(nouns []lbaas.Noun) error {
	for _, noun := range nouns {
		_, err := a.older(a.tx.NewUpdate().Table(tables[noun]).Set("failed = ?", false).Set("reason = ''")).
			Where("failed OR reason <> ''").Exec(a.ctx)
		if err != nil {
			return err
		}
		for reason, ids := range a.byReason() {
			for some := range slices.Chunk(ids, idChunk) {
				if err := a.failSome(noun, reason, some); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (a *achievement) failSome(noun lbaas.Noun, reason string, ids []string) error {
	n, err := affected(a.older(a.tx.NewUpdate().Table(tables[noun]).
		Set("failed = ?", true).Set("reason = ?", reason).Set("updated_at = ?", a.time)).
		Where("id IN (?)", bun.List(ids)).Exec(a.ctx))
	if err != nil || n == 0 {
		return err
	}
	return a.note(noun, reason, ids)
}

// byReason returns the ids of what failed by their reasons.
func (a *achievement) byReason() map[string][]string {
	byReason := map[string][]string{}
	for id, reason := range a.failures {
		reason = bounded(reason)
		byReason[reason] = append(byReason[reason], id)
	}
	return byReason
}

// note keeps the names of what failed, for the load balancer's reason.
func (a *achievement) note(noun lbaas.Noun, reason string, ids []string) error {
	var rows []struct{ ID, Name string }
	err := a.tx.NewSelect().TableExpr(tables[noun]).ColumnExpr("id, name").Where("load_balancer_id = ?", a.id).
		Where("generation <= ?", a.generation).Where("id IN (?)", bun.List(ids)).Scan(a.ctx, &rows)
	for _, r := range rows {
		a.failed = append(a.failed, failedObject{noun, r.ID, r.Name, reason})
	}
	return err
}

// children records the success of one table's rows. A parent stays until nothing is left in it, be it wanted or not.
func (a *achievement) children(table string) error {
	down := a.tx.NewDelete().Table(table).Where("load_balancer_id = ?", a.id).Where("generation <= ?", a.generation).
		Where("deleted = ?", true).ApplyQueryBuilder(a.done)
	for _, child := range inside[table] {
		down = down.Where("NOT EXISTS (SELECT 1 FROM ? c WHERE c.? = ?.id)", bun.Safe(child.table), bun.Safe(child.column), bun.Safe(table))
	}
	gone, err := affected(down.Exec(a.ctx))
	if err != nil {
		return err
	}
	if gone > 0 && table == tableListeners {
		if err := a.forgetStatistics(); err != nil {
			return err
		}
	}
	up := a.older(a.tx.NewUpdate().Table(table)).Where("deleted = ?", false).Where("observed <> generation OR failed OR reason <> ''").
		ApplyQueryBuilder(a.done)
	_, err = up.Set("observed = generation").Set("failed = ?", false).Set("reason = ''").Set("updated_at = ?", a.time).Exec(a.ctx)
	return err
}

// done leaves out the objects that failed or wait.
func (a *achievement) done(q bun.QueryBuilder) bun.QueryBuilder {
	if !a.wait && len(a.failures) > 0 {
		return q.Where("failed = ?", false)
	}
	for some := range slices.Chunk(slices.Collect(maps.Keys(a.failures)), idChunk) {
		q = q.Where("id NOT IN (?)", bun.List(some))
	}
	return q
}

func (a *achievement) forgetStatistics() error {
	_, err := a.tx.NewDelete().Table(tableStatistics).Where("load_balancer_id = ?", a.id).
		Where("listener_id NOT IN (SELECT id FROM listeners WHERE load_balancer_id = ?)", a.id).Exec(a.ctx)
	return err
}

// blame makes the load balancer say what failed. Failures that name what is not there, or is newer, are nobody's.
func (a *achievement) blame() error {
	reason, self := a.failures[a.id]
	up := a.tx.NewUpdate().Table(tableLoadBalancers)
	switch {
	case a.wait:
		if !self {
			reason = summary(a.failed)
		}
		up = up.Set("reason = ?", bounded(reason)).Where("observed <> generation OR failed")
	case self:
		up = up.Set("reason = ?", bounded(reason)).Set("failed = ?", true)
	case len(a.failed) > 0:
		up = up.Set("reason = ?", summary(a.failed)).Set("failed = ?", true)
	default:
		up = up.Set("pending_since = 0")
	}
	_, err := up.Where("id = ?", a.id).Where("generation <= ?", a.generation).Where("deleted = ?", false).Exec(a.ctx)
	return err
}

// older are the rows of the load balancer that the Apply has seen as they are.
func (a *achievement) older(up *bun.UpdateQuery) *bun.UpdateQuery {
	return up.Where("load_balancer_id = ?", a.id).Where("generation <= ?", a.generation)
}

// named is how many failures the load balancer's reason names.
const named = 3

// summary is the load balancer's reason: what failed and why.
func summary(failed []failedObject) string {
	slices.SortStableFunc(failed, func(a, b failedObject) int { return strings.Compare(a.id, b.id) })
	var parts []string
	for _, f := range failed[:min(named, len(failed))] {
		name := f.name
		if name == "" {
			name = f.id
		}
		parts = append(parts, fmt.Sprintf("%s %s: %s", f.noun, name, f.reason))
	}
	if more := len(failed) - named; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return bounded(strings.Join(parts, "; "))
}
