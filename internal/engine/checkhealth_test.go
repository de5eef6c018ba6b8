package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
)

// TestVerdict follows a member through results: + is a success, - a failure. What is seen is written as U and D.
func TestVerdict(t *testing.T) {
	for _, test := range []struct {
		rise, fall    int32
		results, want string
	}{
		{1, 1, "-+-+", "DUDU"},
		{2, 3, "-", "D"}, // never asked before: the first failure is enough, as for HAProxy
		{2, 3, "+--", "UUU"},
		{2, 3, "+---", "UUUD"},
		{2, 3, "+--+--+---", "UUUUUUUUUD"},
		{2, 3, "-+", "DD"},
		{2, 3, "-++", "DDU"},
		{2, 3, "-+-+-++", "DDDDDDU"},
		{2, 3, "-++--+---", "DDUUUUUUD"},
		{10, 10, "-" + strings.Repeat("+", 10) + strings.Repeat("-", 10), strings.Repeat("D", 10) + "U" + strings.Repeat("U", 9) + "D"},
	} {
		v, got := unknown(test.fall), ""
		for _, r := range test.results {
			v = v.after(r == '+', test.rise, test.fall)
			got += map[bool]string{true: "D", false: "U"}[v.Down]
		}
		if got != test.want {
			t.Errorf("rise %d, fall %d, %s: %s, want %s", test.rise, test.fall, test.results, got, test.want)
		}
	}
}

