package avi

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"plimsoll/internal/provider"
	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/internal/provider/providertest"
	"plimsoll/lbaas"
)

// The project of all load balancers in tests, and its tenant.
const (
	project       = "b2c6b0cb6ef542568051ae9c65170da6"
	projectTenant = "tenant-b2c6b0cb-6ef5-4256-8051-ae9c65170da6"
	subnet        = "a051f4a6-eddd-41c0-bb0f-adb4e2b5f325"
	vipNetwork    = "7e3b2d3c-8a2b-4c7e-9d58-6a4d5d0e8c11"
)

// world is the provider with an emulated controller.
type world struct {
	t        *testing.T
	server   *avitest.Server
	provider *Provider
	made     int // trees

	mu      sync.Mutex
	members map[string]string // addresses by name, of all trees
	refused string            // the address of a member that the controller does not take
}

func newWorld(t *testing.T) *world { return worldOf(t, avitest.Options{}, nil) }

// worldOf is a world with options of the emulator and of the provider.
func worldOf(t *testing.T, o avitest.Options, change func(*Config)) *world {
	t.Helper()
	o.AnyNetwork = true
	if o.Tenants == nil {
		o.Tenants = map[string]string{"demo": projectTenant}
	}
	w := &world{t: t, server: avitest.Start(t, o), members: map[string]string{}}
	w.provider = w.open(change)
	return w
}

// open returns another provider, as of another process, on the same controller.
func (w *world) open(change func(*Config)) *Provider {
	w.t.Helper()
	cfg := Config{Name: "avi_adc", Controller: controller.Config{
		Addresses: []string{w.server.Address}, User: w.server.User, Password: w.server.Password, Roots: w.server.Roots, Version: "18.1.2",
	}, PollEvery: time.Nanosecond, AuditEvery: time.Nanosecond}
	if change != nil {
		change(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = p.Close() })
	return p
}

func TestContract(t *testing.T) {
	providertest.Run(t, func(t *testing.T) providertest.Fixture { return newWorld(t) })
}

// weighty is the provider with a change of a member that Avi knows, in place of the suite's, which is that it becomes a backup.
type weighty struct{ *Provider }

func (p weighty) Apply(ctx context.Context, lb *lbaas.LoadBalancer) (provider.Result, error) {
	return p.Provider.Apply(ctx, weighted(lb))
}

func weighted(lb *lbaas.LoadBalancer) *lbaas.LoadBalancer {
	lb = providertest.Clone(lb)
	for _, p := range lb.Pools {
		for _, m := range p.Members {
			if m.Backup {
				m.Backup, m.Weight = false, 200
			}
		}
	}
	return lb
}

func (w *world) Provider() provider.Provider { return weighty{w.provider} }

func (w *world) Tree(*testing.T) *lbaas.LoadBalancer {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made++
	object := func(name string) lbaas.Object {
		return lbaas.Object{ID: uuid.NewString(), ProjectID: project, Name: fmt.Sprintf("%s %d", name, w.made), AdminStateUp: true}
	}
	lb := &lbaas.LoadBalancer{
		Object: object("lb"), Provider: "avi_adc", VIPAddress: netip.AddrFrom4([4]byte{10, 0, 3, byte(w.made)}), VIPSubnetID: subnet,
		VIPNetworkID: vipNetwork, VIPPortID: uuid.NewString(),
	}
	lb.Progress.Generation = 1
	pool := &lbaas.Pool{Object: object("pool"), LoadBalancerID: lb.ID, Protocol: lbaas.HTTP, Algorithm: lbaas.RoundRobin}
	for i := range 3 {
		m := &lbaas.Member{
			Object: object("member " + string(rune('a'+i))), LoadBalancerID: lb.ID, PoolID: pool.ID, SubnetID: subnet,
			Address: netip.AddrFrom4([4]byte{10, 1, byte(w.made), byte(i + 1)}), ProtocolPort: 80, Weight: 1,
		}
		w.members[m.Name] = m.Address.String()
		pool.Members = append(pool.Members, m)
	}
	lb.Pools = []*lbaas.Pool{pool}
	l := lbaas.NewListener()
	l.Object, l.LoadBalancerID, l.Protocol, l.ProtocolPort, l.DefaultPoolID = object("listener"), lb.ID, lbaas.HTTP, 80, pool.ID
	lb.Listeners = []*lbaas.Listener{l}
	return lb
}

// face is what of a load balancer matters to its users: who answers where.
type face struct {
	enabled bool
	pool    string
	servers []string
}

// Check compares with what is said here by itself, and then with the translation.
func (w *world) Check(t *testing.T, lb *lbaas.LoadBalancer) {
	t.Helper()
	lb = weighted(lb)
	if diff := cmp.Diff(wantFaces(lb), w.faces(lb), cmp.AllowUnexported(face{})); diff != "" {
		t.Errorf("on the controller (-want +got):\n%s", diff)
	}
	w.checkObjects(t, lb, translate.Objects(lb, nil, translate.Options{Cloud: "Default-Cloud"}))
}

