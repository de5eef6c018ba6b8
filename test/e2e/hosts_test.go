package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/vishvananda/netns"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/test/harness"
)

// station is a host of its own, played by a network namespace and a process that keeps a mount namespace, with a plimsoll serve.
type station struct {
	name, address, netns, dir string

	keeper *exec.Cmd
	server *exec.Cmd
	log    *os.File
	starts int
}

// place is the directory of names of the station's network namespaces, relative to the host's own.
func (h *station) place(name string) string {
	return fmt.Sprintf("../../proc/%d/root/run/netns/%s", h.keeper.Process.Pid, name)
}

// node is a namespace of the station.
func (h *station) node(name string) *harness.Node { return &harness.Node{NetNS: h.place(name)} }

// command is a program that runs on the station.
func (h *station) command(args ...string) *exec.Cmd {
	all := append([]string{"--target", strconv.Itoa(h.keeper.Process.Pid), "--mount", "--net"}, args...)
	return exec.CommandContext(context.Background(), "nsenter", all...)
}

func (h *station) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := h.command(args...).CombinedOutput()
	if err != nil {
		t.Errorf("%v on %s: %v: %s", args, h.name, err, out)
	}
	return string(out)
}

// newStation makes a host without a server.
func newStation(t *testing.T, name, address string) *station {
	t.Helper()
	dir, err := os.MkdirTemp("", "plimsoll-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h := &station{name: name, address: address, netns: "plmtest-" + uuid.NewString()[:8], dir: dir}
	ip(t, "netns", "add", h.netns)
	// The keeper ends with its input, and so with this process.
	h.keeper = exec.Command("nsenter", "--net=/run/netns/"+h.netns, "unshare", "--mount", "--propagation", "private", "sh", "-c",
		"mkdir -p /run/plimsoll-engine && mount -t tmpfs -o mode=755 none /run/netns && mount -t tmpfs -o mode=755 none /run/plimsoll-engine && mount -t sysfs none /sys && ip link set lo up && echo ready && exec cat")
	in, err := h.keeper.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.keeper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.keeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = h.keeper.Wait()
		_ = netns.DeleteNamed(h.netns)
		_ = os.RemoveAll(dir)
	})
	if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
		t.Fatalf("make the host %s: %v", name, err)
	}
	return h
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %v: %s", args, err, out)
	}
}

// start starts the station's server.
func (h *station) start(t *testing.T, connection string) {
	t.Helper()
	config := filepath.Join(h.dir, "plimsoll.conf")
	text := fmt.Sprintf("[DEFAULT]\nhost = %s\n[database]\nconnection = %s\n[ml2]\ntenant_network_types = vxlan\n[vxlan]\nlocal_ip = %s\n",
		h.name, connection, h.address)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(h.dir, "serve.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	h.log = log
	h.server = h.command(harness.Binary(), "serve", "--state-dir", h.state(), "--listen", h.address+":9876", "--config", config)
	h.server.Stdout, h.server.Stderr = log, log
	if err := h.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.end(t) })
	harness.Eventually(t, 30*time.Second, func() error {
		if text, err := os.ReadFile(log.Name()); err != nil || strings.Count(string(text), "plimsoll: ready on") <= h.starts {
			return fmt.Errorf("the server of %s is not ready, %w", h.name, err)
		}
		return nil
	})
	h.starts++
}

func (h *station) state() string { return filepath.Join(h.dir, "state") }

// stop ends the server.
func (h *station) stop(signal syscall.Signal) {
	if h.server != nil {
		_ = h.server.Process.Signal(signal)
		_ = h.server.Wait()
		_ = h.log.Close()
		h.server = nil
	}
}

