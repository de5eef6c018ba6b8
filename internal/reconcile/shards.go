package reconcile

import (
	"context"
	"errors"
	"slices"
	"strings"

	"plimsoll/internal/store"
)

// The leases of shards are shared among the processes that are alive: each holds one more lease, "instance/<its id>", by which
// the others know that it is there. What a process is to hold follows from who is there alone, so all come to the same
// sharing without talking: who has too much ends what is under way and lets go, and who has too little takes what is free.

const (
	shardPrefix    = "shard/"
	instancePrefix = "instance/"
)

func isShard(name string) bool { return strings.HasPrefix(name, shardPrefix) }

func isInstance(name string) bool { return strings.HasPrefix(name, instancePrefix) }

// share takes and gives away leases of shards. It tells whether others hold what this process is to have.
func (l *leases) share(process, ctx context.Context) (waiting bool, err error) {
	shards, err := l.namedShards(ctx)
	if err != nil || len(shards) == 0 {
		return false, err
	}
	if err := l.acquire(process, ctx, instancePrefix+l.holder); err != nil {
		return false, err
	}
	holders, err := l.store.LeaseHolders(ctx)
	if err != nil {
		return false, err
	}
	share := shareOf(l.holder, instances(holders), store.Shards)
	for _, h := range l.mark(share) {
		err = errors.Join(err, l.give(ctx, h))
	}
	for _, name := range shards {
		switch holder := holders[name]; {
		case l.get(name) != nil:
		case l.count() >= share:
			return false, err
		case holder == "" || holder == l.holder:
			err = errors.Join(err, l.acquire(process, ctx, name))
		default:
			waiting = true
		}
	}
	return waiting, err
}

// namedShards returns the leases of shards that load balancers name.
func (l *leases) namedShards(ctx context.Context) ([]string, error) {
	names, err := l.store.LeaseNames(ctx)
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for _, name := range names {
		named[name] = true
	}
	l.mu.Lock()
	l.named = named
	l.mu.Unlock()
	return slices.DeleteFunc(names, func(name string) bool { return !isShard(name) }), nil
}

// mark makes shards beyond the share leave, and takes that back of those within it. It returns those that leave under which
// nothing is under way any more.
func (l *leases) mark(share int) (idle []*held) {
	shards := l.which(func(h *held) bool { return isShard(h.Name) })
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, h := range shards {
		h.leaving = i >= share
		if h.leaving && h.users == 0 {
			idle = append(idle, h)
		}
	}
	return idle
}

// count is how many shards are held and stay.
func (l *leases) count() int {
	return len(l.which(func(h *held) bool { return isShard(h.Name) && !h.leaving }))
}

// give gives a lease back for others to take.
func (l *leases) give(ctx context.Context, h *held) error {
	l.mu.Lock()
	delete(l.held, h.Name)
	l.mu.Unlock()
	h.expiry.Stop()
	h.lose(nil)
	l.log.Debug("lease given away", "lease", h.Name, "epoch", h.Epoch)
	l.lost(h.Name)
	return l.store.ReleaseLease(ctx, h.Lease)
}

// instances returns the processes that are alive.
func instances(holders map[string]string) []string {
	var all []string
	for name, holder := range holders {
		if isInstance(name) {
			all = append(all, holder)
		}
	}
	return all
}

// shareOf is how many of n shards a process is to hold when the given ones are alive, itself among them. The shares differ by
// one at most and make n together.
func shareOf(self string, alive []string, n int) int {
	alive = append(slices.Clone(alive), self)
	slices.Sort(alive)
	alive = slices.Compact(alive)
	share := n / len(alive)
	if slices.Index(alive, self) < n%len(alive) {
		share++
	}
	return share
}
