package reconcile

import (
	"context"
	"time"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// Store is what the loop uses of store.Store, whose comments say what the methods do. It is an interface so that tests
// can turn time with testing/synctest, which does not reach into a database.
type Store interface {
	leaseStore
	OnHint(fn func(store.Hint)) (stop func())
	Tree(ctx context.Context, id string) (*lbaas.LoadBalancer, error)
	Pending(ctx context.Context, leaseName string, limit int) ([]string, error)
	PendingAge(ctx context.Context, id string) (time.Duration, error)
	LoadBalancerIDs(ctx context.Context, leaseName string, providers ...string) ([]string, error)

	Achieved(ctx context.Context, l store.Lease, id string, generation int64, failures map[string]string, amphorae []lbaas.Amphora) error
	Waiting(ctx context.Context, l store.Lease, id string, generation int64, reasons map[string]string, amphorae []lbaas.Amphora) error
	Failing(ctx context.Context, l store.Lease, id string, generation int64, reason string, failed bool) error
	Gone(ctx context.Context, l store.Lease, id string, generation int64) error
	Observe(ctx context.Context, l store.Lease, seen map[string]store.Seen) error
}

// leaseStore is the part that keeps leases.
type leaseStore interface {
	LeaseNames(ctx context.Context) ([]string, error)
	AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, bool, error)
	LeaseHolders(ctx context.Context) (map[string]string, error)
	RenewLeases(ctx context.Context, all []store.Lease, ttl time.Duration) (kept []store.Lease, err error)
	ReleaseLease(ctx context.Context, l store.Lease) error
}

// Networks is the network service, ours or a real one.
type Networks interface {
	Ports(ctx context.Context, q store.Query) ([]*network.Port, error)
	UpdatePort(ctx context.Context, id string, change func(*network.Port) error) (*network.Port, error)
	DeletePort(ctx context.Context, id string) error
}
