package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netns"

	"plimsoll/test/harness"
)

// walkSteps is how many operations a walk has, unless PLIMSOLL_STEPS says it. PLIMSOLL_SEEDS is how many walks there are.
const walkSteps = 60

// walk is a path of random operations on the network service. What should be on the host is computed from what the API tells, never
// from what the walk asked for.
type walk struct {
	*harness.Server
	*harness.Cloud
	random  *rand.Rand
	outside *harness.Net
	guests  map[string]*walkGuest // by the port's id
	made    int                   // networks and guests so far
	said    []string              // what was done

	tried, reached int // ways from guests to addresses, the last time
}

// walkGuest is a port of a guest with its namespace.
type walkGuest struct {
	*harness.Node
	listens io.Closer
	inode   uint64 // of the namespace in which it listens
}

// walkMove is an operation. Weights say how often it is drawn.
type walkMove struct {
	name   string
	weight int
	do     func(w *walk, t *testing.T)
}

func walkMoves() []walkMove {
	return []walkMove{
		{"add network", 6, (*walk).addNetwork},
		{"remove network", 2, (*walk).removeNetwork},
		{"change subnet", 3, (*walk).changeSubnet},
		{"plug", 12, (*walk).plug},
		{"unplug", 5, (*walk).unplug},
		{"change port", 10, (*walk).changePort},
		{"add router", 4, (*walk).addRouter},
		{"remove router", 1, (*walk).removeRouter},
		{"change router", 7, (*walk).changeRouter},
		{"add interface", 9, (*walk).addInterface},
		{"remove interface", 3, (*walk).removeInterface},
		{"add floating address", 6, (*walk).addFloating},
		{"change floating address", 5, (*walk).changeFloating},
		{"remove floating address", 2, (*walk).removeFloating},
		{"add group", 3, (*walk).addGroup},
		{"remove group", 1, (*walk).removeGroup},
		{"add rule", 10, (*walk).addRule},
		{"remove rule", 4, (*walk).removeRule},
		{"switch", 7, (*walk).flip},
		{"add load balancer", 3, (*walk).addBalancer},
		{"change VIP", 2, (*walk).changeVIP},
		{"remove load balancer", 1, (*walk).removeBalancer},
		{"kill the server", 2, (*walk).killServer},
		{"kill the engine", 2, (*walk).killEngine},
		{"delete a namespace", 3, (*walk).loseNamespace},
		{"kill dnsmasq", 2, (*walk).killDNSMasq},
		{"delete a table", 2, (*walk).loseTable},
	}
}

// TestNetworkWalk makes random changes and disturbances, compares the host and its traffic with the API from time to time, and deletes
// everything at the end.
func TestNetworkWalk(t *testing.T) {
	seeds, first, steps := setting(t, "PLIMSOLL_SEEDS", 1), setting(t, "PLIMSOLL_SEED", 1), setting(t, "PLIMSOLL_STEPS", walkSteps)
	for seed := first; seed < first+seeds; seed++ {
		t.Run(strconv.Itoa(seed), func(t *testing.T) { newWalk(t, uint64(seed)).run(t, steps) })
	}
}

// setting is the number of an environment variable.
func setting(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s: want a positive number", variable, text)
	}
	return n
}

func newWalk(t *testing.T, seed uint64) *walk {
	server := harness.Start(t)
	w := &walk{Server: server, Cloud: server.Admin(t), random: rand.New(rand.NewPCG(seed, 7)), guests: map[string]*walkGuest{}}
	w.outside = outsideNet(t, w.Cloud)
	w.addGuest(t, object{"network_id": w.outside.ID})
	for range 2 {
		w.addNetwork(t)
		w.plug(t)
	}
	w.addRouter(t)
	w.addInterface(t)
	return w
}

func (w *walk) run(t *testing.T, steps int) {
	defer func() {
		if t.Failed() || os.Getenv("PLIMSOLL_SEED") != "" {
			t.Logf("what was done:\n%s", strings.Join(w.said, "\n"))
		}
	}()
	var deck []walkMove
	for _, m := range walkMoves() {
		for range m.weight {
			deck = append(deck, m)
		}
	}
	for i := range steps {
		m := deck[w.random.IntN(len(deck))]
		w.note("%d: %s", i, m.name)
		m.do(w, t)
		if i%20 == 19 {
			w.compare(t)
		}
	}
	w.compare(t)
	w.end(t)
}

