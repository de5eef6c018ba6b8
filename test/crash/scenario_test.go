package crash

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"plimsoll/test/harness"
)

const (
	balancers = "/load-balancer/v2/lbaas"
	networks  = "/networking/v2.0"
)

// scenario is a life of a load balancer that passes every failpoint: it is made, serves, is changed in every way that
// takes another path through the engine, breaks, heals, and goes away with all that it needed.
type scenario struct {
	*client
	name string
	web  [2]*harness.Node
	ask  *harness.Node

	network, back   object
	failing         string // the file that names what the engine is to fail with
	profile, flavor object
	lb, pool        string
	vip, project    string
}

func (s *scenario) run() {
	s.makeNetworks()
	s.attach()
	s.makeFlavor()
	s.makeTree()
	s.limit()
	s.answers("a", "b")
	s.changeMembers()
	s.forwardDatagrams()
	s.serveNetworks()
	s.limitRequests()
	s.renewCertificate()
	s.changeStructure()
	s.rehearse()
	s.breakAndHeal()
	s.withoutEngine()
	s.logInBadly()
	s.answers("a", "b")
	s.takeAway()
}

func (s *scenario) makeNetworks() {
	s.network = s.makeNetwork("front", "10.71.0.0/24")
	s.back = s.makeNetwork("back", "10.72.0.0/24")
	s.update(networks+"/networks/"+s.network["id"].(string), "network", object{"description": s.name})
	s.update(networks+"/subnets/"+s.subnet(s.back), "subnet", object{"description": s.name})
}

func (s *scenario) makeNetwork(name, cidr string) object {
	return s.makeNetworkAs(name, cidr, object{"port_security_enabled": false})
}

// makeNetworkAs is makeNetwork with attributes of the network.
func (s *scenario) makeNetworkAs(name, cidr string, attributes object) object {
	attributes["name"] = s.name + "-" + name
	n := s.create(networks+"/networks", "network", "networks", attributes)
	s.create(networks+"/subnets", "subnet", "subnets", object{
		"name": s.name + "-" + name, "network_id": n["id"], "cidr": cidr, "ip_version": 4})
	return s.named(networks+"/networks", "networks", s.name+"-"+name)
}

func (s *scenario) subnet(network object) string { return network["subnets"].([]any)[0].(string) }

// attach plugs two web servers and a client.
func (s *scenario) attach() {
	for i, name := range []string{"a", "b"} {
		s.web[i] = s.plug(s.back, name)
		s.web[i].Serve(s.t, 8080, name)
	}
	s.ask = s.plug(s.network, "ask")
}

func (s *scenario) plug(network object, name string) *harness.Node {
	port := s.create(networks+"/ports", "port", "ports", object{"name": s.name + "-" + name, "network_id": network["id"]})
	id := port["id"].(string)
	// A port of which the description changes is updated without its binding.
	s.update(networks+"/ports/"+id, "port", object{"description": name})
	netns := "plmcrash-" + id[:8]
	s.update(networks+"/ports/"+id, "port", object{
		"binding:host_id": hostname(s.t), "binding:profile": object{"netns": netns}})
	s.wait("port "+name+" is plugged", func() bool {
		a := s.try(http.MethodGet, networks+"/ports/"+id, nil)
		return a.status == http.StatusOK && a.in(s.t, "port")["status"] == "ACTIVE"
	})
	return &harness.Node{NetNS: netns, PortID: id, Address: port["fixed_ips"].([]any)[0].(map[string]any)["ip_address"].(string)}
}

// makeFlavor makes what the load balancer is made by.
func (s *scenario) makeFlavor() {
	s.profile = s.create(balancers+"/flavorprofiles", "flavorprofile", "flavorprofiles", object{
		"name": s.name, "provider_name": "haproxy", "flavor_data": "{}"})
	s.flavor = s.create(balancers+"/flavors", "flavor", "flavors", object{
		"name": s.name, "flavor_profile_id": s.profile["id"]})
}

// limit bounds what the project may have, so that what is made from now on is counted.
func (s *scenario) limit() {
	s.until(http.MethodPut, balancers+"/quotas/"+s.project, object{"quota": object{"listener": 5, "member": 5}}, http.StatusAccepted)
}

