package linux

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

var updateRouters = flag.Bool("update-routers", false, "write the golden files of routers anew")

// testRouters are routers of all kinds, by name.
func testRouters() map[string]Router {
	address := netip.MustParseAddr
	floating := map[netip.Addr]netip.Addr{
		address("203.0.113.21"): address("10.0.0.6"), address("203.0.113.20"): address("10.0.0.5"), address("203.0.113.22"): address("10.0.0.5"),
	}
	return map[string]Router{
		"closed":       {Internal: []string{"qr-1"}},
		"advertising":  {Internal: []string{"qr-1"}, Advertises: true},
		"translating":  {External: "qg-1", SNAT: address("203.0.113.7"), Floating: floating},
		"untranslated": {External: "qg-1", Floating: floating},
	}
}

func TestRouterTable(t *testing.T) {
	for name, r := range testRouters() {
		t.Run(name, func(t *testing.T) {
			path, got := filepath.Join("testdata", "router", name+".golden"), r.table()
			if *updateRouters {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRouterSameAsNft has nft(8) make a router's table from its text and the library make it from the same rules: the kernel then lists
// the same.
func TestRouterSameAsNft(t *testing.T) {
	h := testHost(t)
	for name, r := range testRouters() {
		t.Run(name, func(t *testing.T) {
			ours, theirs := ensureNamespace(t, h), ensureNamespace(t, h)
			ensureRouter(t, h, ours, r, 0)
			cmd := exec.Command("ip", "netns", "exec", theirs, "nft", "-f", "-")
			cmd.Stdin = strings.NewReader(r.table())
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("nft: %v\n%s", err, out)
			}
			if diff := cmp.Diff(bytecode(t, theirs), bytecode(t, ours)); diff != "" {
				t.Errorf("rules (-nft +library):\n%s", diff)
			}
			if diff := cmp.Diff(inside(t, theirs, "nft", "list", "ruleset"), inside(t, ours, "nft", "list", "ruleset")); diff != "" {
				t.Errorf("ruleset (-nft +library):\n%s", diff)
			}
		})
	}
}

func ensureRouter(t *testing.T, h *Host, namespace string, r Router, known uint32) uint32 {
	t.Helper()
	generation, err := h.EnsureRouter(namespace, r, known)
	if err != nil {
		t.Fatalf("EnsureRouter: %v", err)
	}
	return generation
}

func TestRouterIsLeftAlone(t *testing.T) {
	h := testHost(t)
	ns, r := ensureNamespace(t, h), testRouters()["translating"]
	known := ensureRouter(t, h, ns, r, 0)
	if again := ensureRouter(t, h, ns, r, known); again != known {
		t.Errorf("an equal router changed the table: generation %d, was %d", again, known)
	}
	inside(t, ns, "nft", "delete", "table", "inet", "plimsoll")
	ensureRouter(t, h, ns, r, known)
	if out := inside(t, ns, "nft", "list", "ruleset"); !strings.Contains(out, "203.0.113.20 : 10.0.0.5") {
		t.Errorf("the table did not come back:\n%s", out)
	}
	if err := h.StopRouter(ns); err != nil {
		t.Fatal(err)
	}
	if out := inside(t, ns, "nft", "list", "ruleset"); out != "" {
		t.Errorf("left of the router:\n%s", out)
	}
	for _, setting := range []string{"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"} {
		if out := inside(t, ns, "sysctl", "-n", setting); strings.TrimSpace(out) != "0" {
			t.Errorf("%s = %s", setting, out)
		}
	}
}

func TestRouterInOthersNamespace(t *testing.T) {
	h := testHost(t)
	name := "qrouter-" + uuid.NewString()
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	if _, err := h.EnsureRouter(name, Router{}, 0); !errors.Is(err, ErrForeign) {
		t.Errorf("EnsureRouter = %v, want ErrForeign", err)
	}
	if err := h.StopRouter(name); err != nil {
		t.Error(err)
	}
	if out := inside(t, name, "sysctl", "-n", "net.ipv4.ip_forward"); strings.TrimSpace(out) == "1" {
		t.Error("the namespace of another forwards")
	}
}

// routerIn makes a namespace with a link of a router, and returns the port.
func routerIn(t *testing.T, h *Host, ns string) Port {
	t.Helper()
	p := testPort()
	p.Link, p.Routes = "qr-", []Route{{Destination: netip.MustParsePrefix("0.0.0.0/0"), NextHop: netip.MustParseAddr("10.9.0.1")}}
	ensurePort(t, h, ns, p, true)
	return p
}

// extraRoutesOf lists the extra routes of a namespace.
func extraRoutesOf(t *testing.T, ns string) string {
	t.Helper()
	var all []string
	for _, version := range []string{"-4", "-6"} {
		for line := range strings.Lines(inside(t, ns, "ip", version, "-o", "route", "show", "proto", "80")) {
			all = append(all, strings.Join(strings.Fields(strings.ReplaceAll(line, "\\", " ")), " "))
		}
	}
	return strings.Join(all, "\n")
}

func TestExtraRoutes(t *testing.T) {
	h := testHost(t)
	ns := ensureNamespace(t, h)
	p := routerIn(t, h, ns)
	prefix, hop := netip.MustParsePrefix, netip.MustParseAddr
	link := p.LinkName()
	for _, test := range []struct {
		name   string
		routes []Route
		want   []string
	}{
		{"one of each family", []Route{{prefix("192.0.2.0/24"), hop("10.9.0.7")}, {prefix("2001:db8:7::/48"), hop("fd00:9::7")}},
			[]string{"192.0.2.0/24 via 10.9.0.7 dev " + link, "2001:db8:7::/48 via fd00:9::7 dev " + link}},
		{"another next hop", []Route{{prefix("192.0.2.0/24"), hop("10.9.0.8")}}, []string{"192.0.2.0/24 via 10.9.0.8 dev " + link}},
		{"several next hops", []Route{{prefix("192.0.2.0/24"), hop("10.9.0.8")}, {prefix("192.0.2.0/24"), hop("10.9.0.7")}},
			[]string{"192.0.2.0/24", "via 10.9.0.7", "via 10.9.0.8"}},
		{"several of IPv6", []Route{{prefix("2001:db8:7::/48"), hop("fd00:9::7")}, {prefix("2001:db8:7::/48"), hop("fd00:9::8")}},
			[]string{"2001:db8:7::/48", "via fd00:9::7", "via fd00:9::8"}},
		{"everything", []Route{{prefix("0.0.0.0/0"), hop("10.9.0.7")}, {prefix("::/0"), hop("fd00:9::7")}},
			[]string{"0.0.0.0/1 via 10.9.0.7", "128.0.0.0/1 via 10.9.0.7", "::/1 via fd00:9::7", "8000::/1 via fd00:9::7"}},
		{"the router's own network", []Route{{prefix("10.9.0.0/24"), hop("10.9.0.7")}}, []string{"10.9.0.0/24 via 10.9.0.7"}},
		{"none", nil, nil},
	} {
		for range 2 {
			if _, err := h.EnsureRouter(ns, Router{Internal: []string{link}, Routes: test.routes}, 0); err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			got := extraRoutesOf(t, ns)
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("%s: no %q in:\n%s", test.name, want, got)
				}
			}
			if len(test.want) == 0 && got != "" {
				t.Errorf("%s: left:\n%s", test.name, got)
			}
		}
		if reason, err := h.CheckPort(ns, p); reason != "" || err != nil {
			t.Errorf("%s: the port is not what it was: %s %v", test.name, reason, err)
		}
	}
}

func TestExtraRouteToNowhere(t *testing.T) {
	h := testHost(t)
	ns := ensureNamespace(t, h)
	link := routerIn(t, h, ns).LinkName()
	good := Route{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParseAddr("10.9.0.7")}
	bad := Route{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParseAddr("10.8.0.7")}
	r := Router{Internal: []string{link}, Routes: []Route{bad, good}}
	if _, err := h.EnsureRouter(ns, r, 0); err == nil || !strings.Contains(err.Error(), "198.51.100.0/24 by 10.8.0.7") {
		t.Errorf("EnsureRouter = %v", err)
	}
	if got := extraRoutesOf(t, ns); !strings.Contains(got, "192.0.2.0/24") {
		t.Errorf("one bad route kept the other:\n%s", got)
	}
	r.Internal = append(r.Internal, "qr-later")
	if _, err := h.EnsureRouter(ns, r, 0); err != nil {
		t.Errorf("a link is not plugged yet: %v", err)
	}
}

func TestStale(t *testing.T) {
	r := testRouters()["translating"]
	const client, inner = "198.51.100.9", "10.0.0.9"
	for _, test := range []struct {
		name                     string
		from, to, answers, backs string
		want                     bool
	}{
		{"from outside", client, "203.0.113.20", "10.0.0.5", client, false},
		{"from outside, to where it was", client, "203.0.113.20", "10.0.0.4", client, true},
		{"to an address that is no more", client, "203.0.113.30", "10.0.0.5", client, true},
		{"older than the floating address", client, "203.0.113.20", "203.0.113.20", client, true},
		{"from inside by the gateway", inner, client, client, "203.0.113.7", false},
		{"from inside by the gateway's old address", inner, client, client, "203.0.113.8", true},
		{"from a fixed address", "10.0.0.6", client, client, "203.0.113.21", false},
		{"from a fixed address, before it was", "10.0.0.6", client, client, "203.0.113.7", false},
		{"from what was a fixed address", inner, client, client, "203.0.113.21", true},
		{"from inside to a floating address", inner, "203.0.113.20", "10.0.0.5", "203.0.113.7", false},
		{"from inside to a floating address, by a link's own", inner, "203.0.113.20", "10.0.0.5", "10.0.0.1", false},
		{"from a fixed address to a floating one", "10.0.0.6", "203.0.113.20", "10.0.0.5", "203.0.113.21", false},
		{"from what was a fixed address to a floating one", inner, "203.0.113.20", "10.0.0.5", "203.0.113.21", true},
		{"inside", inner, "10.0.1.9", "10.0.1.9", inner, false},
		{"of IPv6", "2001:db8::1", "2001:db8::2", "2001:db8::2", "2001:db8::1", false},
	} {
		a := netip.MustParseAddr
		if got := r.stale(translation{a(test.from), a(test.to), a(test.answers), a(test.backs)}); got != test.want {
			t.Errorf("%s: stale = %v", test.name, got)
		}
	}
	if r.stale(translation{}) {
		t.Error("a flow without addresses is stale")
	}
}

// TestRouterAnyToAny takes a namespace from any router to any other: it then is as if it were the first.
func TestRouterAnyToAny(t *testing.T) {
	h := testHost(t)
	ns, fresh := ensureNamespace(t, h), ensureNamespace(t, h)
	link := routerIn(t, h, ns).LinkName()
	rapid.Check(t, func(t *rapid.T) {
		r := randomRouter(t, link)
		if _, err := h.EnsureRouter(ns, r, 0); err != nil {
			t.Fatal(err)
		}
		list := func(ns string) string {
			out, err := exec.Command("ip", "netns", "exec", ns, "nft", "list", "ruleset").CombinedOutput()
			if err != nil {
				t.Fatal(err)
			}
			return string(out)
		}
		if _, err := h.EnsureRouter(fresh, Router{Internal: []string{"absent"}, External: r.External, SNAT: r.SNAT, Floating: r.Floating, Advertises: r.Advertises}, 0); err != nil {
			t.Fatal(err)
		}
		got := list(ns)
		if diff := cmp.Diff(list(fresh), got); diff != "" {
			t.Fatalf("ruleset (-fresh +got):\n%s", diff)
		}
		if err := h.StopRouter(fresh); err != nil {
			t.Fatal(err)
		}
		for address, fixed := range r.Floating {
			if r.External != "" && !strings.Contains(got, address.String()+" : "+fixed.String()) {
				t.Fatalf("no %s : %s in\n%s", address, fixed, got)
			}
		}
	})
}

func randomRouter(t *rapid.T, link string) Router {
	r := Router{Internal: []string{link}, Advertises: rapid.Bool().Draw(t, "advertises")}
	if !rapid.Bool().Draw(t, "gateway") {
		return r
	}
	r.External = rapid.SampledFrom([]string{"qg-1", "qg-2"}).Draw(t, "external")
	if rapid.Bool().Draw(t, "snat") {
		r.SNAT = netip.AddrFrom4([4]byte{203, 0, 113, rapid.Byte().Draw(t, "snat")})
	}
	r.Floating = map[netip.Addr]netip.Addr{}
	for range rapid.SampledFrom([]int{0, 1, 2, 5, elementsMost + 7}).Draw(t, "floatings") {
		n := uint16(len(r.Floating))
		r.Floating[netip.AddrFrom4([4]byte{198, 51, byte(n >> 8), byte(n)})] = netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), rapid.Byte().Draw(t, "fixed")})
	}
	return r
}