// end ends everything, and looks for what stays.
func (h *station) end(t *testing.T) {
	h.stop(syscall.SIGTERM)
	if t.Failed() {
		for _, name := range []string{"serve.log", "state/engine.log"} {
			text, _ := os.ReadFile(filepath.Join(h.dir, name))
			t.Logf("end of %s of %s:\n%s", name, h.name, text[max(0, len(text)-6000):])
		}
	}
	h.run(t, harness.Binary(), "purge", "--state-dir", h.state())
	s := harness.Server{StateDir: h.state()}
	if left := s.Engines(); len(left) > 0 {
		t.Errorf("left behind by %s: %v", h.name, left)
	}
	if names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/root/run/netns/*", h.keeper.Process.Pid)); len(names) > 0 {
		t.Errorf("namespaces left behind by %s: %v", h.name, names)
	}
	if links := h.run(t, "ip", "-br", "link"); strings.Contains(links, "plm") || strings.Contains(links, "brq") || strings.Contains(links, "vxlan") {
		t.Errorf("links left behind by %s: %s", h.name, links)
	}
	if tables := h.run(t, "nft", "list", "tables"); strings.Contains(tables, "plimsoll") {
		t.Errorf("tables left behind by %s: %s", h.name, tables)
	}
}

// pair is two hosts with one database, and an administrator of both.
type pair struct {
	hosts      [2]*station
	connection string
	token      string
	client     *http.Client
}

func newPair(t *testing.T) *pair {
	t.Helper()
	connection := storetest.Bare(t, store.PostgreSQL)
	u, err := url.Parse(connection)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(u.Query().Get("host"), 0o711); err != nil { // the server gives up root's rights and has to reach its socket
		t.Fatal(err)
	}
	p := &pair{connection: connection}
	p.hosts = [2]*station{newStation(t, "host-a", "192.0.2.1"), newStation(t, "host-b", "192.0.2.2")}
	ip(t, "link", "add", "wire0", "netns", p.hosts[0].netns, "type", "veth", "peer", "name", "wire0", "netns", p.hosts[1].netns)
	for _, h := range p.hosts {
		ip(t, "-n", h.netns, "addr", "add", h.address+"/24", "dev", "wire0")
		ip(t, "-n", h.netns, "link", "set", "wire0", "up")
	}
	home := &harness.Node{NetNS: p.hosts[0].netns}
	p.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DialContext: home.Dial}}
	for _, h := range p.hosts {
		h.start(t, connection)
	}
	p.logIn(t)
	return p
}

func (p *pair) logIn(t *testing.T) {
	t.Helper()
	env := map[string]string{}
	for _, v := range (&harness.Server{StateDir: p.hosts[0].state()}).Env() {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	domain := object{"name": "Default"}
	body, err := json.Marshal(object{"auth": object{
		"identity": object{"methods": []string{"password"}, "password": object{"user": object{"name": env["OS_USERNAME"], "password": env["OS_PASSWORD"], "domain": domain}}},
		"scope":    object{"project": object{"name": env["OS_PROJECT_NAME"], "domain": domain}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.client.Post("http://192.0.2.1:9876/identity/v3/auth/tokens", "application/json", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if p.token = resp.Header.Get("X-Subject-Token"); p.token == "" {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("log in: %s %s", resp.Status, text)
	}
}

// call makes a request of the first host's server and returns the object that the answer is about.
func (p *pair) call(t *testing.T, method, path string, body any) object {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://192.0.2.1:9876"+path, strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", p.token)
	resp, err := p.client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s %s: %s %s, %v", method, path, text, resp.Status, said, err)
	}
	var answer map[string]any
	if len(said) > 0 {
		if err := json.Unmarshal(said, &answer); err != nil {
			t.Fatal(err)
		}
	}
	for _, inner := range answer {
		if o, ok := inner.(map[string]any); ok && len(answer) == 1 {
			return o
		}
	}
	return answer
}

func (p *pair) make(t *testing.T, path, noun string, body object) object {
	t.Helper()
	return p.call(t, "POST", path, object{noun: body})
}

// network makes a network with a subnet, and returns their ids.
func (p *pair) network(t *testing.T, cidr string, dhcp bool) (networkID, subnetID string) {
	t.Helper()
	n := p.make(t, "/networking/v2.0/networks", "network", object{"name": "spread"})
	if n["provider:network_type"] != "vxlan" || n["mtu"] != 1450.0 {
		t.Errorf("the tenant's network is %v", n)
	}
	s := p.make(t, "/networking/v2.0/subnets", "subnet", object{"network_id": n["id"], "cidr": cidr, "ip_version": 4, "enable_dhcp": dhcp})
	return n["id"].(string), s["id"].(string)
}

// guest makes a port with a namespace on a host, and a server in it.
func (p *pair) guest(t *testing.T, h *station, name, networkID string, more object) *harness.Web {
	t.Helper()
	body := object{"network_id": networkID, "name": name}
	for k, v := range more {
		body[k] = v
	}
	port := p.make(t, "/networking/v2.0/ports", "port", body)
	id := port["id"].(string)
	p.call(t, "PUT", "/networking/v2.0/ports/"+id, object{"port": object{"binding:host_id": h.name, "binding:profile": object{"netns": name}}})
	p.isUp(t, id)
	n := h.node(name)
	n.PortID, n.Address = id, port["fixed_ips"].([]any)[0].(map[string]any)["ip_address"].(string)
	return n.Serve(t, 8080, name)
}

func (p *pair) isUp(t *testing.T, id string) {
	t.Helper()
	harness.Eventually(t, 20*time.Second, func() error {
		if is := p.call(t, "GET", "/networking/v2.0/ports/"+id, nil); is["status"] != "ACTIVE" {
			return fmt.Errorf("port %s is %v: %v", id, is["status"], is["status_reason"])
		}
		return nil
	})
}

// agents waits until the hosts' agents are alive or not.
func (p *pair) agents(t *testing.T, alive map[string]bool) {
	t.Helper()
	harness.Eventually(t, 20*time.Second, func() error {
		is := map[string]bool{}
		list, _ := p.call(t, "GET", "/networking/v2.0/agents", nil)["agents"].([]any)
		for _, a := range list {
			a := a.(map[string]any)
			if was, seen := is[a["host"].(string)]; seen && was != a["alive"] {
				return fmt.Errorf("the agents of %v differ", a["host"])
			}
			is[a["host"].(string)] = a["alive"].(bool)
		}
		if fmt.Sprint(is) != fmt.Sprint(alive) {
			return fmt.Errorf("alive: %v, want %v", is, alive)
		}
		return nil
	})
}

// TestTwoHosts spreads a tenant's networks over two hosts with one database: guests, groups, a router, a DHCP server and a load balancer
// work across them.
func TestTwoHosts(t *testing.T) {
	p := newPair(t)
	a, b := p.hosts[0], p.hosts[1]
	p.agents(t, map[string]bool{"host-a": true, "host-b": true})
	lan, subnet := p.network(t, "10.5.0.0/24", true)
	far, farSubnet := p.network(t, "10.6.0.0/24", false)
	one, two := p.guest(t, a, "one", lan, nil), p.guest(t, b, "two", lan, nil)
	closed := p.guest(t, b, "closed", lan, object{"security_groups": []string{}})
	beyond := p.guest(t, b, "beyond", far, nil)

	t.Log("the default group spans the hosts")
	isAnswered(t, one.Node, two.Node.Address+":8080", "two")
	isAnswered(t, two.Node, one.Node.Address+":8080", "one")
	for _, n := range []*harness.Node{one.Node, two.Node} {
		if name, err := n.Get(closed.Node.Address + ":8080"); err == nil {
			t.Errorf("%s answers, which is in no group", name)
		}
	}

	t.Log("a router on one host serves guests of the other")
	r := p.make(t, "/networking/v2.0/routers", "router", object{"name": "r"})
	for _, s := range []string{subnet, farSubnet} {
		p.call(t, "PUT", fmt.Sprintf("/networking/v2.0/routers/%v/add_router_interface", r["id"]), object{"subnet_id": s})
	}
	isAnswered(t, two.Node, beyond.Node.Address+":8080", "beyond")
	isAnswered(t, one.Node, beyond.Node.Address+":8080", "beyond")

	t.Log("a load balancer on one host has members on both")
	lb := p.make(t, "/load-balancer/v2/lbaas/loadbalancers", "loadbalancer", object{
		"vip_subnet_id": subnet, "listeners": []object{{"protocol": "HTTP", "protocol_port": 80, "default_pool": object{"name": "pool",
			"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "members": []object{{"address": two.Node.Address, "protocol_port": 8080, "subnet_id": subnet}},
		}}},
	})
	vip := lb["vip_address"].(string)
	p.make(t, "/networking/v2.0/security-group-rules", "security_group_rule", object{
		"security_group_id": p.defaultGroup(t, two.Node.PortID), "direction": "ingress", "ethertype": "IPv4", "remote_ip_prefix": vip + "/32",
	})
	isAnswered(t, two.Node, vip+":80", "two")
	isAnswered(t, one.Node, vip+":80", "two")

	t.Log("a station of the host that does not run the DHCP server gets a lease")
	p.leases(t, lan, subnet)

	t.Log("the engine of a host is killed and comes back")
	for _, e := range (&harness.Server{StateDir: b.state()}).Engines() {
		if !strings.Contains(e.Command, "--supervise") {
			_ = syscall.Kill(e.PID, syscall.SIGKILL)
		}
	}
	isAnswered(t, one.Node, two.Node.Address+":8080", "two")
	late := p.guest(t, b, "late", lan, nil)
	isAnswered(t, one.Node, late.Node.Address+":8080", "late")
	isAnswered(t, two.Node, vip+":80", "two")

	t.Log("a host is away, and comes back")
	b.stop(syscall.SIGKILL)
	p.forget(t, "host-b")
	p.agents(t, map[string]bool{"host-a": true, "host-b": false})
	isAnswered(t, one.Node, two.Node.Address+":8080", "two")
	b.start(t, p.connection)
	p.agents(t, map[string]bool{"host-a": true, "host-b": true})
	isAnswered(t, beyond.Node, one.Node.Address+":8080", "one")
}

func (p *pair) defaultGroup(t *testing.T, portID string) string {
	t.Helper()
	return p.call(t, "GET", "/networking/v2.0/ports/"+portID, nil)["security_groups"].([]any)[0].(string)
}

// forget has the database say that a host was last seen long ago.
func (p *pair) forget(t *testing.T, host string) {
	t.Helper()
	db, err := sql.Open("pgx", p.connection)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "UPDATE hosts SET seen_at = seen_at - 3600000000 WHERE name = $1", host); err != nil {
		t.Fatal(err)
	}
}

// leases joins a station to the network's bridge on the host that does not run its DHCP server, and has it ask.
func (p *pair) leases(t *testing.T, networkID, subnetID string) {
	t.Helper()
	var without *station
	harness.Eventually(t, 10*time.Second, func() error {
		for i, h := range p.hosts {
			if _, err := os.Stat(filepath.Join("/run/netns", h.place("qdhcp-"+networkID))); err == nil {
				without = p.hosts[1-i]
				return nil
			}
		}
		return errors.New("no host runs the DHCP server")
	})
	const mac = "fa:16:3e:0a:0b:0d"
	c := newCable(t, mac)
	port := p.make(t, "/networking/v2.0/ports", "port", object{"network_id": networkID, "mac_address": mac, "fixed_ips": []object{{"subnet_id": subnetID, "ip_address": "10.5.0.77"}}})
	ip(t, "link", "set", c.link, "netns", without.netns)
	ip(t, "-n", without.netns, "link", "set", c.link, "master", "brq"+networkID[:11], "up")
	if got := c.lease(t); got != "10.5.0.77" {
		t.Errorf("the station has %s", got)
	}
	p.call(t, "DELETE", fmt.Sprintf("/networking/v2.0/ports/%v", port["id"]), nil)
	ip(t, "-n", without.netns, "link", "del", c.link)
}
