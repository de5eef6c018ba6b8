package bench

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// fill puts load balancers, with a listener and a pool each, straight into the store of a server that does not run. They are
// bound to a host that is not there and are as they are wanted, so that the server lists them and does nothing else
// about them.
func (s *site) fill(b *testing.B, projectID string, n int) {
	b.Helper()
	db, err := store.Open(b.Context(), "sqlite:///"+filepath.Join(s.StateDir, "plimsoll.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	lease, ok, err := db.AcquireLease(b.Context(), "host/elsewhere", "bench", time.Minute)
	if err != nil || !ok {
		b.Fatalf("acquire the lease: %v, %v", ok, err)
	}
	for i := range n {
		if err := insert(b.Context(), db, lease, projectID, i); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.ReleaseLease(b.Context(), lease); err != nil {
		b.Fatal(err)
	}
}

func insert(ctx context.Context, db *store.Store, lease store.Lease, projectID string, i int) error {
	lb := lbaas.NewLoadBalancer()
	lb.ID, lb.ProjectID, lb.Name, lb.Provider, lb.Host = uuid.NewString(), projectID, fmt.Sprintf("lb-%d", i), "haproxy", "elsewhere"
	lb.VIPAddress = netip.AddrFrom4([4]byte{10, 2, byte(i >> 8), byte(i)})
	lb.VIPNetworkID, lb.VIPSubnetID, lb.VIPPortID = uuid.NewString(), uuid.NewString(), uuid.NewString()
	l, p := lbaas.NewListener(), lbaas.NewPool()
	l.ID, l.ProjectID, l.LoadBalancerID, l.Protocol, l.ProtocolPort = uuid.NewString(), projectID, lb.ID, lbaas.HTTP, 80
	p.ID, p.ProjectID, p.LoadBalancerID, p.Protocol, p.Algorithm = uuid.NewString(), projectID, lb.ID, lbaas.HTTP, lbaas.RoundRobin
	l.DefaultPoolID = p.ID
	lb.Listeners, lb.Pools = []*lbaas.Listener{l}, []*lbaas.Pool{p}
	if err := db.CreateLoadBalancer(ctx, lb); err != nil {
		return err
	}
	return db.Achieved(ctx, lease, lb.ID, lb.Progress.Generation, nil, nil)
}
