package avi

import (
	"crypto/x509"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/test/harness"
)

// session is the documents' session: a user of the tenant demo at the openstack client, and an administrator at the controller.
type session struct {
	*world
	demo   *harness.Cloud
	user   prompt
	subnet string
	lb     string
}

// TestSession goes through the documents' session with the real client, against both programs.
func TestSession(t *testing.T) {
	t.Parallel()
	s := &session{world: newProcesses(t, creating+"vrf_context_per_subnet=True\n[DEFAULT]\ndebug=True\n")}
	s.demo = s.Demo(t)
	s.subnet = s.demo.CreateNetwork(t, "data4snw", "10.0.3.0/24").SubnetID
	s.user = newPrompt(t, s.demo)
	s.loadBalancer(t)
	listener := s.listener(t)
	s.shared(t, listener)
	s.children(t)
	s.deletions(t, listener)
	s.end(t)
	if log := s.Log(); strings.Contains(log, "avi123") || strings.Contains(log, "PRIVATE KEY") || !strings.Contains(log, "avi_adc") {
		t.Error("the log has secrets, or nothing of the controller")
	}
}

// shown are the names of all objects of a kind in the tenant demo.
func (s *session) shown(t *testing.T, kind string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(s.shell(t, "demo", kind)) {
		if cells := strings.Split(line, "|"); len(cells) == 4 && strings.TrimSpace(cells[1]) != "Name" {
			all[strings.TrimSpace(cells[1])] = strings.TrimSpace(cells[2])
		}
	}
	return all
}