// FuzzTranslation reads what the kernel might say of a flow.
func FuzzTranslation(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{2, 0, 0, 0, 8, 0, 1, 0, 1, 2, 3, 4})
	f.Fuzz(func(_ *testing.T, b []byte) { _, _, _ = parseTranslation(b) })
}

// made is the flow that a router's table makes of a first packet: what the rules of routertable.go say, in other words.
func made(r Router, from, to netip.Addr) translation {
	inner := netip.MustParsePrefix("10.0.0.0/8")
	t := translation{from: from, to: to, answers: to, backs: from}
	if fixed, floating := r.Floating[to]; floating {
		t.answers = fixed
	}
	translated, leaves := t.answers != to, !inner.Contains(t.answers)
	if !translated && !leaves {
		return t
	}
	if address, ok := r.maps()[byFixed][from]; ok {
		t.backs = address
	} else if leaves && r.SNAT.IsValid() || translated && inner.Contains(from) && r.SNAT.IsValid() {
		t.backs = r.SNAT
	} else if translated && inner.Contains(from) {
		t.backs = netip.MustParseAddr("10.0.0.1")
	}
	return t
}

// TestOnlyOthersFlowsAreStale has the flows that a router makes of any packets: it never forgets its own, and always those that would
// reach another station than before.
func TestOnlyOthersFlowsAreStale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func() Router {
			r := Router{External: "qg-1", Floating: map[netip.Addr]netip.Addr{}}
			if rapid.Bool().Draw(t, "snat") {
				r.SNAT = netip.AddrFrom4([4]byte{203, 0, 113, byte(rapid.IntRange(7, 8).Draw(t, "gateway"))})
			}
			for _, n := range rapid.SliceOfDistinct(rapid.ByteRange(20, 23), rapid.ID).Draw(t, "floating") {
				r.Floating[netip.AddrFrom4([4]byte{203, 0, 113, n})] = netip.AddrFrom4([4]byte{10, 0, 0, rapid.ByteRange(5, 7).Draw(t, "fixed")})
			}
			return r
		}
		station := func(name string) netip.Addr {
			if rapid.Bool().Draw(t, name+" is inside") {
				return netip.AddrFrom4([4]byte{10, 0, 0, rapid.ByteRange(5, 9).Draw(t, name)})
			}
			return netip.AddrFrom4([4]byte{203, 0, 113, rapid.ByteRange(19, 24).Draw(t, name)})
		}
		was, is := draw(), draw()
		from, to := station("from"), station("to")
		if _, own := was.Floating[from]; own || from == was.SNAT {
			return // the router's own addresses ask nobody
		}
		before, after := made(was, from, to), made(is, from, to)
		if was.stale(before) {
			t.Fatalf("%+v forgets its own flow %+v", was, before)
		}
		if before == after && is.stale(before) {
			t.Fatalf("%+v forgets %+v, which it would make itself", is, before)
		}
		if before.answers != after.answers && !is.stale(before) {
			t.Fatalf("%+v keeps %+v, and would make %+v", is, before, after)
		}
	})
}