func (s *scenario) makeTree() {
	lb := s.create(balancers+"/loadbalancers", "loadbalancer", "loadbalancers", object{
		"name": s.name, "vip_subnet_id": s.subnet(s.network), "flavor_id": s.flavor["id"]})
	s.lb, s.vip, s.project = lb["id"].(string), lb["vip_address"].(string), lb["project_id"].(string)
	pool := s.create(balancers+"/pools", "pool", "pools", object{
		"name": s.name, "loadbalancer_id": s.lb, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"})
	s.pool = pool["id"].(string)
	s.create(balancers+"/listeners", "listener", "listeners", object{
		"name": s.name, "loadbalancer_id": s.lb, "protocol": "HTTP", "protocol_port": 80, "default_pool_id": s.pool})
	s.create(balancers+"/healthmonitors", "healthmonitor", "healthmonitors", object{
		"name": s.name, "pool_id": s.pool, "type": "TCP", "delay": 1, "timeout": 1, "max_retries": 1})
	s.addMember("a", s.web[0])
	s.addMember("b", s.web[1])
	s.settle()
}

func (s *scenario) addMember(name string, n *harness.Node) object {
	return s.create(balancers+"/pools/"+s.pool+"/members", "member", "members", object{
		"name": name, "address": n.Address, "protocol_port": 8080, "subnet_id": s.subnet(s.back)})
}

// changeMembers goes through the Runtime API: a weight, a member less, a member more.
func (s *scenario) changeMembers() {
	b := s.named(balancers+"/pools/"+s.pool+"/members", "members", "b")
	path := balancers + "/pools/" + s.pool + "/members/" + b["id"].(string)
	s.update(path, "member", object{"weight": 7})
	s.settle()
	s.remove(path)
	s.settle()
	s.answers("a")
	time.Sleep(500 * time.Millisecond) // time for the server to be deleted once it is idle
	s.addMember("b", s.web[1])
	s.settle()
}

// changeStructure needs reloads.
func (s *scenario) changeStructure() {
	s.create(balancers+"/listeners", "listener", "listeners", object{
		"name": s.name + "-2", "loadbalancer_id": s.lb, "protocol": "TCP", "protocol_port": 81, "default_pool_id": s.pool})
	s.settle()
	l := s.named(balancers+"/listeners", "listeners", s.name+"-2")
	s.remove(balancers + "/listeners/" + l["id"].(string))
	s.update(balancers+"/loadbalancers/"+s.lb, "loadbalancer", object{"description": "changed"})
	s.settle()
	s.until(http.MethodPut, balancers+"/loadbalancers/"+s.lb+"/failover", nil, http.StatusAccepted)
	s.settle()
}

// rehearse has a load balancer that is bound to no host, and of which nothing is made.
func (s *scenario) rehearse() {
	lb := s.create(balancers+"/loadbalancers", "loadbalancer", "loadbalancers", object{
		"name": s.name + "-rehearsal", "vip_subnet_id": s.subnet(s.network), "provider": "noop"})
	s.settled(lb["id"].(string))
	s.remove(balancers + "/loadbalancers/" + lb["id"].(string))
}

// breakAndHeal damages the data plane behind the server's back, each time in another way, and changes the load balancer, so that
// it is made again at once.
func (s *scenario) breakAndHeal() {
	netns, link := "qlbaas-"+s.lb, s.vipLink()
	for i, damage := range [][]string{
		{"-n", netns, "addr", "add", "10.71.0.251/24", "dev", link},
		{"-n", netns, "route", "add", "198.51.100.0/24", "dev", link, "proto", "static"},
	} {
		if out, err := exec.Command("ip", damage...).CombinedOutput(); err != nil {
			s.t.Logf("ip %v: %v %s", damage, err, out) // an earlier crash may have left it half made
		}
		s.mended(fmt.Sprint("damage ", i))
	}
	s.replace(netns)
	s.mended("the namespace is lost")
}

// mended changes the load balancer, and waits until its data plane is as it should be.
func (s *scenario) mended(description string) {
	s.t.Helper()
	s.update(balancers+"/loadbalancers/"+s.lb, "loadbalancer", object{"description": description})
	s.settle()
	netns, link := "qlbaas-"+s.lb, s.vipLink()
	s.wait("the damage is mended", func() bool {
		addresses, err := exec.Command("ip", "-n", netns, "addr").CombinedOutput()
		return err == nil && bytes.Contains(addresses, []byte(link)) && !bytes.Contains(addresses, []byte("10.71.0.251"))
	})
	s.answers("a", "b")
}

// replace has somebody else's namespace in the place of the load balancer's, until the server has failed to use it.
func (s *scenario) replace(netns string) {
	remove := func() { _ = exec.Command("ip", "netns", "del", netns).Run() }
	s.t.Cleanup(remove)
	s.wait("the namespace is replaced", func() bool { // the engine may be faster than we
		remove()
		return exec.Command("ip", "netns", "add", netns).Run() == nil
	})
	s.update(balancers+"/loadbalancers/"+s.lb, "loadbalancer", object{"description": "replaced"})
	s.wait("the load balancer fails", func() bool { return strings.Contains(s.server.Log(), "network namespace "+netns) })
	remove()
}

// withoutEngine changes a load balancer while nobody can make it true.
func (s *scenario) withoutEngine() {
	for _, p := range s.server.Engines() {
		if !strings.Contains(p.Command, "--supervise") {
			_ = syscall.Kill(p.PID, syscall.SIGKILL)
		}
	}
	s.update(balancers+"/loadbalancers/"+s.lb, "loadbalancer", object{"description": "no engine"})
	s.settle()
}

// logInBadly fails once to log in, then succeeds.
func (s *scenario) logInBadly() {
	a := s.try(http.MethodPost, "/identity/v3/auth/tokens", object{"auth": object{
		"identity": object{"methods": []string{"password"}, "password": object{"user": object{
			"name": "admin", "password": "wrong", "domain": object{"id": "default"}}}}}})
	if a.status != http.StatusUnauthorized && a.status != 0 {
		s.t.Errorf("log-in with a wrong password: %v", a)
	}
	s.logIn()
}

func (s *scenario) vipLink() string {
	lb := s.until(http.MethodGet, balancers+"/loadbalancers/"+s.lb, nil, http.StatusOK).in(s.t, "loadbalancer")
	return "tap" + lb["vip_port_id"].(string)[:11]
}

func (s *scenario) takeAway() {
	s.remove(balancers + "/loadbalancers/" + s.lb + "?cascade=true")
	s.remove(balancers + "/flavors/" + s.flavor["id"].(string))
	s.remove(balancers + "/flavorprofiles/" + s.profile["id"].(string))
	s.until(http.MethodDelete, balancers+"/quotas/"+s.project, nil, http.StatusAccepted, http.StatusNotFound)
	for _, n := range []*harness.Node{s.web[0], s.web[1], s.ask} {
		s.unplug(n)
	}
	for _, n := range []object{s.network, s.back} {
		s.removeNetwork(n)
	}
	var left []string
	defer func() {
		if len(left) > 0 {
			s.t.Logf("left on the host: %v", left)
		}
	}()
	s.wait("nothing is left on the host", func() bool { left = s.server.Leftovers(); return len(left) == 0 })
}

// unplug takes a port out of its namespace, and deletes it.
func (s *scenario) unplug(n *harness.Node) {
	s.update(networks+"/ports/"+n.PortID, "port", object{"binding:host_id": "", "binding:profile": object{}})
	s.wait("port is unplugged", func() bool {
		a := s.try(http.MethodGet, networks+"/ports/"+n.PortID, nil)
		return a.status == http.StatusOK && a.in(s.t, "port")["status"] == "DOWN"
	})
	s.remove(networks + "/ports/" + n.PortID)
}

func (s *scenario) removeNetwork(n object) {
	s.remove(networks + "/subnets/" + s.subnet(n))
	s.remove(networks + "/networks/" + n["id"].(string))
}

// settle waits until nothing of the load balancer is pending or failed.
func (s *scenario) settle() {
	s.t.Helper()
	s.settled(s.lb)
}

func (s *scenario) settled(id string) {
	s.t.Helper()
	s.wait("everything is ACTIVE", func() bool {
		a := s.try(http.MethodGet, balancers+"/loadbalancers/"+id+"/status", nil)
		if a.status == http.StatusUnauthorized {
			s.logIn()
		}
		return a.status == http.StatusOK && !unsettled.Match(a.body)
	})
}

// answers waits until these members, and no others, answer at the VIP.
func (s *scenario) answers(names ...string) {
	s.t.Helper()
	s.wait(fmt.Sprintf("%v answer at the VIP", names), func() bool {
		got := map[string]bool{}
		for range 2 * len(names) {
			name, err := s.get()
			if err != nil {
				return false
			}
			got[name] = true
		}
		for _, name := range names {
			if !got[name] {
				return false
			}
		}
		return len(got) == len(names)
	})
}

func (s *scenario) get() (string, error) { return s.ask.Get(s.vip + ":80") }

func (s *scenario) wait(what string, done func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
		if done() {
			return
		}
	}
	s.t.Fatalf("not within %v: %s", patience, what)
}

func hostname(t *testing.T) string {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return name
}