// wantShown compares the names of all objects of a kind, and what of their UUIDs is known.
func (s *session) wantShown(t *testing.T, kind string, want map[string]string) {
	t.Helper()
	got := s.shown(t, kind)
	for name, id := range want {
		if got[name] != "" && id == "" {
			want[name] = got[name]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("objects of kind %s (-want +got):\n%s", kind, diff)
	}
}

// loadBalancer makes demo-lb, of which only the VRF context is seen on Avi.
func (s *session) loadBalancer(t *testing.T) {
	made := s.user.run(t, "loadbalancer", "create", "--name", "demo-lb", "--vip-subnet-id", "data4snw", "--vip-address", "10.0.3.3")
	for field, want := range map[string]string{"provider": "avi_adc", "vip_address": "10.0.3.3", "vip_subnet_id": s.subnet} {
		if got := row(made, field); got != want {
			t.Errorf("%s of the load balancer is %q, want %q\n%s", field, got, want, made)
		}
	}
	s.lb = row(made, "id")
	s.demo.WaitActive(t, s.lb)
	if vrfs := s.shown(t, "vrfcontext"); vrfs["subnet-"+s.subnet] != "vrfcontext-"+s.subnet {
		t.Fatalf("VRF contexts of demo: %v", vrfs)
	}
	for _, kind := range []string{"virtualservice", "vsvip", "pool"} {
		s.wantShown(t, kind, map[string]string{})
	}
}

// listener makes a listener, a pool and a member, and returns the listener's id.
func (s *session) listener(t *testing.T) string {
	id := s.user.value(t, "id", "loadbalancer", "listener", "create", "--protocol", "HTTP", "--protocol-port", "80", "--name", "demolb-listener", "demo-lb")
	pool := s.user.value(t, "id", "loadbalancer", "pool", "create", "--listener", "demolb-listener", "--protocol", "HTTP", "--name", "demo-pool", "--lb-algorithm", "ROUND_ROBIN")
	member := s.user.value(t, "id", "loadbalancer", "member", "create", "--subnet-id", "data4snw", "--address", "10.0.3.10", "--protocol-port", "8080", "demo-pool")
	s.demo.WaitActive(t, s.lb)
	vrf := "subnet-" + s.subnet
	s.wantShown(t, "virtualservice", map[string]string{"demo-lb:demolb-listener": "virtualservice-" + id})
	s.wantShown(t, "vsvip", map[string]string{"vsvip-demo-lb": "vsvip-" + s.lb})
	s.wantShown(t, "pool", map[string]string{"demo-pool-" + id: poolID(pool, id)})
	s.wantFields(t, "virtualservice", "demo-lb:demolb-listener", map[string]string{
		"vrf_context_ref": vrf, "ign_pool_net_reach": "True", "application_profile_ref": "System-HTTP", "vsvip_ref": "vsvip-demo-lb",
		"pool_ref": "demo-pool-" + id, "cloud_ref": "Default-Cloud", "type": "VS_TYPE_NORMAL", "enabled": "True", "  port": "80", "  enable_ssl": "False",
	})
	s.wantFields(t, "pool", "demo-pool-"+id, map[string]string{
		"vrf_ref": vrf, "lb_algorithm": "LB_ALGORITHM_ROUND_ROBIN", "  external_uuid": member, "  port": "8080", "  ratio": "1", "  hostname": "10.0.3.10",
	})
	s.wantFields(t, "vsvip", "vsvip-demo-lb", map[string]string{"vrf_context_ref": vrf, "  subnet_uuid": s.subnet, "  vip_id": "0"})
	return id
}

// wantFields looks at fields as the shell shows them; those of nested objects begin with blanks.
func (s *session) wantFields(t *testing.T, kind, name string, want map[string]string) {
	t.Helper()
	table := s.shell(t, "demo", kind, name)
	for field, value := range want {
		if !regexp.MustCompile(`(?m)^\| ` + field + ` +\| ` + regexp.QuoteMeta(value) + ` +\|$`).MatchString(table) {
			t.Errorf("%s %s: %s is not %q\n%s", kind, name, field, value, table)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// poolID is the UUID of a pool's copy for a listener, or a child.
func poolID(pool, owner string) string {
	return "pool-" + uuid.NewSHA1(uuid.MustParse(pool), []byte(owner)).String()
}

// shared has a second listener use the pool: two pools on Avi.
func (s *session) shared(t *testing.T, first string) {
	second := s.user.value(t, "id", "loadbalancer", "listener", "create", "--protocol", "HTTP", "--protocol-port", "8080", "--name", "second", "--default-pool", "demo-pool", "demo-lb")
	s.demo.WaitActive(t, s.lb)
	s.wantShown(t, "pool", map[string]string{"demo-pool-" + first: "", "demo-pool-" + second: ""})
	s.wantFields(t, "pool", "demo-pool-"+second, map[string]string{"  hostname": "10.0.3.10", "vrf_ref": "subnet-" + s.subnet})
	s.user.run(t, "loadbalancer", "listener", "delete", "second")
	s.demo.WaitActive(t, s.lb)
	s.wantShown(t, "pool", map[string]string{"demo-pool-" + first: ""})
	s.wantShown(t, "vsvip", map[string]string{"vsvip-demo-lb": ""})
}

// children has a listener with two SNI containers: two children, and two more pools.
func (s *session) children(t *testing.T) {
	ca := harness.NewAuthority(t, "Demo CA")
	var refs []string
	for _, name := range []string{"www.example.com", "a.example.com", "b.example.com"} {
		refs = append(refs, s.demo.StoreCertificate(t, name, ca.Issue(name), ca.PEM))
	}
	id := s.user.value(t, "id", "loadbalancer", "listener", "create", "demo-lb", "--protocol", "TERMINATED_HTTPS", "--protocol-port", "443", "--name", "https",
		"--default-pool", "demo-pool", "--default-tls-container-ref", refs[0], "--sni-container-refs", refs[1], refs[2])
	s.demo.WaitActive(t, s.lb)
	s.wantShown(t, "virtualservice", map[string]string{
		"demo-lb:demolb-listener": "", "demo-lb:https": "virtualservice-" + id,
		"demo-lb:https-a.example.com": childID(refs[1], id), "demo-lb:https-b.example.com": childID(refs[2], id),
	})
	if n := len(s.shown(t, "pool")); n != 4 {
		t.Errorf("%d pools, want four: one for each listener and each child", n)
	}
	s.wantFields(t, "virtualservice", "demo-lb:https", map[string]string{"type": "VS_TYPE_VH_PARENT", "application_profile_ref": "System-Secure-HTTP", "  enable_ssl": "True"})
	s.wantFields(t, "virtualservice", "demo-lb:https-a.example.com", map[string]string{
		"type": "VS_TYPE_VH_CHILD", "vh_parent_vs_ref": "demo-lb:https", `vh_domain_name\[1\]`: "a.example.com", "vrf_context_ref": "subnet-" + s.subnet,
	})
	s.user.run(t, "loadbalancer", "listener", "delete", "https")
	s.demo.WaitActive(t, s.lb)
	s.wantShown(t, "virtualservice", map[string]string{"demo-lb:demolb-listener": ""})
	if n := len(s.shown(t, "pool")); n != 1 {
		t.Errorf("%d pools, want that of the listener that is left", n)
	}
	for name := range s.shown(t, "sslkeyandcertificate") {
		if strings.HasPrefix(name, "sslkeyandcertificate-") {
			t.Errorf("certificate %s is left behind", name)
		}
	}
}

func childID(ref, listener string) string {
	container := uuid.MustParse(ref[strings.LastIndexByte(ref, '/')+1:])
	return "virtualservice-" + uuid.NewSHA1(container, []byte(listener)).String()
}

// deletions deletes the pool, then the listener; each leaves nothing behind.
func (s *session) deletions(t *testing.T, listener string) {
	s.user.run(t, "loadbalancer", "pool", "delete", "demo-pool")
	s.demo.WaitActive(t, s.lb)
	s.wantShown(t, "pool", map[string]string{})
	s.wantFields(t, "virtualservice", "demo-lb:demolb-listener", map[string]string{"uuid": "virtualservice-" + listener})
	s.user.run(t, "loadbalancer", "listener", "delete", "demolb-listener")
	s.demo.WaitActive(t, s.lb)
	s.wantShown(t, "virtualservice", map[string]string{})
	s.wantShown(t, "vsvip", map[string]string{})
}

// end deletes the load balancer. The subnet can go then.
func (s *session) end(t *testing.T) {
	s.user.run(t, "loadbalancer", "delete", "demo-lb")
	s.demo.WaitGone(t, s.lb)
	if vrfs := s.shown(t, "vrfcontext"); vrfs["subnet-"+s.subnet] != "" {
		t.Errorf("VRF contexts are left: %v", vrfs)
	}
	if out := s.user.run(t, "subnet", "delete", "data4snw"); out != "" {
		t.Errorf("the subnet cannot be deleted: %s", out)
	}
}

// TestFlavors gives load balancers the service engine group and the VRF contexts of flavors, whose data are written as in the documents.
func TestFlavors(t *testing.T) {
	t.Parallel()
	w := newProcesses(t, creating)
	w.make(t, "serviceenginegroup", "se-group-1")
	w.make(t, "vrfcontext", "blue")
	admin, demo := w.Admin(t), w.Demo(t)
	operator, user := newPrompt(t, admin), newPrompt(t, demo)
	subnet := demo.CreateNetwork(t, "vip4snw", "10.0.4.0/24").SubnetID
	for name, data := range map[string]string{
		"SEG1": "{'se_group_ref': '/api/serviceenginegroup?name=se-group-1'}", "BLUE": `{"vrf_ref": "/api/vrfcontext?name=blue"}`,
		"DEDICATED_VRF_CONTEXT": "{'vrf_context_per_subnet': 'True'}", "NONE": "{'vrf_context_per_subnet': 'False'}",
	} {
		made := once(admin.Env(), "loadbalancer", "flavorprofile", "create", "--name", name, "--provider", "avi_lbaasv2.avi_driver.AviDriver", "--flavor-data", data)
		if got := operator.value(t, "name", "loadbalancer", "flavor", "create", "--name", name, "--flavorprofile", name, "--enable"); got != name {
			t.Fatalf("flavor %s: %s\n%s", name, got, made)
		}
	}
	out := once(admin.Env(), "loadbalancer", "flavorprofile", "create", "--name", "bad", "--provider", "avi_adc", "--flavor-data", "{'se_group_ref': '/api/serviceenginegroup?name=nonesuch'}")
	if !strings.Contains(out, "nonesuch") {
		t.Errorf("a profile with a group that is not there: %s", out)
	}
	for i, test := range []struct{ flavor, field, want string }{
		{"SEG1", "se_group_ref", "se-group-1"}, {"BLUE", "vrf_context_ref", "blue"},
		{"DEDICATED_VRF_CONTEXT", "vrf_context_ref", "subnet-" + subnet}, {"NONE", "ign_pool_net_reach", "False"},
	} {
		name := "mylb" + string(rune('a'+i))
		id := user.value(t, "id", "loadbalancer", "create", "--flavor", test.flavor, "--name", name, "--vip-subnet-id", "vip4snw")
		user.run(t, "loadbalancer", "listener", "create", "--protocol", "TCP", "--protocol-port", "80", "--name", "l", name)
		demo.WaitActive(t, id)
		if table := w.shell(t, "demo", "virtualservice", name+":l"); row(table, test.field) != test.want {
			t.Errorf("flavor %s: %s is not %s\n%s", test.flavor, test.field, test.want, table)
		}
		demo.Delete(t, id)
	}
}

// make makes an object of admin's on the controller, as its administrator does.
func (w *world) make(t *testing.T, kind, name string) {
	t.Helper()
	c := w.client(t)
	o := controller.Object{"name": name, "cloud_ref": "/api/cloud?name=Default-Cloud"}
	if _, err := c.Create(t.Context(), controller.Admin, kind, kind+"-"+uuid.NewString(), o); err != nil {
		t.Fatal(err)
	}
}

// client is a client of the controller's administrator.
func (w *world) client(t testing.TB) *controller.Client {
	t.Helper()
	ca, err := os.ReadFile(w.caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	c, err := controller.New(controller.Config{Addresses: []string{w.address}, User: "admin", Password: "avi123", Roots: roots, Version: "18.2.6"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestDoctor asks a controller that is well, and one with another password.
func TestDoctor(t *testing.T) {
	t.Parallel()
	w := newProcesses(t, creating)
	out, _ := w.Try("doctor", "--config", w.configFile(t, "avi123", w.caFile), "--state-dir", w.StateDir, "--listen", "127.0.0.1:0")
	if !slices.ContainsFunc(strings.Split(out, "\n"), func(line string) bool {
		return strings.HasPrefix(line, "ok ") && strings.Contains(line, "avi_adc") && strings.Contains(line, "18.2.6")
	}) {
		t.Errorf("doctor does not find the controller well:\n%s", out)
	}
	for name, file := range map[string]string{"password": w.configFile(t, "wrong", w.caFile), "authority": w.configFile(t, "avi123", "")} {
		out, err := w.Try("doctor", "--config", file, "--state-dir", w.StateDir, "--listen", "127.0.0.1:0")
		if !regexp.MustCompile(`(?m)^missing +avi_adc .*`+name+`|(?m)^missing +avi_adc .*\n.*`+name).MatchString(out) || err == nil {
			t.Errorf("doctor with a wrong %s: %v\n%s", name, err, out)
		}
	}
}