// TestHealthIsStored shows what of the verdicts outlives an engine, and that nothing is written without need.
func TestHealthIsStored(t *testing.T) {
	dir := t.TempDir()
	var h health
	if err := h.write(dir); err != nil || readHealth(dir) != nil {
		t.Errorf("a file is written though nothing is known: %v", err)
	}
	turned, first := h.result("a", false, 1, 2)
	again, second := h.result("b", false, 1, 2)
	h.result("c", true, 1, 2)
	if !turned || !first || !again || second {
		t.Errorf("a turned %v, the first %v; b %v, %v", turned, first, again, second)
	}
	h.told()
	if turned, first := h.result("b", true, 1, 2); !turned || !first {
		t.Errorf("after it was told: turned %v, the first %v", turned, first)
	}
	if err := h.write(dir); err != nil {
		t.Fatal(err)
	}
	want := map[string]verdict{"a": {Down: true}, "b": {}, "c": {}}
	if diff := cmp.Diff(want, readHealth(dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	h.keep(map[string]bool{"a": true, "b": true})
	h.forget("b")
	if diff := cmp.Diff(map[string]bool{"a": true}, h.down()); diff != "" || len(h.members) != 1 {
		t.Errorf("(-want +got):\n%s%v", diff, h.members)
	}
}

// TestReport has every status of HAProxy meet what the checks found.
func TestReport(t *testing.T) {
	spec := &enginepb.Spec{Checks: []*enginepb.Check{{PoolId: "p", Probes: []*enginepb.Probe{{MemberId: "up"}, {MemberId: "down"}, {MemberId: "own"}}}},
		Datagrams: []*enginepb.Datagram{{ListenerId: "u", PoolId: "p", Targets: []*enginepb.Target{{MemberId: "up"}, {MemberId: "down"}}}}}
	for _, name := range []string{"up", "down", "other"} {
		spec.Servers = append(spec.Servers, &enginepb.Server{Backend: "p:l", Name: name}, &enginepb.Server{Backend: "q:l", Name: name})
	}
	spec.Servers = append(spec.Servers, &enginepb.Server{Backend: "p:l", Name: "own", Checked: true})
	b := &balancer{record: record{Spec: spec}, health: &health{members: map[string]verdict{"up": {}, "down": {Down: true}, "own": {Down: true}}}}
	for _, test := range []struct {
		server, status, want string
		differs              bool
	}{
		{"p:l/up", "no check", "UP", false},
		{"p:l/up", "DOWN", "UP", true},
		{"p:l/up", "DRAIN", "DRAIN", false},
		{"p:l/up", "MAINT", "MAINT", false},
		{"p:l/down", "no check", "DOWN", true},
		{"p:l/down", "DOWN", "DOWN", false},
		{"p:l/down", "DRAIN", "DOWN", true},
		{"p:l/down", "MAINT", "MAINT", false},
		{"p:l/other", "no check", "no check", false},
		{"q:l/down", "no check", "no check", false},
		{"p:l/own", "UP 1/3", "UP 1/3", false},
		{"p:u/up", "UP", "UP", false},
		{"p:u/down", "DOWN", "DOWN", false},
	} {
		backend, name, _ := strings.Cut(test.server, "/")
		s := &enginepb.ServerState{Backend: backend, Name: name, Status: test.status}
		if differs := b.report([]*enginepb.ServerState{s}); s.Status != test.want || differs != test.differs {
			t.Errorf("%s %s: %s, differs %v; want %s, %v", test.server, test.status, s.Status, differs, test.want, test.differs)
		}
	}
	if diff := cmp.Diff(6, len(haproxy.Unchecked(spec))); diff != "" {
		t.Error(diff)
	}
}

func TestCheckChecks(t *testing.T) {
	good := func() *enginepb.Check {
		return &enginepb.Check{MonitorId: "m", PoolId: "p", Type: "HTTP", DelaySeconds: 1, TimeoutSeconds: 1, Rise: 1, Fall: 1, HttpMethod: "GET",
			HttpPath: "/", HttpHost: "a.b", HttpVersion: "1.1", ExpectedCodes: "200, 204", Probes: []*enginepb.Probe{{MemberId: "a", Address: "10.0.0.1", Port: 80}}}
	}
	for name, spoil := range map[string]func(c *enginepb.Check){
		"no pool":                func(c *enginepb.Check) { c.PoolId = "" },
		"a monitor with a blank": func(c *enginepb.Check) { c.MonitorId = "a b" },
		"an unknown type":        func(c *enginepb.Check) { c.Type = "GRPC" },
		"no delay":               func(c *enginepb.Check) { c.DelaySeconds = 0 },
		"a timeout below 0":      func(c *enginepb.Check) { c.TimeoutSeconds = -1 },
		"no rise":                func(c *enginepb.Check) { c.Rise = 0 },
		"no fall":                func(c *enginepb.Check) { c.Fall = 0 },
		"no method":              func(c *enginepb.Check) { c.HttpMethod = "" },
		"a method with a blank":  func(c *enginepb.Check) { c.HttpMethod = "GET /x" },
		"a path with a line":     func(c *enginepb.Check) { c.HttpPath = "/\r\nX: y" },
		"a host with a line":     func(c *enginepb.Check) { c.HttpHost = "a\n" },
		"an unknown version":     func(c *enginepb.Check) { c.HttpVersion = "2" },
		"no codes":               func(c *enginepb.Check) { c.ExpectedCodes = "" },
		"codes that are words":   func(c *enginepb.Check) { c.ExpectedCodes = "ok" },
		"a range that runs back": func(c *enginepb.Check) { c.ExpectedCodes = "204-200" },
		"a member twice":         func(c *enginepb.Check) { c.Probes = append(c.Probes, c.Probes...) },
		"no member":              func(c *enginepb.Check) { c.Probes[0].MemberId = "" },
		"a name for an address":  func(c *enginepb.Check) { c.Probes[0].Address = "localhost" },
		"an address with a zone": func(c *enginepb.Check) { c.Probes[0].Address = "fe80::1%eth0" },
		"no port":                func(c *enginepb.Check) { c.Probes[0].Port = 0 },
		"a port beyond":          func(c *enginepb.Check) { c.Probes[0].Port = 65536 },
	} {
		c := good()
		spoil(c)
		if err := checkChecks([]*enginepb.Check{c}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := checkChecks([]*enginepb.Check{good(), good()}); err == nil {
		t.Error("two checks of one pool are taken")
	}
	many := good()
	for i := range mostProbes {
		many.Probes = append(many.Probes, &enginepb.Probe{MemberId: fmt.Sprint(i), Address: "::1", Port: 1})
	}
	if err := checkChecks([]*enginepb.Check{many}); err == nil {
		t.Error("more members than can be are taken")
	}
	if err := checkChecks([]*enginepb.Check{good()}); err != nil {
		t.Error(err)
	}
}

func TestExpectedCodes(t *testing.T) {
	for _, test := range []struct {
		text     string
		in, out  []int
		accepted bool
	}{
		{"", nil, nil, false}, {"20x", nil, nil, false}, {"200-", nil, nil, false}, {"200,,201", nil, nil, false}, {"4000", nil, nil, false},
		{"200", []int{200}, []int{199, 201}, true},
		{"200, 202,204", []int{200, 202, 204}, []int{201, 203}, true},
		{"200-204", []int{200, 202, 204}, []int{199, 205}, true},
	} {
		got, err := parseCodes(test.text)
		if (err == nil) != test.accepted {
			t.Errorf("%q: %v", test.text, err)
		}
		for _, code := range test.in {
			if !got.contain(code) {
				t.Errorf("%q does not have %d", test.text, code)
			}
		}
		for _, code := range test.out {
			if got.contain(code) {
				t.Errorf("%q has %d", test.text, code)
			}
		}
	}
}
