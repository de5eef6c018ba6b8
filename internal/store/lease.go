package store

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

// ErrLeaseLost is the answer to a write under a lease that is no longer the writer's. Nothing was written.
var ErrLeaseLost = errors.New("the lease is lost")

// Lease is the right to work on the load balancers that name it. Its epoch grows whenever it is acquired anew: the data plane and
// the store refuse what comes under an older one.
type Lease struct {
	Name   string
	Holder string
	Epoch  int64
}

// Shards is into how many leases the load balancers are cut that are bound to no host.
const Shards = 16

// LeaseName names the lease under which a load balancer is worked on: "host/<host>" where it is bound to one, else "shard/<n>" by
// a hash of its id.
func LeaseName(lb *lbaas.LoadBalancer) string {
	if lb.Host != "" {
		return "host/" + lb.Host
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(lb.ID))
	return fmt.Sprintf("shard/%d", h.Sum32()%Shards)
}

type leaseRow struct {
	bun.BaseModel `bun:"table:leases,alias:leases"`

	Name      string `bun:"name,pk"`
	Holder    string `bun:"holder"`
	Epoch     int64  `bun:"epoch"`
	ExpiresAt int64  `bun:"expires_at"`
	Writes    int64  `bun:"writes"`
}

// AcquireLease takes a lease that is free, expired or the holder's own for the time ttl, under a new epoch; the answer is
// false when somebody else has it.
func (s *Store) AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (Lease, bool, error) {
	lease, ok := Lease{Name: name, Holder: holder}, false
	err := s.change(ctx, "store.acquireLease", func(ctx context.Context, tx bun.Tx) (err error) {
		lease.Epoch, ok, err = s.acquire(ctx, tx, name, holder, ttl)
		return err
	})
	if duplicate(err) {
		return Lease{}, false, nil // somebody else was the first ever to take it
	}
	if err != nil {
		return Lease{}, false, fmt.Errorf("acquire the lease %s: %w", name, err)
	}
	if !ok {
		return Lease{}, false, nil
	}
	return lease, true, nil
}

func (s *Store) acquire(ctx context.Context, tx bun.Tx, name, holder string, ttl time.Duration) (int64, bool, error) {
	n, err := affected(tx.NewUpdate().Table("leases").
		Set("holder = ?", holder).Set("epoch = epoch + 1").Set("expires_at = ?", s.later(ttl)).
		Where("name = ?", name).Where("expires_at <= ? OR holder = ?", s.clock(), holder).Exec(ctx))
	if err != nil {
		return 0, false, err
	}
	var row leaseRow
	err = tx.NewSelect().Model(&row).Where("name = ?", name).Scan(ctx)
	if notFound(err) {
		row = leaseRow{Name: name, Holder: holder, Epoch: 1}
		_, err := tx.NewInsert().Model(&row).Value("expires_at", "?", s.later(ttl)).Exec(ctx)
		return 1, err == nil, err
	}
	return row.Epoch, n == 1, err
}

// RenewLease prolongs a lease to ttl from now; the answer is false when it is lost. One that has expired can be renewed
// as long as nobody else has taken it.
func (s *Store) RenewLease(ctx context.Context, l Lease, ttl time.Duration) (bool, error) {
	kept, err := s.RenewLeases(ctx, []Lease{l}, ttl)
	return len(kept) == 1, err
}

// RenewLeases is RenewLease for many at once. It returns those that are not lost.
func (s *Store) RenewLeases(ctx context.Context, all []Lease, ttl time.Duration) (kept []Lease, err error) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b Lease) int { return strings.Compare(a.Name, b.Name) }) // all writers lock in one order
	err = s.change(ctx, "store.renewLease", func(ctx context.Context, tx bun.Tx) error {
		kept = nil
		for _, l := range all {
			n, err := affected(l.mine(tx.NewUpdate().Table("leases").Set("expires_at = ?", s.later(ttl))).Exec(ctx))
			if err != nil {
				return err
			}
			if n == 1 {
				kept = append(kept, l)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("renew leases: %w", err)
	}
	return kept, nil
}

// ReleaseLease gives a lease back, so that anybody can have it at once. One that is lost needs no release.
func (s *Store) ReleaseLease(ctx context.Context, l Lease) error {
	err := s.change(ctx, "store.releaseLease", func(ctx context.Context, tx bun.Tx) error {
		_, err := l.mine(tx.NewUpdate().Table("leases").Set("holder = ''").Set("expires_at = 0")).Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("release the lease %s: %w", l.Name, err)
	}
	return nil
}

// LeaseNames returns the leases that load balancers name.
func (s *Store) LeaseNames(ctx context.Context) ([]string, error) {
	var names []string
	err := s.read.NewSelect().TableExpr(tableLoadBalancers).ColumnExpr("DISTINCT lease_name").OrderExpr("lease_name").Scan(ctx, &names)
	if err != nil {
		return nil, fmt.Errorf("list the leases: %w", err)
	}
	return names, nil
}

// LeaseHolders returns who holds the leases that are held and have not expired, by their names.
func (s *Store) LeaseHolders(ctx context.Context) (map[string]string, error) {
	var rows []leaseRow
	err := s.read.NewSelect().Model(&rows).Column("name", "holder").Where("holder <> ''").Where("expires_at > ?", s.clock()).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("list who holds leases: %w", err)
	}
	holders := make(map[string]string, len(rows))
	for _, r := range rows {
		holders[r.Name] = r.Holder
	}
	return holders, nil
}

// fence makes the rest of a transaction safe from other holders, or gives ErrLeaseLost. Looking at the lease would not do: under
// READ COMMITTED somebody else could take it between the look and our commit, and on a Galera cluster a lock does not reach
// the other nodes. So the row is written, with a value that really changes: whoever takes the lease then waits for our commit,
// or, taking it on another node, is certified against it, and one of the two starts anew. Only the holder writes the row, so nobody
// else waits for it.
func (s *Store) fence(ctx context.Context, tx bun.Tx, l Lease) error {
	n, err := affected(l.mine(tx.NewUpdate().Table("leases").Set("writes = writes + 1")).Exec(ctx))
	if err != nil {
		return fmt.Errorf("hold the lease %s: %w", l.Name, err)
	}
	if n == 0 {
		return ErrLeaseLost
	}
	return nil
}

// fenced is change under a lease.
func (s *Store) fenced(ctx context.Context, l Lease, name string, fn func(ctx context.Context, tx bun.Tx) error) error {
	return s.change(ctx, name, func(ctx context.Context, tx bun.Tx) error {
		if err := s.fence(ctx, tx, l); err != nil {
			return err
		}
		return fn(ctx, tx)
	})
}

func (l Lease) mine(up *bun.UpdateQuery) *bun.UpdateQuery {
	return up.Where("name = ?", l.Name).Where("holder = ?", l.Holder).Where("epoch = ?", l.Epoch)
}