// checkObjects fails the test unless the controller has these objects of the load balancer, and no others. Names do not matter.
func (w *world) checkObjects(t *testing.T, lb *lbaas.LoadBalancer, wanted []translate.Object) {
	t.Helper()
	left := w.objectsOf(lb)
	for _, o := range owned(lb, wanted) {
		is := w.object(o.Kind, o.UUID)
		if is == nil {
			t.Errorf("%s is missing", o.UUID)
			continue
		}
		o.Owned["name"] = is["name"]
		if _, described := o.Owned[description]; described {
			o.Owned[description] = is[description]
		}
		if diff := differs(is, o); len(diff) > 0 {
			t.Errorf("%s differs in %v:\n%s", o.UUID, diff, asJSON(t, is))
		}
		delete(left, key{o.Kind, o.UUID})
	}
	for k := range left {
		t.Errorf("%s is too many", k.uuid)
	}
}

// object is an object with the names that the API's answers have.
func (w *world) object(kind, uuid string) controller.Object {
	if w.server.Object(kind, uuid) == nil {
		return nil
	}
	o, err := w.provider.ctl.Get(w.t.Context(), controller.AllTenants, kind, uuid)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// objectsOf are the objects that say they are the load balancer's.
func (w *world) objectsOf(lb *lbaas.LoadBalancer) objects {
	all := objects{}
	for _, kind := range kinds {
		for _, o := range w.server.Objects("*", kind) {
			if m, ok := markOf(kind, o); ok && m.lb == lb.ID {
				all[key{kind, textAt(o, "uuid")}] = o
			}
		}
	}
	return all
}

func wantFaces(lb *lbaas.LoadBalancer) map[string]face {
	all := map[string]face{}
	for _, l := range lb.Listeners {
		f := face{enabled: lb.AdminStateUp && l.AdminStateUp}
		if p := lb.Pool(l.DefaultPoolID); p != nil {
			f.pool = string(p.Algorithm)
			for _, m := range p.Members {
				f.servers = append(f.servers, fmt.Sprintf("%s:%d %v %d", m.Address, m.ProtocolPort, m.AdminStateUp && m.Weight > 0, m.Weight*20/257+1))
			}
			slices.Sort(f.servers)
		}
		all[fmt.Sprintf("%s:%d", lb.VIPAddress, l.ProtocolPort)] = f
	}
	return all
}

// faces reads the same off the controller.
func (w *world) faces(lb *lbaas.LoadBalancer) map[string]face {
	all := map[string]face{}
	for _, vs := range w.server.Objects("*", translate.VirtualService) {
		vip := w.server.Object(translate.VsVip, refID(vs["vsvip_ref"]))
		if refID(vs["vsvip_ref"]) != "vsvip-"+lb.ID || vip == nil {
			continue
		}
		f := face{enabled: vs["enabled"] == true && within(vip, "vip", 0, "enabled") == true}
		if p := w.server.Object(translate.Pool, refID(vs["pool_ref"])); p != nil {
			f.pool, f.servers = algorithmOf(p), serversOf(p)
		}
		all[fmt.Sprintf("%v:%v", within(vip, "vip", 0, "ip_address", "addr"), numeral(within(vs, "services", 0, "port")))] = f
	}
	return all
}

func algorithmOf(pool map[string]any) string {
	switch name := strings.TrimPrefix(textAt(pool, "lb_algorithm"), "LB_ALGORITHM_"); name {
	case "CONSISTENT_HASH":
		return string(lbaas.SourceIP)
	default:
		return name
	}
}

func serversOf(pool map[string]any) []string {
	var all []string
	list, _ := pool[servers].([]any)
	for _, s := range list {
		all = append(all, fmt.Sprintf("%v:%s %v %s", within(s, "ip", "addr"), numeral(within(s, "port")), within(s, "enabled"), numeral(within(s, "ratio"))))
	}
	slices.Sort(all)
	return all
}

// within follows a path of fields and places.
func within(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

func (w *world) CheckGone(t *testing.T, lb *lbaas.LoadBalancer) {
	t.Helper()
	for k := range w.objectsOf(lb) {
		t.Errorf("%s is left", k.uuid)
	}
}

func (w *world) Lose(t *testing.T, lb *lbaas.LoadBalancer) {
	t.Helper()
	for k := range w.objectsOf(lb) {
		w.server.Drop(k.kind, k.uuid)
	}
}

// Refuse has the controller refuse whatever adds a member of that name or changes it.
func (w *world) Refuse(_ *testing.T, name string) bool {
	w.mu.Lock()
	w.refused = w.members[name]
	w.mu.Unlock()
	w.server.ClearFaults()
	if name != "" {
		w.server.Inject(avitest.Fault{Match: w.changes, Times: -1, Kind: avitest.Refuse, Text: "Field check for ip failed: " + name})
	}
	return true
}

// changes tells whether a request changes the member that is refused.
func (w *world) changes(method, path string, body map[string]any) bool {
	if add, ok := body["add"].(map[string]any); ok {
		body = add
	}
	if method == "GET" || !strings.HasPrefix(path, "/api/pool") {
		return false
	}
	wanted := w.refusedIn(body)
	is := w.refusedIn(w.server.Object(translate.Pool, strings.TrimPrefix(path, "/api/pool/")))
	return wanted != nil && (is == nil || numeral(wanted["ratio"]) != numeral(is["ratio"]))
}

func (w *world) refusedIn(pool map[string]any) map[string]any {
	list, _ := pool[servers].([]any)
	for _, s := range list {
		if within(s, "ip", "addr") == w.refused {
			return maps.Clone(s.(map[string]any))
		}
	}
	return nil
}
