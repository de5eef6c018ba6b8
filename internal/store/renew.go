package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/internal/keymanager"
)

// refColumns are the columns that refer to secrets and containers, by their tables.
var refColumns = map[string][]string{
	tableListeners: {"default_tls_container_ref", "sni_container_refs", "client_ca_tls_container_ref", "client_crl_container_ref"},
	tablePools:     {"tls_container_ref", "ca_tls_container_ref", "crl_container_ref"},
}

func (r *listenerRow) refs() []string {
	return append(textList(r.SNIContainerRefs), r.DefaultTLSContainerRef, r.ClientCATLSContainerRef, r.ClientCRLContainerRef)
}

func (r *listenerRow) balancer() string { return r.LoadBalancerID }

func (r *poolRow) refs() []string {
	return []string{r.TLSContainerRef, r.CATLSContainerRef, r.CRLContainerRef}
}

func (r *poolRow) balancer() string { return r.LoadBalancerID }

// changeKeys changes secrets or containers that load balancers may refer to; these are told of it once it is committed.
func (s *Store) changeKeys(ctx context.Context, fn func(ctx context.Context, tx bun.Tx) ([]Hint, error)) error {
	var hints []Hint
	err := s.change(ctx, "store.changeKeys", func(ctx context.Context, tx bun.Tx) (err error) {
		hints, err = fn(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	for _, h := range hints {
		s.hint(h)
	}
	return nil
}

// refer notes that a listener or pool comes to refer to secrets or containers that it did not refer to before.
func (c *Change) refer(refs, before []string) {
	for _, ref := range refs {
		if ref != "" && !slices.Contains(before, ref) {
			c.refs[keymanager.RefID(ref)] = true
		}
	}
}

// holdRefs holds the secrets and containers that are referred to from now on: whoever gives them another payload meanwhile finds who refers
// to them, or comes first. What is not there, or not ours, is held by nobody.
func (c *Change) holdRefs() error {
	if len(c.refs) == 0 {
		return nil
	}
	ids := slices.Sorted(maps.Keys(c.refs))
	clear(c.refs)
	if err := holdAll(c.ctx, c.tx, tableSecrets, ids); err != nil {
		return err
	}
	return holdAll(c.ctx, c.tx, tableContainers, ids)
}

// renew has load balancers applied again whose listeners and pools refer to any of the ids, which are held, and stamps those with the
// new generation. To look for them all listeners and pools are read: an index of what each refers to would have to be kept with every
// change of one, and secrets hardly ever change: among a hundred thousand load balancers it takes about 130 ms.
func (s *Store) renew(ctx context.Context, tx bun.Tx, ids []string) ([]Hint, error) {
	uses, balancers := map[string][]string{}, map[string]bool{}
	if err := referring[listenerRow](ctx, tx, tableListeners, ids, uses, balancers); err != nil {
		return nil, err
	}
	if err := referring[poolRow](ctx, tx, tablePools, ids, uses, balancers); err != nil {
		return nil, err
	}
	return s.applyAgain(ctx, tx, slices.Sorted(maps.Keys(balancers)), uses)
}

// referrer is a row that refers to secrets and containers.
type referrer[R any] interface {
	*R
	head() *objectRow
	refs() []string
	balancer() string
}

// referring finds the rows of a table that refer to one of the ids, and their load balancers.
func referring[R any, P referrer[R]](ctx context.Context, tx bun.Tx, table string, ids []string, uses map[string][]string, balancers map[string]bool) error {
	for some := range slices.Chunk(ids, 20) {
		var rows []R
		sel := tx.NewSelect().Model(&rows).Column("id", "load_balancer_id").Column(refColumns[table]...).Where("deleted = ?", false)
		err := sel.WhereGroup(" AND ", func(g *bun.SelectQuery) *bun.SelectQuery { return naming(g, refColumns[table], some) }).Scan(ctx)
		if err != nil {
			return fmt.Errorf("look which %s refer to secrets: %w", table, err)
		}
		for i := range rows {
			r := P(&rows[i])
			if slices.ContainsFunc(r.refs(), func(ref string) bool { return slices.Contains(some, keymanager.RefID(ref)) }) {
				uses[table] = append(uses[table], r.head().ID)
				balancers[r.balancer()] = true
			}
		}
	}
	return nil
}

// naming narrows rows down to those with an id anywhere in a column.
func naming(g *bun.SelectQuery, columns, ids []string) *bun.SelectQuery {
	for _, column := range columns {
		for _, id := range ids {
			g = g.WhereOr("? LIKE ?", bun.Ident(column), "%"+id+"%")
		}
	}
	return g
}

// applyAgain makes load balancers pending in a new generation, and with them the rows that it is about.
func (s *Store) applyAgain(ctx context.Context, tx bun.Tx, balancers []string, uses map[string][]string) ([]Hint, error) {
	var hints []Hint
	t := now()
	for some := range slices.Chunk(balancers, idChunk) {
		if _, err := s.bump(tx, t).Where("id IN (?)", bun.List(some)).Exec(ctx); err != nil {
			return nil, fmt.Errorf("have load balancers applied with other secrets: %w", err)
		}
		for _, id := range some {
			hints = append(hints, Hint{LoadBalancerID: id})
		}
	}
	for table := range refColumns {
		for some := range slices.Chunk(uses[table], idChunk) {
			_, err := tx.NewUpdate().Table(table).
				Set("generation = (SELECT lb.generation FROM load_balancers AS lb WHERE lb.id = load_balancer_id)").
				Set("failed = ?", false).Set("reason = ''").Set("updated_at = ?", micros(t)).
				Where("id IN (?)", bun.List(some)).Where("deleted = ?", false).Exec(ctx)
			if err != nil {
				return nil, fmt.Errorf("stamp %s with other secrets: %w", table, err)
			}
		}
	}
	return hints, nil
}
