package noop

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"plimsoll/internal/provider"
	"plimsoll/internal/provider/providertest"
	"plimsoll/internal/statedir"
	"plimsoll/lbaas"
)

// world is the provider on a state directory of its own.
type world struct {
	provider *Provider
	path     string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := statedir.Make(filepath.Join(t.TempDir(), "state"), statedir.Current())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	return &world{New(dir.Folder(Folder)), filepath.Join(dir.Path(), Folder)}
}

func TestContract(t *testing.T) {
	providertest.Run(t, func(t *testing.T) providertest.Fixture { return newWorld(t) })
}

func (w *world) Provider() provider.Provider { return w.provider }

func (w *world) Tree(*testing.T) *lbaas.LoadBalancer {
	object := func(name string) lbaas.Object {
		return lbaas.Object{ID: uuid.NewString(), ProjectID: "p", Name: name, AdminStateUp: true}
	}
	lb := &lbaas.LoadBalancer{Object: object("lb"), Provider: Name, VIPAddress: netip.MustParseAddr("10.0.0.9")}
	lb.Progress.Generation = 1
	pool := &lbaas.Pool{Object: object("pool"), LoadBalancerID: lb.ID, Protocol: lbaas.HTTP, Algorithm: lbaas.RoundRobin}
	for i := range 3 {
		pool.Members = append(pool.Members, &lbaas.Member{
			Object: object("member " + string(rune('a'+i))), LoadBalancerID: lb.ID, PoolID: pool.ID,
			Address: netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), ProtocolPort: 80, Weight: 1,
		})
	}
	lb.Pools = []*lbaas.Pool{pool}
	lb.Listeners = []*lbaas.Listener{{
		Object: object("listener"), LoadBalancerID: lb.ID, Protocol: lbaas.HTTP, ProtocolPort: 80, DefaultPoolID: pool.ID,
	}}
	return lb
}

func (w *world) file(lb *lbaas.LoadBalancer) string { return filepath.Join(w.path, lb.ID+".json") }

func (w *world) Check(t *testing.T, lb *lbaas.LoadBalancer) {
	t.Helper()
	content, err := os.ReadFile(w.file(lb))
	if err != nil {
		t.Fatal(err)
	}
	var got document
	if err := json.Unmarshal(content, &got); err != nil {
		t.Fatal(err)
	}
	want := document{stampOf(lb), lb}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(document{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

func (w *world) CheckGone(t *testing.T, lb *lbaas.LoadBalancer) {
	t.Helper()
	if _, err := os.Stat(w.file(lb)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of %s: %v", lb.ID, err)
	}
}

func (w *world) Lose(t *testing.T, lb *lbaas.LoadBalancer) {
	t.Helper()
	if err := os.Remove(w.file(lb)); err != nil {
		t.Fatal(err)
	}
}

func (w *world) Refuse(*testing.T, string) bool { return false }

// TestBrokenFile has somebody write rubbish into a file: it counts for nothing.
func TestBrokenFile(t *testing.T) {
	w := newWorld(t)
	lb := w.Tree(t)
	if _, err := w.provider.Apply(t.Context(), lb); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.file(lb), []byte(`{"epoch": 9, "gen`), 0o600); err != nil {
		t.Fatal(err)
	}
	if seen, err := w.provider.Observe(t.Context(), []*lbaas.LoadBalancer{lb}); len(seen) != 0 || err != nil {
		t.Errorf("Observe gives %v, %v", seen, err)
	}
	if _, err := w.provider.Apply(t.Context(), lb); err != nil {
		t.Error(err)
	}
	w.Check(t, lb)
}

// TestNoFiles has a state directory that cannot be written.
func TestNoFiles(t *testing.T) {
	w := newWorld(t)
	if err := os.WriteFile(w.path, nil, 0o600); err != nil { // where the folder would be
		t.Fatal(err)
	}
	lb := w.Tree(t)
	if _, err := w.provider.Apply(t.Context(), lb); err == nil {
		t.Error("Apply gives no error")
	}
	if _, err := w.provider.Observe(t.Context(), []*lbaas.LoadBalancer{lb}); err == nil {
		t.Error("Observe gives no error")
	}
}

// TestStatuses: what is switched off is OFFLINE, what is watched ONLINE, and what is not NO_MONITOR.
func TestStatuses(t *testing.T) {
	w := newWorld(t)
	lb := w.Tree(t)
	pool := lb.Pools[0]
	pool.Members[0].AdminStateUp = false
	pool.Members[1].Weight = 0
	watched := &lbaas.Pool{
		Object: lbaas.Object{ID: uuid.NewString(), AdminStateUp: true}, Members: []*lbaas.Member{{Object: lbaas.Object{ID: "m", AdminStateUp: true}, Weight: 1}},
		HealthMonitor: &lbaas.HealthMonitor{Object: lbaas.Object{ID: "h", AdminStateUp: true}},
	}
	lb.Pools = append(lb.Pools, watched)
	off := *lb.Listeners[0]
	off.ID, off.AdminStateUp, off.DefaultPoolID = "off", false, watched.ID
	lb.Listeners = append(lb.Listeners, &off)
	if _, err := w.provider.Apply(t.Context(), lb); err != nil {
		t.Fatal(err)
	}
	seen, err := w.provider.Observe(t.Context(), []*lbaas.LoadBalancer{lb})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]provider.Observation{lb.ID: {
		Operating: map[string]lbaas.OperatingStatus{
			lb.ID: lbaas.Online, lb.Listeners[0].ID: lbaas.Online, "off": lbaas.Offline, pool.ID: lbaas.Online, watched.ID: lbaas.Offline,
			pool.Members[0].ID: lbaas.Offline, pool.Members[1].ID: lbaas.Draining, pool.Members[2].ID: lbaas.NoMonitor,
			"m": lbaas.Online, "h": lbaas.Online,
		},
		Statistics: map[string]lbaas.Statistics{lb.Listeners[0].ID: {}, "off": {}},
		Generation: 1,
	}}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("Observe (-want +got):\n%s", diff)
	}
}

func TestFace(t *testing.T) {
	face := Face()
	if face.OnHost || !face.Failover || face.Unsupported(newWorld(t).Tree(t)) != nil {
		t.Errorf("face %+v", face)
	}
	if face.CheckFlavor(t.Context(), map[string]any{"what": "ever"}) != nil || face.CheckZone(t.Context(), nil) != nil {
		t.Error("a profile is refused")
	}
}