func (w *walk) note(format string, args ...any) {
	w.said = append(w.said, time.Now().UTC().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// ask makes a request of the network service. Conflicts and bad requests are as good as success; that the server fails is not.
func (w *walk) ask(t *testing.T, method, path string, body any) object {
	t.Helper()
	return w.askOf(t, w.Network.ServiceURL(path), method, body)
}

func (w *walk) askOf(t *testing.T, url, method string, body any) object {
	t.Helper()
	var reader io.Reader = http.NoBody
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		reader = strings.NewReader(string(text))
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, reader)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", w.Network.Token())
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if method != http.MethodGet {
		w.note("\t%s %s %s: %d %s", method, strings.TrimPrefix(url, w.URL), text, resp.StatusCode, shown400(resp.StatusCode, said))
	}
	if err != nil || resp.StatusCode >= 500 || resp.StatusCode == http.StatusUnauthorized {
		t.Errorf("%s %s %s: %s %s, %v", method, url, text, resp.Status, said, err)
	}
	if resp.StatusCode >= 400 {
		return nil
	}
	answer := object{}
	if len(said) > 0 {
		if err := json.Unmarshal(said, &answer); err != nil {
			t.Fatalf("%s %s: %v: %s", method, url, err, said)
		}
	}
	return answer
}

func shown400(status int, said []byte) string {
	if status < 400 {
		return ""
	}
	return string(said)
}

// draw draws an item; the zero value when there is none.
func draw[T any](w *walk, from []T) (chosen T) {
	if len(from) == 0 {
		return chosen
	}
	return from[w.random.IntN(len(from))]
}

func (w *walk) coin() bool { return w.random.IntN(2) == 0 }

func (w *walk) addNetwork(t *testing.T) {
	now := w.look(t)
	if len(now.inside(w)) >= 3 {
		return
	}
	w.made++
	n := w.ask(t, "POST", "networks", object{"network": object{"name": fmt.Sprintf("n%d", w.made), "port_security_enabled": w.random.IntN(3) > 0}})
	if n == nil {
		return
	}
	w.ask(t, "POST", "subnets", object{"subnet": object{
		"network_id": n["network"].(map[string]any)["id"], "cidr": fmt.Sprintf("10.20.%d.0/24", w.made%250), "ip_version": 4, "enable_dhcp": w.coin(),
	}})
}

func (w *walk) removeNetwork(t *testing.T) {
	if n := draw(w, w.look(t).inside(w)); n != nil {
		w.ask(t, "DELETE", "networks/"+n.ID, nil)
	}
}

func (w *walk) changeSubnet(t *testing.T) {
	if s := draw(w, w.look(t).Subnets); s != nil && s.NetworkID != w.outside.ID {
		w.ask(t, "PUT", "subnets/"+s.ID, object{"subnet": object{"enable_dhcp": w.coin(), "dns_nameservers": []string{"192.0.2.53"}}})
	}
}

func (w *walk) plug(t *testing.T) {
	now := w.look(t)
	n := draw(w, now.inside(w))
	if n == nil || len(w.guests) >= 6 {
		return
	}
	body := object{"network_id": n.ID}
	if w.coin() {
		body["security_groups"] = w.someGroups(now)
	}
	w.addGuest(t, body)
}

func (w *walk) someGroups(now *walkState) []string {
	all := []string{}
	for _, g := range now.Groups {
		if w.coin() {
			all = append(all, g.ID)
		}
	}
	return all
}

func (w *walk) addGuest(t *testing.T, body object) {
	t.Helper()
	made := w.ask(t, "POST", "ports", object{"port": body})
	if made == nil {
		return
	}
	id := made["port"].(map[string]any)["id"].(string)
	w.made++
	g := &walkGuest{Node: &harness.Node{NetNS: fmt.Sprintf("t%.8s-w%d", w.Instance(), w.made), PortID: id}}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	w.ask(t, "PUT", "ports/"+id, object{"port": object{"binding:host_id": host, "binding:profile": object{"netns": g.NetNS}}})
	w.guests[id] = g
}

func (w *walk) unplug(t *testing.T) {
	p := w.guestPort(w.look(t))
	if p == nil {
		return
	}
	if w.coin() {
		w.ask(t, "PUT", "ports/"+p.ID, object{"port": object{"binding:host_id": "", "binding:profile": object{}}})
	}
	w.ask(t, "DELETE", "ports/"+p.ID, nil)
	w.guests[p.ID].stop()
	delete(w.guests, p.ID)
}

// guestPort is the port of a guest inside.
func (w *walk) guestPort(now *walkState) *walkPort { return w.somePort(now, false) }

// somePort is the port of a guest inside, or of a VIP.
func (w *walk) somePort(now *walkState, vips bool) *walkPort {
	var all []*walkPort
	for _, p := range now.Ports {
		if w.guests[p.ID] != nil && p.NetworkID != w.outside.ID || vips && p.Owner == "Octavia" {
			all = append(all, p)
		}
	}
	return draw(w, all)
}

// changeVIP gives the port of a VIP groups, or none.
func (w *walk) changeVIP(t *testing.T) {
	now := w.look(t)
	if lb := draw(w, now.Balancers); lb != nil {
		w.ask(t, "PUT", "ports/"+lb.Port, object{"port": object{"security_groups": w.someGroups(now)}})
	}
}

func (w *walk) changePort(t *testing.T) {
	now := w.look(t)
	p := w.guestPort(now)
	if p == nil {
		return
	}
	body := object{}
	switch w.random.IntN(5) {
	case 0, 1:
		body["security_groups"] = w.someGroups(now)
	case 2:
		body["port_security_enabled"] = w.coin()
		if body["port_security_enabled"] == false {
			body["security_groups"] = []string{}
		}
	case 3:
		if s := now.subnet(p.FixedIPs[0].SubnetID); s != nil {
			body["fixed_ips"] = []object{{"subnet_id": s.ID, "ip_address": strings.TrimSuffix(s.CIDR, "0/24") + strconv.Itoa(100+w.random.IntN(50))}}
		}
	case 4:
		body["admin_state_up"] = w.random.IntN(3) > 0
	}
	w.ask(t, "PUT", "ports/"+p.ID, object{"port": body})
}

func (w *walk) addRouter(t *testing.T) {
	if len(w.look(t).Routers) >= 2 {
		return
	}
	body := object{"name": "r"}
	if w.random.IntN(3) > 0 {
		body["external_gateway_info"] = object{"network_id": w.outside.ID}
	}
	w.ask(t, "POST", "routers", object{"router": body})
}

func (w *walk) removeRouter(t *testing.T) {
	if r := draw(w, w.look(t).Routers); r != nil {
		w.ask(t, "DELETE", "routers/"+r.ID, nil)
	}
}

func (w *walk) changeRouter(t *testing.T) {
	r := draw(w, w.look(t).Routers)
	if r == nil {
		return
	}
	body := object{}
	switch w.random.IntN(4) {
	case 0:
		body["admin_state_up"] = w.random.IntN(3) > 0
	case 1:
		body["external_gateway_info"] = object{}
	default:
		body["external_gateway_info"] = object{"network_id": w.outside.ID, "enable_snat": w.random.IntN(3) > 0}
	}
	w.ask(t, "PUT", "routers/"+r.ID, object{"router": body})
}

func (w *walk) addInterface(t *testing.T) {
	now := w.look(t)
	r, n := draw(w, now.Routers), draw(w, now.inside(w))
	if r == nil || n == nil {
		return
	}
	if s := now.subnetOf(n.ID); s != nil {
		w.ask(t, "PUT", "routers/"+r.ID+"/add_router_interface", object{"subnet_id": s.ID})
	}
}

func (w *walk) removeInterface(t *testing.T) {
	now := w.look(t)
	for _, p := range now.Ports {
		if p.Owner == "network:router_interface" && w.coin() {
			w.ask(t, "PUT", "routers/"+p.DeviceID+"/remove_router_interface", object{"subnet_id": p.FixedIPs[0].SubnetID})
			return
		}
	}
}

func (w *walk) addFloating(t *testing.T) {
	now := w.look(t)
	body := object{"floating_network_id": w.outside.ID}
	if p := w.somePort(now, true); p != nil && w.random.IntN(4) > 0 {
		body["port_id"] = p.ID
	}
	if len(now.Floating) < 4 {
		w.ask(t, "POST", "floatingips", object{"floatingip": body})
	}
}

func (w *walk) changeFloating(t *testing.T) {
	now := w.look(t)
	f := draw(w, now.Floating)
	if f == nil {
		return
	}
	body := object{"port_id": nil}
	if p := w.somePort(now, true); p != nil && w.random.IntN(4) > 0 {
		body["port_id"] = p.ID
	}
	w.ask(t, "PUT", "floatingips/"+f.ID, object{"floatingip": body})
}

func (w *walk) removeFloating(t *testing.T) {
	if f := draw(w, w.look(t).Floating); f != nil {
		w.ask(t, "DELETE", "floatingips/"+f.ID, nil)
	}
}

func (w *walk) addGroup(t *testing.T) {
	if len(w.look(t).Groups) < 4 {
		w.ask(t, "POST", "security-groups", object{"security_group": object{"name": "g"}})
	}
}

func (w *walk) removeGroup(t *testing.T) {
	if g := draw(w, w.look(t).Groups); g != nil && g.Name != "default" {
		w.ask(t, "DELETE", "security-groups/"+g.ID, nil)
	}
}

func (w *walk) addRule(t *testing.T) {
	now := w.look(t)
	g := draw(w, now.Groups)
	if g == nil {
		return
	}
	body := object{"security_group_id": g.ID, "direction": "ingress", "ethertype": "IPv4"}
	if w.random.IntN(4) == 0 {
		body["direction"] = "egress"
	}
	switch w.random.IntN(4) {
	case 0:
		body["protocol"] = "tcp"
	case 1:
		body["protocol"], body["port_range_min"], body["port_range_max"] = "tcp", 8000, 8080
	case 2:
		body["protocol"] = "udp"
	}
	switch p := draw(w, now.Ports); w.random.IntN(4) {
	case 0:
		body["remote_group_id"] = draw(w, now.Groups).ID
	case 1:
		if p != nil && len(p.FixedIPs) > 0 {
			body["remote_ip_prefix"] = p.FixedIPs[0].Address + "/32"
		}
	case 2:
		body["remote_ip_prefix"] = draw(w, now.Subnets).CIDR
	}
	w.ask(t, "POST", "security-group-rules", object{"security_group_rule": body})
}

func (w *walk) removeRule(t *testing.T) {
	if g := draw(w, w.look(t).Groups); g != nil {
		if r := draw(w, g.Rules); r != nil {
			w.ask(t, "DELETE", "security-group-rules/"+r.ID, nil)
		}
	}
}

// flip switches something on or off; what is off is more often switched on than the other way round.
func (w *walk) flip(t *testing.T) {
	now := w.look(t)
	up := w.random.IntN(3) > 0
	switch w.random.IntN(3) {
	case 0:
		if n := draw(w, now.inside(w)); n != nil {
			w.ask(t, "PUT", "networks/"+n.ID, object{"network": object{"admin_state_up": up}})
		}
	case 1:
		if r := draw(w, now.Routers); r != nil {
			w.ask(t, "PUT", "routers/"+r.ID, object{"router": object{"admin_state_up": up}})
		}
	case 2:
		if lb := draw(w, now.Balancers); lb != nil {
			w.askOf(t, w.LoadBalancer.ServiceURL("lbaas", "loadbalancers", lb.ID), "PUT", object{"loadbalancer": object{"admin_state_up": up}})
		}
	}
}

func (w *walk) addBalancer(t *testing.T) {
	now := w.look(t)
	n := draw(w, now.inside(w))
	if n == nil || len(now.Balancers) >= 2 {
		return
	}
	s := now.subnetOf(n.ID)
	if s == nil {
		return
	}
	w.askOf(t, w.LoadBalancer.ServiceURL("lbaas", "loadbalancers"), "POST", object{"loadbalancer": object{
		"vip_subnet_id": s.ID, "listeners": []object{{"protocol": "HTTP", "protocol_port": 8080}},
	}})
}

func (w *walk) removeBalancer(t *testing.T) {
	if lb := draw(w, w.look(t).Balancers); lb != nil {
		w.askOf(t, w.LoadBalancer.ServiceURL("lbaas", "loadbalancers", lb.ID)+"?cascade=true", "DELETE", nil)
	}
}

func (w *walk) killServer(t *testing.T) {
	w.Kill(t)
	w.Start(t)
}

// killEngine kills the engine; or its supervisor as well, and then the server, which starts them at its start.
func (w *walk) killEngine(t *testing.T) {
	all := w.coin()
	for _, p := range w.Engines() {
		if all || !strings.Contains(p.Command, "--supervise") {
			w.note("\tkill %s", p.Command)
			_ = syscall.Kill(p.PID, syscall.SIGKILL)
		}
	}
	if all {
		w.killServer(t)
	}
}

func (w *walk) loseNamespace(t *testing.T) {
	if name := draw(w, hostHas(w.Server).namespaces); name != "" {
		w.note("\tdelete namespace %s", name)
		_ = netns.DeleteNamed(name)
	}
}

func (w *walk) killDNSMasq(t *testing.T) {
	for _, p := range w.DNSMasqs() {
		w.note("\tkill %d", p.PID)
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
	}
}

func (w *walk) loseTable(t *testing.T) {
	family := draw(w, []string{"bridge", "inet"})
	w.note("\tdelete table %s", family)
	_ = exec.CommandContext(t.Context(), "nft", "delete", "table", family, "plimsoll-"+w.Instance()).Run()
}
