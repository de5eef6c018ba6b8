package controller_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/internal/provider/avi/controller"
)

// open starts an emulator with a tenant demo, and a client of it.
func open(t *testing.T, o avitest.Options) (*avitest.Server, *controller.Client) {
	o.Tenants = map[string]string{"demo": demo.UUID}
	s := avitest.Start(t, o)
	return s, clientOf(t, s, "18.1.2")
}

func clientOf(t *testing.T, s *avitest.Server, version string) *controller.Client {
	c, err := controller.New(controller.Config{
		Addresses: []string{s.Address}, User: s.User, Password: s.Password, Roots: s.Roots, Version: version, Probe: 20 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

var demo = controller.Tenant{UUID: "tenant-0b0b0b0b-1111-4222-8333-444444444444"}

const pool = "pool-796ac906-265d-597e-bd51-f19cf5a659f0"

func TestLifeOfAnObject(t *testing.T) {
	s, c := open(t, avitest.Options{})
	ctx := t.Context()
	body := controller.Object{"name": "web", "cloud_ref": "/api/cloud?name=Default-Cloud", "servers": []any{server("10.0.0.1"), server("10.0.0.2")}}
	made, err := c.Create(ctx, demo, "pool", pool, body)
	if err != nil {
		t.Fatal(err)
	}
	read, err := c.Get(ctx, demo, "pool", pool)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(read, made); diff != "" {
		t.Errorf("Create answers another object than Get (-get +create):\n%s", diff)
	}
	if ref, _ := read["cloud_ref"].(string); !strings.HasSuffix(ref, "#Default-Cloud") {
		t.Errorf("cloud_ref %q has no name", ref)
	}
	if _, ok := read["default_server_port"].(json.Number); !ok {
		t.Errorf("default_server_port is %T, want json.Number", read["default_server_port"])
	}
	read["name"] = "shop"
	put, err := c.Put(ctx, demo, "pool", pool, read)
	if err != nil || put["name"] != "shop" || put["_last_modified"] == read["_last_modified"] {
		t.Errorf("Put: %v, %v", put, err)
	}
	if _, err := c.Put(ctx, demo, "pool", pool, read); !controller.Stale(err) {
		t.Errorf("Put of what was changed since: %v", err)
	}
	patched, err := c.Patch(ctx, demo, "pool", pool, controller.Object{"delete": controller.Object{"servers": []any{server("10.0.0.1")}}})
	if err != nil {
		t.Fatal(err)
	}
	if servers, _ := patched["servers"].([]any); len(servers) != 1 {
		t.Errorf("servers after the deletion of one: %v", servers)
	}
	for range 2 {
		err = c.Delete(ctx, demo, "pool", pool)
	}
	if !controller.Absent(err) {
		t.Errorf("Delete again: %v", err)
	}
	if _, err := c.Get(ctx, demo, "pool", pool); !controller.Absent(err) {
		t.Errorf("Get of what was deleted: %v", err)
	}
	if n := s.Logins(); n != 1 {
		t.Errorf("%d log-ins, want 1", n)
	}
}

func server(address string) controller.Object {
	return controller.Object{"ip": controller.Object{"addr": address, "type": "V4"}, "port": 80}
}

func TestRefusals(t *testing.T) {
	_, c := open(t, avitest.Options{})
	ctx := t.Context()
	create := func(tenant controller.Tenant, uuid string, o controller.Object) error {
		_, err := c.Create(ctx, tenant, "pool", uuid, o)
		return err
	}
	monitor := controller.Object{"name": "m", "type": "HEALTH_MONITOR_TCP"}
	if _, err := c.Create(ctx, demo, "healthmonitor", "healthmonitor-1", monitor); err != nil {
		t.Fatal(err)
	}
	if err := create(demo, pool, controller.Object{"name": "web", "health_monitor_refs": []any{"/api/healthmonitor/healthmonitor-1"}}); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		err  error
		want func(error) bool
	}{
		"a name that is another's": {create(demo, "pool-2", controller.Object{"name": "web"}), controller.Taken},
		"a UUID that is another's": {create(demo, pool, controller.Object{"name": "other"}), controller.Taken},
		"a reference to nothing":   {create(demo, "pool-2", controller.Object{"name": "other", "health_monitor_refs": []any{"/api/healthmonitor/no"}}), controller.Refused},
		"a field of later versions": {
			func() error {
				_, err := c.Create(ctx, demo, "virtualservice", "v", controller.Object{"name": "v", "vh_type": "VS_TYPE_VH_SNI"})
				return err
			}(), controller.Refused,
		},
		"a tenant by UUID that is not there": {create(controller.Tenant{UUID: "tenant-1"}, "pool-2", controller.Object{"name": "p"}), controller.NoTenant},
		"a tenant by name that is not there": {create(controller.Tenant{Name: "no"}, "pool-2", controller.Object{"name": "p"}), controller.NoTenant},
		"what others refer to": {c.Delete(ctx, demo, "healthmonitor", "healthmonitor-1"), func(err error) bool {
			by, ok := controller.Referred(err)
			return ok && strings.Contains(by, "web")
		}},
	} {
		if !test.want(test.err) || controller.Unreachable(test.err) {
			t.Errorf("%s: %v", name, test.err)
		}
	}
}

func TestManyPages(t *testing.T) {
	_, c := open(t, avitest.Options{})
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("pool %d", i)
		o := controller.Object{"name": name, "created_by": "plimsoll-x"}
		if _, err := c.Create(t.Context(), demo, "pool", fmt.Sprint("pool-", i), o); err != nil {
			t.Fatal(err)
		}
		want = append(want, name)
	}
	if _, err := c.Create(t.Context(), demo, "pool", "pool-other", controller.Object{"name": "other"}); err != nil {
		t.Fatal(err)
	}
	for _, size := range []string{"1", "3", "7", "200"} {
		all, err := c.List(t.Context(), demo, "pool", url.Values{"created_by": {"plimsoll-x"}, "page_size": {size}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range all {
			got = append(got, o["name"].(string))
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("List by pages of %s (-want +got):\n%s", size, diff)
		}
	}
	if all, err := c.List(t.Context(), controller.AllTenants, "pool", url.Values{"created_by": {"plimsoll-x"}}); err != nil || len(all) != 7 {
		t.Errorf("List in all tenants: %d, %v", len(all), err)
	}
}

// TestATenantIsMadeInTheMiddle: on 18.x the session is another one after it, for all that share it.
func TestATenantIsMadeInTheMiddle(t *testing.T) {
	s, c := open(t, avitest.Options{})
	if _, err := c.Create(t.Context(), controller.Admin, "tenant", "tenant-new", controller.Object{"name": "new"}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			o := controller.Object{"name": fmt.Sprint("p", i)}
			if _, err := c.Create(t.Context(), controller.Tenant{UUID: "tenant-new"}, "pool", fmt.Sprint("pool-", i), o); err != nil {
				t.Errorf("Create: %v", err)
			}
			if _, err := c.Get(t.Context(), controller.Tenant{Name: "new"}, "pool", fmt.Sprint("pool-", i)); err != nil {
				t.Errorf("Get: %v", err)
			}
		})
	}
	wg.Wait()
	if n := s.Logins(); n > 2 {
		t.Errorf("%d log-ins, want 2 at most", n)
	}
	if n := s.MaxConnections(); n > 8 {
		t.Errorf("%d connections at the same time, want 8 at most", n)
	}
	if n := len(s.Objects("new", "pool")); n != 32 {
		t.Errorf("%d pools, want 32", n)
	}
}

func TestASessionExpires(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	s, c := open(t, avitest.Options{Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	for range 3 {
		if _, err := c.Create(t.Context(), demo, "pool", "", controller.Object{"name": now.String()}); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		now = now.Add(25 * time.Hour)
		mu.Unlock()
	}
	if n := s.Logins(); n != 3 {
		t.Errorf("%d log-ins, want 3", n)
	}
}

// TestFaults injects each fault into each verb: what comes of it is a good end, or an error that says what is known.
func TestFaults(t *testing.T) {
	s, c := open(t, avitest.Options{})
	if _, err := c.Create(t.Context(), demo, "pool", pool, controller.Object{"name": "web"}); err != nil {
		t.Fatal(err)
	}
	good := func(err error) bool { return err == nil }
	for _, test := range []struct {
		name        string
		kind        avitest.Kind
		read, write func(error) bool
	}{
		{"401", avitest.Unauthorized, good, good},
		{"419", avitest.SwitchSession, good, good},
		{"503", avitest.Unavailable, good, controller.Unreachable},
		{"500", avitest.ServerError, uncertain, uncertain},
		{"cut before", avitest.CutBefore, good, controller.Unreachable},
		{"cut after", avitest.CutAfterWrite, good, controller.Unreachable},
		{"cut within", avitest.CutWithin, good, controller.Unreachable},
		{"412", avitest.Stale, controller.Stale, controller.Stale},
		{"slow", avitest.Slow, good, good},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPatch} {
			want := test.write
			if method == http.MethodGet {
				want = test.read
			}
			in := s.Inject(avitest.Fault{Kind: test.kind, Delay: 20 * time.Millisecond, Match: func(m, path string, _ map[string]any) bool {
				return m == method && path == "/api/pool/"+pool
			}})
			var body any
			if method == http.MethodPatch {
				body = controller.Object{"replace": controller.Object{"description": test.name}}
			}
			if err := c.Call(t.Context(), demo, method, "pool/"+pool, nil, body, nil); !want(err) || in.Hits() != 1 {
				t.Errorf("%s that meets %s: %v, %d hits", method, test.name, err, in.Hits())
			}
			s.ClearFaults()
			if _, err := c.Get(t.Context(), demo, "pool", pool); err != nil {
				t.Errorf("Get after %s that met %s: %v", method, test.name, err)
			}
		}
	}
}

// uncertain tells whether an error says neither that it is of no use to ask again, nor that nobody answered.
func uncertain(err error) bool {
	return err != nil && !controller.Refused(err) && !controller.Unreachable(err) && !controller.Absent(err)
}

func TestAControllerGoesAndComesBack(t *testing.T) {
	s, c := open(t, avitest.Options{})
	if _, err := c.Session(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Down(true)
	for range 200 {
		if err := c.Delete(t.Context(), demo, "pool", pool); !controller.Unreachable(err) {
			t.Fatalf("Delete while it is down: %v", err)
		}
	}
	s.Down(false)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := c.Delete(t.Context(), demo, "pool", pool)
		if controller.Absent(err) {
			return
		}
		if !controller.Unreachable(err) || time.Now().After(deadline) {
			t.Fatalf("Delete once it is back: %v", err)
		}
	}
}

func TestVersionsOfControllers(t *testing.T) {
	for _, version := range []string{"17.2.14", "18.2.6", "20.1.1"} {
		s := avitest.Start(t, avitest.Options{Version: version})
		got, err := clientOf(t, s, "17.1.1").Session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(controller.Session{Address: s.Address, Version: version}, got); diff != "" {
			t.Errorf("Session (-want +got):\n%s", diff)
		}
	}
}
