package engine

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/testing/protocmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
)

func plainSpec() *enginepb.Spec {
	return &enginepb.Spec{
		LoadBalancerId: uuid.NewString(),
		Sections:       []*enginepb.Section{{Name: "global", Lines: []string{"user haproxy"}}, {Name: "backend b", Lines: []string{"mode http"}}},
		Servers:        []*enginepb.Server{{Backend: "b", Name: "s", Address: "10.0.0.1", Port: 80}},
	}
}

func TestCheckSpec(t *testing.T) {
	bad := map[string]func(*enginepb.Spec){
		"bad: id":                   func(s *enginepb.Spec) { s.LoadBalancerId = "../x" },
		"bad: id in another form":   func(s *enginepb.Spec) { s.LoadBalancerId = strings.ToUpper(s.LoadBalancerId) + "A" },
		"bad: section program":      func(s *enginepb.Spec) { s.Sections[0].Name = "program x" },
		"bad: two lines":            func(s *enginepb.Spec) { s.Sections[1].Lines[0] = "mode http\n server x 1.2.3.4:5" },
		"bad: two lines in a name":  func(s *enginepb.Spec) { s.Sections[1].Name = "backend b\nprogram x" },
		"bad: lua":                  func(s *enginepb.Spec) { s.Sections[0].Lines[0] = "lua-load /tmp/x.lua" },
		"bad: programs as checks":   func(s *enginepb.Spec) { s.Sections[0].Lines[0] = "  insecure-fork-wanted" },
		"bad: root":                 func(s *enginepb.Spec) { s.Sections[0].Lines[0] = `user "root"` },
		"bad: server option":        func(s *enginepb.Spec) { s.Servers[0].Options = []string{"check\nx"} },
		"bad: server name":          func(s *enginepb.Spec) { s.Servers[0].Name = "a b" },
		"bad: server without":       func(s *enginepb.Spec) { s.Servers[0].Backend = "" },
		"bad: command in a name":    func(s *enginepb.Spec) { s.Servers[0].Name = "a;shutdown" },
		"bad: port":                 func(s *enginepb.Spec) { s.Ports = []*enginepb.Port{{Id: "x"}} },
		"bad: nothing of a section": func(s *enginepb.Spec) { s.Sections[0] = &enginepb.Section{} },
	}
	for name, spoil := range bad {
		s := plainSpec()
		spoil(s)
		if _, err := checkSpec(s); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := checkSpec(nil); err == nil {
		t.Error("bad: no spec: accepted")
	}
	if _, err := checkSpec(plainSpec()); err != nil {
		t.Errorf("a plain spec: %v", err)
	}
}

// FuzzCheckSpec shows that whatever is accepted stays within its line of the file.
func FuzzCheckSpec(f *testing.F) {
	f.Add("global", "user haproxy", "b", "s", "10.0.0.1", "check", "web 1")
	f.Add("backend b", "mode http\nuser root", "b", "s\n", "::1", "\x00", "\r")
	f.Fuzz(func(t *testing.T, name, line, backend, server, address, option, comment string) {
		s := &enginepb.Spec{
			LoadBalancerId: "8d1b3b0e-3f4d-4ed4-8f2c-0f6b8a5f4a51",
			Sections:       []*enginepb.Section{{Name: name, Lines: []string{line}}},
			Servers:        []*enginepb.Server{{Backend: backend, Name: server, Address: address, Options: []string{option}, Comment: comment}},
		}
		if _, err := checkSpec(s); err != nil {
			return
		}
		text, _ := haproxy.File(s)
		want := 4 // the comment, an empty line, the section and its line
		if name == "backend "+backend {
			want++
		}
		if got := strings.Count(string(text), "\n"); got != want || strings.ContainsAny(string(text), "\r\x00") {
			t.Errorf("%d lines, want %d:\n%q", got, want, text)
		}
	})
}

func TestOlder(t *testing.T) {
	for _, c := range []struct {
		epoch, generation, thanEpoch, thanGeneration int64
		want                                         bool
	}{{1, 1, 1, 1, false}, {1, 1, 1, 2, true}, {1, 2, 1, 1, false}, {1, 9, 2, 1, true}, {2, 1, 1, 9, false}} {
		if got := older(c.epoch, c.generation, c.thanEpoch, c.thanGeneration); got != c.want {
			t.Errorf("older(%v) = %v", c, got)
		}
	}
}

func TestRecord(t *testing.T) {
	dir := t.TempDir()
	if got, err := readRecord(dir); err != nil || got.Spec != nil {
		t.Errorf("readRecord of nothing = %v, %v", got, err)
	}
	want := record{Epoch: 1, Generation: 2, Hash: "h", Process: processID{3, 4}, Spec: plainSpec()}
	if err := want.write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := readRecord(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("readRecord (-want +got):\n%s", diff)
	}
	if err := replace(filepath.Join(dir, recordFile), []byte("{")); err != nil {
		t.Fatal(err)
	}
	if got, err := readRecord(dir); err == nil || got.Process != (processID{}) {
		t.Errorf("readRecord of rubbish = %v, %v", got, err)
	}
}

func TestTombstones(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.json")
	a := &tombstones{path: path}
	for _, o := range []order{{1, 5}, {1, 4}, {2, 1}, {1, 9}} {
		if err := a.add("x", o); err != nil {
			t.Fatal(err)
		}
	}
	b := &tombstones{path: path}
	if err := b.load(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(order{2, 1}, b.of("x")); diff != "" {
		t.Errorf("tombstone (-want +got):\n%s", diff)
	}
	b.all["old"] = tombstone{order{1, 1}, time.Now().Add(-2 * tombstoneAge)}
	for i := range maxTombstones + 5 {
		b.all[uuid.NewString()] = tombstone{order{1, 1}, time.Now().Add(time.Duration(i))}
	}
	b.bound()
	if _, there := b.all["old"]; there {
		t.Error("a tombstone outlived its time")
	}
}

func TestCounters(t *testing.T) {
	var c counters
	first, second := &process{processID: processID{1, 1}}, &process{processID: processID{2, 2}}
	see := func(p *process, in int64) {
		c.see(p.processID, []*enginepb.Frontend{{Name: "f", BytesIn: in}})
	}
	see(first, 10)
	see(second, 5) // while the first drains
	see(first, 12)
	if got := c.sum("f").In; got != 17 {
		t.Errorf("sum = %d, want 17", got)
	}
	c.settle([]*process{second})
	see(second, 6)
	if got := c.sum("f").In; got != 18 {
		t.Errorf("sum = %d, want 18", got)
	}
	dir := t.TempDir()
	if err := c.write(dir); err != nil {
		t.Fatal(err)
	}
	stored := readCounters(dir)
	if diff := cmp.Diff(c, stored); diff != "" {
		t.Errorf("readCounters (-want +got):\n%s", diff)
	}
	stored.settle(nil)
	stored.trim(&enginepb.Spec{})
	if got := stored.sum("f").In; got != 0 {
		t.Errorf("sum of a listener that is gone = %d", got)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "",
		"\ta\n\tb\x00c.\n":             "a b c",
		"x" + strings.Repeat("é", 400): "x" + strings.Repeat("é", 249) + "…",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}
