package engine

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/linux"
)

// The addresses of the tests' routed world: two networks inside, and one outside with a station that knows nothing of those inside.
const (
	upstream, gateway      = "203.0.113.1", "203.0.113.7"
	floatingA, floatingB   = "203.0.113.20", "203.0.113.21"
	stationA, stationB     = "10.0.0.5", "10.0.0.6"
	neighbour, serviceAddr = "10.0.1.5", "192.0.2.1"
)

// routed is a world with a router.
type routed struct {
	*world
	router            *enginepb.Router
	outside, one, two string // networks
	external, inner   *enginepb.Port
	spaces            map[string]string // namespaces of stations, by address
}

// portIn is a port of a network, with the MAC address from its id.
func portIn(network, link string, addresses ...string) *enginepb.Port {
	id := uuid.New()
	return &enginepb.Port{Id: id.String(), NetworkId: network, Link: link, Mtu: 1450, Addresses: addresses,
		Mac: net.HardwareAddr{0xfa, 0x16, 0x3e, id[0], id[1], id[2]}.String()}
}

func byWay(hop string) []*enginepb.Route {
	a := netip.MustParseAddr(hop)
	everywhere := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if a.Is6() {
		everywhere = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return []*enginepb.Route{{Destination: everywhere.String(), NextHop: hop}}
}

func (w *world) plugAt(netns string, p *enginepb.Port) {
	w.t.Helper()
	if _, err := w.client.Plug(context.Background(), &enginepb.PlugRequest{Port: p, Netns: netns}); err != nil {
		w.t.Fatalf("Plug: %v", err)
	}
}

// applyHost applies a plan of routers, and wants no failure.
func (w *world) applyHost(routers ...*enginepb.Router) {
	w.t.Helper()
	reply, err := w.client.ApplyHost(context.Background(), &enginepb.HostPlan{Routers: routers})
	if err != nil {
		w.t.Fatalf("ApplyHost: %v", err)
	}
	if len(reply.Failures) > 0 {
		w.t.Fatalf("ApplyHost failed: %v", reply.Failures)
	}
}

func (r *routed) netns() string { return "qrouter-" + r.router.Id }

// newRouted makes a router between two networks and one outside, stations in each, and servers on them that say who asked.
func newRouted(t *testing.T, w *world) *routed {
	t.Helper()
	r := &routed{world: w, outside: uuid.NewString(), one: uuid.NewString(), two: uuid.NewString(), spaces: map[string]string{}}
	r.external = portIn(r.outside, "qg-", gateway+"/24", floatingA+"/32", floatingB+"/32")
	r.external.Routes = byWay(upstream)
	r.inner = portIn(r.one, "qr-", "10.0.0.1/24", "2001:db8:a::1/64")
	second := portIn(r.two, "qr-", "10.0.1.1/24", "2001:db8:b::1/64")
	r.router = &enginepb.Router{Id: uuid.NewString(), InternalPortIds: []string{r.inner.Id, second.Id}, ExternalPortId: r.external.Id,
		Snat4: gateway, Floatings: []*enginepb.Floating{{Address: floatingA, Fixed: stationA}}}
	w.applyHost(r.router) // before its links are there
	for _, p := range []*enginepb.Port{r.external, r.inner, second} {
		w.plugAt(r.netns(), p)
	}
	r.station(r.outside, upstream, "")
	r.station(r.one, stationA, "10.0.0.1", "2001:db8:a::5")
	r.station(r.one, stationB, "10.0.0.1")
	r.station(r.two, neighbour, "10.0.1.1", "2001:db8:b::5")
	return r
}

// station plugs a namespace with an address and a server.
func (r *routed) station(network, address, hop string, others ...string) {
	r.t.Helper()
	p, name := portIn(network, "", address+"/24"), "plmtest-"+uuid.NewString()
	if hop != "" {
		p.Routes = byWay(hop)
	}
	for _, six := range others {
		p.Addresses = append(p.Addresses, six+"/64")
		p.Routes = append(p.Routes, byWay(strings.TrimSuffix(six, "5")+"1")...)
	}
	r.plugAt(name, p)
	r.spaces[address] = name
	echo(r.t, name, address)
	for _, six := range others {
		echo(r.t, name, six)
	}
}

// echo serves an address of a namespace: it tells each line's sender its own address and who serves.
func echo(t *testing.T, namespace, address string) {
	t.Helper()
	var l net.Listener
	err := linux.Within(namespace, func() (err error) {
		l, err = net.Listen("tcp", net.JoinHostPort(address, "7"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer func() { _ = c.Close() }()
				stop := context.AfterFunc(t.Context(), func() { _ = c.Close() })
				defer stop()
				host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
				for lines := bufio.NewScanner(c); lines.Scan(); {
					fmt.Fprintf(c, "%s asks %s\n", host, address)
				}
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); group.Wait() })
}

// talk is a connection that is kept.
type talk struct {
	net.Conn
	lines *bufio.Reader
}

const askWait = 5 * time.Second // answers come in milliseconds, but on a busy machine

// dial connects from a station to an address.
func (r *routed) dial(from, to string) (*talk, error) {
	var c net.Conn
	err := linux.Within(r.spaces[from], func() (err error) {
		c, err = (&net.Dialer{Timeout: askWait}).DialContext(r.t.Context(), "tcp", net.JoinHostPort(to, "7"))
		return err
	})
	if err != nil {
		return nil, err
	}
	r.t.Cleanup(func() { _ = c.Close() })
	return &talk{c, bufio.NewReader(c)}, nil
}

// say asks over a connection, and returns the answer.
func (c *talk) say() (string, error) {
	_ = c.SetDeadline(time.Now().Add(askWait))
	if _, err := fmt.Fprintln(c, "hello"); err != nil {
		return "", err
	}
	line, err := c.lines.ReadString('\n')
	return strings.TrimSpace(line), err
}

// hears wants an answer over a new connection.
func (r *routed) hears(from, to, want string) *talk {
	r.t.Helper()
	c, err := r.dial(from, to)
	if err != nil {
		r.t.Errorf("%s to %s: %v", from, to, err)
		return nil
	}
	c.wants(r.t, want)
	return c
}

func (c *talk) wants(t *testing.T, want string) {
	t.Helper()
	if got, err := c.say(); err != nil || got != want {
		t.Errorf("%s: %q, %v, want %q", c.RemoteAddr(), got, err, want)
	}
}

// silent wants no connection, without waiting long.
func (r *routed) silent(from, to string) {
	r.t.Helper()
	var c net.Conn
	err := linux.Within(r.spaces[from], func() (err error) {
		c, err = (&net.Dialer{Timeout: 300 * time.Millisecond}).DialContext(r.t.Context(), "tcp", net.JoinHostPort(to, "7"))
		return err
	})
	if err == nil {
		_ = c.Close()
		r.t.Errorf("%s reaches %s", from, to)
	}
}

func (r *routed) everyWay(t *testing.T) {
	t.Helper()
	for _, way := range [][3]string{
		{stationA, neighbour, stationA + " asks " + neighbour},
		{neighbour, stationB, neighbour + " asks " + stationB},
		{stationB, upstream, gateway + " asks " + upstream},
		{stationA, upstream, floatingA + " asks " + upstream},
		{upstream, floatingA, upstream + " asks " + stationA},
		{stationB, floatingA, gateway + " asks " + stationA},
		{neighbour, floatingA, gateway + " asks " + stationA},
		{stationA, floatingA, floatingA + " asks " + stationA},
		{stationA, "2001:db8:b::5", "2001:db8:a::5 asks 2001:db8:b::5"},
	} {
		r.hears(way[0], way[1], way[2])
	}
}

func TestRouter(t *testing.T) {
	w := newWorld(t)
	before := listing(t, w)
	r := newRouted(t, w)
	r.everyWay(t)
	r.silent(upstream, stationB) // it knows no way inside

	t.Run("changes in place", func(t *testing.T) { r.changesInPlace(t) })
	t.Run("a floating address moves", func(t *testing.T) { r.floatingMoves(t) })
	t.Run("extra routes", func(t *testing.T) { r.extraRoutes(t) })
	t.Run("a gateway that the plan does not know", func(t *testing.T) { r.unknownGateway(t) })
	t.Run("no translation", func(t *testing.T) { r.untranslated(t) })
	t.Run("the engine starts anew", func(t *testing.T) { r.restarts(t) })
	t.Run("a reboot", func(t *testing.T) { r.reboots(t) })
	t.Run("a router that is down", func(t *testing.T) { r.goesDown(t) })

	for port := range w.plugged() {
		w.unplug(port)
	}
	if diff := cmp.Diff(before, listing(t, w)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

// changesInPlace has another address, an MTU and a route come and go, which nobody notices who does not need them.
func (r *routed) changesInPlace(t *testing.T) {
	inside, outward := r.hears(stationA, neighbour, stationA+" asks "+neighbour), r.hears(stationB, upstream, gateway+" asks "+upstream)
	index := run(t, "ip", "-n", r.netns(), "-o", "link")
	for _, change := range []func(p *enginepb.Port){
		func(p *enginepb.Port) { p.Addresses = append(p.Addresses, "10.0.7.1/24") },
		func(p *enginepb.Port) { p.Mtu = 1400 },
		func(p *enginepb.Port) { *p = *proto.CloneOf(r.inner) },
	} {
		p := proto.CloneOf(r.inner)
		change(p)
		r.plugAt(r.netns(), p)
		inside.wants(t, stationA+" asks "+neighbour)
		outward.wants(t, gateway+" asks "+upstream)
	}
	if out := run(t, "ip", "-n", r.netns(), "addr"); strings.Contains(out, "10.0.7.1") {
		t.Errorf("the address stayed:\n%s", out)
	}
	if diff := cmp.Diff(index, run(t, "ip", "-n", r.netns(), "-o", "link")); diff != "" {
		t.Errorf("links (-before +after):\n%s", diff)
	}
}

func (r *routed) floatingMoves(t *testing.T) {
	outward, moved := r.hears(neighbour, upstream, gateway+" asks "+upstream), r.hears(upstream, floatingA, upstream+" asks "+stationA)
	out := r.hears(stationA, upstream, floatingA+" asks "+upstream)
	router := proto.CloneOf(r.router)
	router.Floatings[0].Fixed = stationB
	r.applyHost(router)
	outward.wants(t, gateway+" asks "+upstream)
	for name, c := range map[string]*talk{"from outside": moved, "to outside": out} {
		_ = c.SetDeadline(time.Now().Add(300 * time.Millisecond))
		fmt.Fprintln(c, "hello")
		if line, err := c.lines.ReadString('\n'); err == nil {
			t.Errorf("a connection %s goes on over an address that moved: %s", name, line)
		}
	}
	r.hears(upstream, floatingA, upstream+" asks "+stationB)
	r.hears(stationB, upstream, floatingA+" asks "+upstream)
	r.hears(stationA, upstream, gateway+" asks "+upstream)
	router.Floatings = append(router.Floatings, &enginepb.Floating{Address: floatingB, Fixed: stationA})
	r.applyHost(router)
	r.hears(upstream, floatingB, upstream+" asks "+stationA)
	outward.wants(t, gateway+" asks "+upstream)
	r.applyHost(r.router)
	r.silent(upstream, floatingB)
	r.everyWay(t)
}

// extraRoutes has station B lead to a network behind it.
func (r *routed) extraRoutes(t *testing.T) {
	behind := r.spaces[stationB]
	run(t, "ip", "-n", behind, "addr", "add", serviceAddr+"/32", "dev", "lo")
	echo(t, behind, serviceAddr)
	router := proto.CloneOf(r.router)
	router.Routes = []*enginepb.Route{{Destination: "192.0.2.0/24", NextHop: stationB}}
	r.applyHost(router)
	r.hears(neighbour, serviceAddr, neighbour+" asks "+serviceAddr)
	// The route is there again when its link comes back.
	run(t, "ip", "-n", r.netns(), "link", "del", linux.Port{ID: r.inner.Id, Link: "qr-"}.LinkName())
	eventually(t, "the route to come back", func() bool {
		return strings.Contains(run(t, "ip", "-n", r.netns(), "route"), "192.0.2.0/24 via "+stationB)
	})
	r.hears(neighbour, serviceAddr, neighbour+" asks "+serviceAddr)
	router.Routes[0].NextHop = "172.16.0.1"
	reply, err := r.client.ApplyHost(t.Context(), &enginepb.HostPlan{Routers: []*enginepb.Router{router}})
	if err != nil || len(reply.Failures) != 1 || reply.Failures[0].ObjectId != router.Id || !strings.Contains(reply.Failures[0].Reason, "192.0.2.0/24 by 172.16.0.1") {
		t.Errorf("ApplyHost with a route to nowhere = %v, %v", reply, err)
	}
	r.applyHost(r.router)
	r.everyWay(t)
}

// unknownGateway has a link to the outside that is plugged before the plan says so: no address of the inside is seen there.
func (r *routed) unknownGateway(t *testing.T) {
	run(t, "ip", "-n", r.spaces[upstream], "route", "add", "10.0.0.0/16", "via", gateway)
	defer run(t, "ip", "-n", r.spaces[upstream], "route", "del", "10.0.0.0/16")
	router := proto.CloneOf(r.router)
	router.ExternalPortId, router.Snat4, router.Floatings = "", "", nil
	r.applyHost(router)
	r.silent(stationB, upstream)
	r.hears(stationA, neighbour, stationA+" asks "+neighbour)
	r.applyHost(r.router)
	r.everyWay(t)
}

func (r *routed) untranslated(t *testing.T) {
	run(t, "ip", "-n", r.spaces[upstream], "route", "add", "10.0.0.0/16", "via", gateway)
	defer run(t, "ip", "-n", r.spaces[upstream], "route", "del", "10.0.0.0/16")
	router := proto.CloneOf(r.router)
	router.Snat4 = ""
	r.applyHost(router)
	r.hears(stationB, upstream, stationB+" asks "+upstream)
	r.hears(upstream, stationB, upstream+" asks "+stationB)
	r.hears(stationA, upstream, floatingA+" asks "+upstream)
	r.hears(upstream, floatingA, upstream+" asks "+stationA)
	r.hears(stationB, floatingA, "10.0.0.1 asks "+stationA)
	r.applyHost(r.router)
	r.hears(stationB, upstream, gateway+" asks "+upstream)
}

func (r *routed) restarts(t *testing.T) {
	outward := r.hears(stationB, upstream, gateway+" asks "+upstream)
	floating := r.hears(upstream, floatingA, upstream+" asks "+stationA)
	r.stop()
	outward.wants(t, gateway+" asks "+upstream)
	r.start()
	r.applyHost(r.router)
	outward.wants(t, gateway+" asks "+upstream)
	floating.wants(t, upstream+" asks "+stationA)
	r.everyWay(t)
}

// reboots deletes the router's namespace while no engine runs; nobody tells the next one anything.
func (r *routed) reboots(t *testing.T) {
	ports := r.plugged()
	r.stop()
	run(t, "ip", "netns", "del", r.netns())
	r.start()
	eventually(t, "the router's ports", func() bool { return maps.Equal(r.plugged(), ports) })
	eventually(t, "the router to come back", func() bool {
		c, err := r.dial(upstream, floatingA)
		if err != nil {
			return false
		}
		_, err = c.say()
		return err == nil
	})
	r.everyWay(t)
}

// goesDown takes the router out of the plan: its links stay, for ports are the network service's to unplug.
func (r *routed) goesDown(t *testing.T) {
	r.applyHost()
	r.silent(stationA, neighbour)
	r.silent(stationB, upstream)
	if out := run(t, "ip", "netns", "exec", r.netns(), "nft", "list", "ruleset"); out != "" {
		t.Errorf("the table stayed:\n%s", out)
	}
	r.applyHost(r.router)
	r.everyWay(t)
	for port, netns := range r.plugged() {
		if netns == r.netns() {
			r.unplug(port)
		}
	}
	if !linux.HasNamespace(r.netns()) {
		t.Error("the namespace of a router without ports went")
	}
	r.applyHost()
	if linux.HasNamespace(r.netns()) {
		t.Error("the namespace of a router that is gone stayed")
	}
}

// TestRoutersStayApart has two routers with the same addresses, and a third one's namespace that somebody else made.
func TestRoutersStayApart(t *testing.T) {
	w := newWorld(t)
	a := newRouted(t, w)
	b := newRouted(t, w)
	w.applyHost(a.router, b.router)
	a.everyWay(t)
	b.everyWay(t)
	echoOnlyIn := func(r, other *routed) {
		run(t, "ip", "-n", r.spaces[neighbour], "addr", "add", "10.0.1.77/32", "dev", "lo")
		run(t, "ip", "-n", r.netns(), "route", "add", "10.0.1.77/32", "via", neighbour)
		echo(t, r.spaces[neighbour], "10.0.1.77")
		r.hears(stationA, "10.0.1.77", stationA+" asks 10.0.1.77")
		other.silent(stationA, "10.0.1.77")
	}
	echoOnlyIn(a, b)

	foreign := &enginepb.Router{Id: uuid.NewString()}
	name := "qrouter-" + foreign.Id
	run(t, "ip", "netns", "add", name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	reply, err := w.client.ApplyHost(t.Context(), &enginepb.HostPlan{Routers: []*enginepb.Router{a.router, b.router, foreign}})
	if err != nil || len(reply.Failures) != 1 || !strings.Contains(reply.Failures[0].Reason, linux.ErrForeign.Error()) {
		t.Errorf("ApplyHost into another's namespace = %v, %v", reply, err)
	}
	if _, err := w.client.Plug(t.Context(), &enginepb.PlugRequest{Port: portIn(a.one, "qr-", "10.0.0.9/24"), Netns: name}); err == nil {
		t.Error("a router's port was plugged into another's namespace")
	}
	w.applyHost(a.router)
	if !linux.HasNamespace(name) {
		t.Error("another's namespace went")
	}
	a.everyWay(t)
	b.silent(stationA, neighbour)
}

// TestFloatingAddressMovesToAnotherRouter has who talked to an address follow it to another MAC address, too.
func TestFloatingAddressMovesToAnotherRouter(t *testing.T) {
	w := newWorld(t)
	a := newRouted(t, w)
	b := &routed{world: w, outside: a.outside, one: uuid.NewString(), spaces: map[string]string{}}
	b.external, b.inner = portIn(a.outside, "qg-", "203.0.113.8/24"), portIn(b.one, "qr-", "10.0.0.1/24")
	b.external.Routes = byWay(upstream)
	b.router = &enginepb.Router{Id: uuid.NewString(), InternalPortIds: []string{b.inner.Id}, ExternalPortId: b.external.Id, Snat4: "203.0.113.8"}
	w.applyHost(a.router, b.router)
	w.plugAt(b.netns(), b.external)
	w.plugAt(b.netns(), b.inner)
	b.station(b.one, "10.0.0.9", "10.0.0.1")
	was := a.hears(upstream, floatingA, upstream+" asks "+stationA)

	left, gained := proto.CloneOf(a.external), proto.CloneOf(b.external)
	left.Addresses = []string{gateway + "/24", floatingB + "/32"}
	gained.Addresses = append(gained.Addresses, floatingA+"/32")
	from, to := proto.CloneOf(a.router), proto.CloneOf(b.router)
	from.Floatings, to.Floatings = nil, []*enginepb.Floating{{Address: floatingA, Fixed: "10.0.0.9"}}
	w.plugAt(a.netns(), left)
	w.plugAt(b.netns(), gained)
	w.applyHost(from, to)
	a.hears(upstream, floatingA, upstream+" asks 10.0.0.9")
	b.spaces[upstream] = a.spaces[upstream]
	b.hears("10.0.0.9", upstream, floatingA+" asks "+upstream)
	a.hears(stationA, upstream, gateway+" asks "+upstream)
	_ = was.SetDeadline(time.Now().Add(300 * time.Millisecond))
	fmt.Fprintln(was, "hello")
	if line, err := was.lines.ReadString('\n'); err == nil {
		t.Errorf("the connection goes on: %s", line)
	}
}

// TestRoutersInAnyOrder plugs and unplugs while plans come and go; in the end all is as was asked for last.
func TestRoutersInAnyOrder(t *testing.T) {
	w := newWorld(t)
	before := listing(t, w)
	var routers []*enginepb.Router
	ports := map[string]*enginepb.Port{}
	for range 3 {
		p := portIn(uuid.NewString(), "qr-", "10.0.0.1/24")
		r := &enginepb.Router{Id: uuid.NewString(), InternalPortIds: []string{p.Id}}
		routers, ports[r.Id] = append(routers, r), p
	}
	var group sync.WaitGroup
	for _, r := range routers {
		group.Go(func() {
			for range 8 {
				_, _ = w.client.Plug(t.Context(), &enginepb.PlugRequest{Port: ports[r.Id], Netns: "qrouter-" + r.Id})
				_, _ = w.client.Unplug(t.Context(), &enginepb.UnplugRequest{PortId: ports[r.Id].Id})
			}
		})
	}
	group.Go(func() {
		for i := range 16 {
			if _, err := w.client.ApplyHost(t.Context(), &enginepb.HostPlan{Routers: routers[:i%4]}); err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()
	w.applyHost(routers...)
	for _, r := range routers {
		w.plugAt("qrouter-"+r.Id, ports[r.Id])
		out := run(t, "ip", "netns", "exec", "qrouter-"+r.Id, "sysctl", "-n", "net.ipv4.ip_forward") + run(t, "ip", "netns", "exec", "qrouter-"+r.Id, "nft", "list", "ruleset")
		if !strings.HasPrefix(out, "1\n") || !strings.Contains(out, "chain through") {
			t.Errorf("router %s:\n%s", r.Id, out)
		}
		w.unplug(ports[r.Id].Id)
	}
	w.applyHost()
	if diff := cmp.Diff(before, listing(t, w)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

func TestBadRouters(t *testing.T) {
	w := newWorld(t)
	id := uuid.NewString
	for name, r := range map[string]*enginepb.Router{
		"bad: SNAT":             {ExternalPortId: id(), Snat4: "2001:db8::1"},
		"bad: SNAT, no gateway": {Snat4: gateway},
		"bad: floating":         {ExternalPortId: id(), Floatings: []*enginepb.Floating{{Address: "x", Fixed: stationA}}},
		"bad: fixed":            {ExternalPortId: id(), Floatings: []*enginepb.Floating{{Address: floatingA, Fixed: "0.0.0.0"}}},
		"bad: floating twice": {ExternalPortId: id(), Floatings: []*enginepb.Floating{
			{Address: floatingA, Fixed: stationA}, {Address: floatingA, Fixed: stationB}}},
		"bad: route":      {Routes: []*enginepb.Route{{Destination: "x", NextHop: stationA}}},
		"bad: next hop":   {Routes: []*enginepb.Route{{Destination: "10.0.0.0/8"}}},
		"bad: hop's kind": {Routes: []*enginepb.Route{{Destination: "10.0.0.0/8", NextHop: "2001:db8::1"}}},
	} {
		r.Id = id()
		good := &enginepb.Router{Id: id()}
		reply, err := w.client.ApplyHost(t.Context(), &enginepb.HostPlan{Routers: []*enginepb.Router{r, good}})
		if err != nil || len(reply.Failures) != 1 || reply.Failures[0].ObjectId != r.Id {
			t.Errorf("%s: ApplyHost = %v, %v", name, reply, err)
		}
		if linux.HasNamespace("qrouter-" + r.Id) {
			t.Errorf("%s: a namespace was made", name)
		}
		if !linux.HasNamespace("qrouter-" + good.Id) {
			t.Errorf("%s: the good router is not there", name)
		}
	}
	silent := &enginepb.Router{Id: id(), Advertisements: []*enginepb.Advertisement{{PortId: id(), Mode: "slaac", Prefixes: []string{"10.0.0.0/24"}}}}
	reply, err := w.client.ApplyHost(t.Context(), &enginepb.HostPlan{Routers: []*enginepb.Router{silent}})
	if err != nil || len(reply.Failures) != 1 || !linux.HasNamespace("qrouter-"+silent.Id) {
		t.Errorf("a router that cannot advertise: ApplyHost = %v, %v", reply, err)
	}
	w.applyHost()
}

func TestPlugChangesInOthersNamespace(t *testing.T) {
	w := newWorld(t)
	name := "plmtest-" + uuid.NewString()
	p := w.plugInto(name)
	tap := linux.TapName(p.Id)
	run(t, "ip", "-n", name, "addr", "add", "10.77.0.200/24", "dev", tap)
	run(t, "ip", "-n", name, "route", "add", "192.0.2.0/24", "via", "10.77.0.200")
	was := p.Addresses[0]
	p.Addresses, p.Mtu = []string{"10.77.0.99/24"}, 1400
	w.plugAt(name, p)
	out := run(t, "ip", "-n", name, "addr") + run(t, "ip", "-n", name, "route")
	for want, there := range map[string]bool{was: false, "10.77.0.99/24": true, "10.77.0.200/24": true, "mtu 1400": true, "192.0.2.0/24": true} {
		if strings.Contains(out, want) != there {
			t.Errorf("%s: there is %v in:\n%s", want, !there, out)
		}
	}
	// What was the port's once may be its user's later.
	run(t, "ip", "-n", name, "addr", "add", was, "dev", tap)
	w.plugAt(name, p)
	if out := run(t, "ip", "-n", name, "addr"); !strings.Contains(out, was) {
		t.Errorf("an address of the user's went:\n%s", out)
	}
}

// TestFormerAddresses has an engine die between the record and the link.
func TestFormerAddresses(t *testing.T) {
	w := newWorld(t)
	name := "plmtest-" + uuid.NewString()
	p := w.plugInto(name)
	w.stop()
	was := p.Addresses[0]
	p.Addresses = []string{"10.77.0.99/24"}
	e, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.prepare(); err != nil {
		t.Fatal(err)
	}
	record := plug{&enginepb.PlugRequest{Port: p, Netns: name}, []string{was}}
	if err := e.writePlug(record); err != nil {
		t.Fatal(err)
	}
	read, err := e.storedPlug(p.Id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{was}, read.former); diff != "" || !proto.Equal(read.PlugRequest, record.PlugRequest) {
		t.Fatalf("the record: %v, %s", read, diff)
	}
	w.start()
	eventually(t, "the former address to go", func() bool {
		out := run(t, "ip", "-n", name, "addr")
		return strings.Contains(out, "10.77.0.99/24") && !strings.Contains(out, was)
	})
	eventually(t, "the record to forget it", func() bool {
		text, err := os.ReadFile(w.dir + "/plugs/" + p.Id + ".json")
		return err == nil && !strings.Contains(string(text), was)
	})
}
