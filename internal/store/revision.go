package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

// condition is what has to hold of an object when it is changed.
type condition struct {
	table, id string
	revision  int64
}

type conditionKey struct{}

// IfRevision returns a context with which the store changes or removes an object of the network service only while it has that revision, and
// else answers Neutron's RevisionNumberConstraintFailed. The noun is the API's, such as "port"; of others than those with revisions nothing
// is asked. It goes by the context, as in Neutron, since each change of each noun would have to hand it on.
func IfRevision(ctx context.Context, noun, id string, revision int64) context.Context {
	tables := map[string]string{
		"network": "networks", "subnet": "subnets", "port": "ports", "router": "routers", "floatingip": "floating_ips",
		"security_group": tableSecurityGroups, "security_group_rule": tableSecurityRules,
	}
	if tables[noun] == "" {
		return ctx
	}
	return context.WithValue(ctx, conditionKey{}, condition{tables[noun], id, revision})
}

// conditional has a transaction begin with its condition. The row is written, so that it stays as it is until the transaction ends; see hold.
func conditional(fn func(ctx context.Context, tx bun.Tx) error) func(ctx context.Context, tx bun.Tx) error {
	return func(ctx context.Context, tx bun.Tx) error {
		if c, ok := ctx.Value(conditionKey{}).(condition); ok {
			if err := c.hold(ctx, tx); err != nil {
				return err
			}
		}
		return fn(ctx, tx)
	}
}

// hold refuses a row of another revision. One that is not there is for the transaction itself to miss.
func (c condition) hold(ctx context.Context, tx bun.Tx) error {
	row := func() *bun.UpdateQuery { return tx.NewUpdate().Table(c.table).Where("id = ?", c.id) }
	if _, err := row().Set("revision = revision + 1").Exec(ctx); err != nil {
		return fmt.Errorf("hold %s of %s: %w", c.id, c.table, err)
	}
	if _, err := row().Set("revision = revision - 1").Exec(ctx); err != nil {
		return fmt.Errorf("hold %s of %s: %w", c.id, c.table, err)
	}
	var now int64
	err := tx.NewSelect().Table(c.table).Column("revision").Where("id = ?", c.id).Scan(ctx, &now)
	switch {
	case notFound(err) || err == nil && now == c.revision:
		return nil
	case err != nil:
		return fmt.Errorf("read the revision of %s: %w", c.id, err)
	}
	return network.RevisionConstraintFailed(c.revision, now)
}
