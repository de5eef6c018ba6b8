package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"plimsoll/internal/identity"
	"plimsoll/lbaas"
)

// IdentityEpoch is a number that changes whenever this process has changed anything of the identity service: what was read under
// another one may no longer be true.
func (s *Store) IdentityEpoch() uint64 { return s.identityEpoch.Load() }

// errStale makes changeIdentity run its function again: another writer was faster.
var errStale = errors.New("changed meanwhile")

// changeIdentity is change for the identity service's rows. The epoch moves even after an error, since a commit may have been
// done though its answer was lost.
func (s *Store) changeIdentity(ctx context.Context, fn func(ctx context.Context, tx bun.Tx) error) error {
	for try := 1; ; try++ {
		err := s.change(ctx, "store.identity", fn)
		s.identityEpoch.Add(1)
		if !errors.Is(err, errStale) || try == attempts {
			return err
		}
	}
}

// updateRow writes the columns of a row, which has to be of the revision before, and bumps the revision.
func updateRow(ctx context.Context, tx bun.Tx, row any, revision int64, columns ...string) error {
	n, err := affected(tx.NewUpdate().Model(row).Column(append(columns, "revision")...).WherePK().
		Where("revision = ?", revision).Exec(ctx))
	if err == nil && n == 0 {
		return errStale
	}
	return err
}

// missing is Keystone's NotFound.
func missing(noun, id string) error {
	return lbaas.Errorf(lbaas.NotFound, "Could not find %s: %s.", noun, id)
}

// orMissing turns the absence of a row into Keystone's NotFound.
func orMissing(err error, noun, id string) error {
	if notFound(err) {
		return missing(noun, id)
	}
	return err
}

// orTaken turns the refusal of a unique key into Keystone's Conflict.
func orTaken(err error, noun, details string) error {
	if duplicate(err) {
		return lbaas.Errorf(lbaas.Conflict, "Conflict occurred attempting to store %s - %s.", noun, details)
	}
	return err
}

func takenName(name, domainID string) string {
	return fmt.Sprintf("Duplicate entry found with name %s at domain ID %s", name, domainID)
}

// there tells whether a row with the id exists.
func there(ctx context.Context, db bun.IDB, table, noun, id string) error {
	found, err := db.NewSelect().TableExpr(table).ColumnExpr("1").Where("id = ?", id).Exists(ctx)
	if err == nil && !found {
		return missing(noun, id)
	}
	return err
}

// written is how lists and maps are kept. What is written are plain strings, flags and JSON that was read before.
func written(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// kept reads what written wrote.
func kept[T any](text string) (v T, err error) {
	if err = json.Unmarshal([]byte(text), &v); err != nil {
		return v, fmt.Errorf("read a kept list or map: %w", err)
	}
	return v, nil
}

// domainsOf turns rows into objects.
func domainsOf[R interface{ domain() (*D, error) }, D any](rows []R) ([]*D, error) {
	all := make([]*D, len(rows))
	for i, r := range rows {
		var err error
		if all[i], err = r.domain(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// listInto reads the rows of a list.
func listInto[R any](ctx context.Context, s *Store, q Query, rows *[]R, table string, known attributes) error {
	sel, err := q.where(s.read.NewSelect().Model(rows), known)
	if err != nil {
		return err
	}
	if sel, err = q.page(ctx, s.read, sel, table, known); err != nil {
		return err
	}
	return sel.Scan(ctx)
}

// immutable refuses to change or to delete what has been made immutable.
func immutable(options identity.Options, noun, id string) error {
	if options.Immutable {
		return lbaas.Errorf(lbaas.Forbidden, "You are not authorized to perform the requested action: cannot modify immutable %s %s.", noun, id)
	}
	return nil
}
