package engine

import (
	"os"
	"path/filepath"
	"regexp"
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
		Sections: []*enginepb.Section{
			{Name: "global", Lines: []string{"user haproxy", "group haproxy"}},
			{Name: "backend b", Lines: []string{"mode http"}},
			{Name: "frontend f", Lines: []string{"mode http"}},
		},
		Servers: []*enginepb.Server{{Backend: "b", Name: "s", Address: "10.0.0.1", Port: 80}},
	}
}

func TestCheckSpec(t *testing.T) {
	bad := map[string]func(*enginepb.Spec){
		"bad: id":                      func(s *enginepb.Spec) { s.LoadBalancerId = "../x" },
		"bad: id in another form":      func(s *enginepb.Spec) { s.LoadBalancerId = strings.ToUpper(s.LoadBalancerId) + "A" },
		"bad: no section":              func(s *enginepb.Spec) { s.Sections = nil },
		"bad: HAProxy stays root":      func(s *enginepb.Spec) { s.Sections[0].Lines = []string{"group haproxy"} },
		"bad: in root's group":         func(s *enginepb.Spec) { s.Sections[0].Lines = []string{"user haproxy"} },
		"bad: section program":         func(s *enginepb.Spec) { s.Sections[0].Name = "program x" },
		"bad: section twice":           func(s *enginepb.Spec) { s.Sections[1] = s.Sections[0] },
		"bad: section without a name":  func(s *enginepb.Spec) { s.Sections[1].Name = "backend" },
		"bad: two words as a name":     func(s *enginepb.Spec) { s.Sections[1].Name = "backend b c" },
		"bad: two lines in a name":     func(s *enginepb.Spec) { s.Sections[1].Name = "backend b\nprogram x" },
		"bad: nothing of a section":    func(s *enginepb.Spec) { s.Sections[0] = &enginepb.Section{} },
		"bad: server option":           func(s *enginepb.Spec) { s.Servers[0].Options = []string{"check\nx"} },
		"bad: server in a namespace":   func(s *enginepb.Spec) { s.Servers[0].Options = []string{"namespace ../../proc/1/ns/net"} },
		"bad: server with a file":      func(s *enginepb.Spec) { s.Servers[0].Options = []string{"check", "ca-file /etc/shadow"} },
		"bad: server option cut short": func(s *enginepb.Spec) { s.Servers[0].Options = []string{"port"} },
		"bad: checked on a file":       func(s *enginepb.Spec) { s.Servers[0].Options = []string{"check addr unix@/run/docker.sock"} },
		"bad: checked in a namespace":  func(s *enginepb.Spec) { s.Servers[0].Options = []string{"check addr fe80::1%eth0"} },
		"bad: server on a file":        func(s *enginepb.Spec) { s.Servers[0].Address = "unix@/run/docker.sock" },
		"bad: server name":             func(s *enginepb.Spec) { s.Servers[0].Name = "a b" },
		"bad: server without":          func(s *enginepb.Spec) { s.Servers[0].Backend = "" },
		"bad: command in a name":       func(s *enginepb.Spec) { s.Servers[0].Name = "a;shutdown" },
		"bad: port":                    func(s *enginepb.Spec) { s.Ports = []*enginepb.Port{{Id: "x"}} },
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

// TestBadDirectives shows lines with which HAProxy, which reads them as root, would do more than it is there for.
func TestBadDirectives(t *testing.T) {
	for section, lines := range map[int][]string{
		0: {
			"lua-load /tmp/x.lua", "  insecure-fork-wanted", `"lua-load" /tmp/x.lua`, `lua\-load /tmp/x.lua`, "external-check",
			`user "root"`, "user root", "user\troot", `user "ro"ot`, `user ro\ot`, `user "$HOME"`, "user", "user haproxy root", "group root",
			"stats socket /etc/passwd mode 0600", "stats socket unix@haproxy_stats.sock mode 0666 level admin expose-fd listeners",
			"server-state-file /etc/shadow", "chroot /", "pidfile /etc/passwd", "setenv PATH /tmp", "master-worker", "ssl-engine x",
			"log /dev/log local0", ".include x", "backend b", "",
		},
		1: {
			"mode http\n server x 1.2.3.4:5", "global", "program x", "server x 1.2.3.4:5", "option external-check", "external-check command /bin/sh",
			"http-request return file /etc/shadow", "errorfile 503 /etc/shadow", "filter spoe config /etc/shadow", "log /dev/log local0",
			"http-check send meth GET uri / hdr Host %[str(x),map(/etc/shadow)]", `http-check send meth GET uri / hdr Host "%%%[src]"`,
			"http-check send-state", "http-check connect unix@/run/x", "http-check expect rstring /", "http-check send meth", "http-check send hdr Host",
			"default-server ca-file /etc/shadow", "default-server check namespace x", `default-server "check`, "source 10.0.0.1", "mode",
			"server exporter unix@/run/docker.sock maxconn 4", "server exporter abns@other maxconn 4", "server exporter abns@plimsoll-exporter",
			haproxy.ExporterServer + " check", haproxy.LogTarget,
		},
		2: {
			"bind unix@/etc/passwd", "bind fd@3", "bind 10.0.0.1:80 namespace x", "bind 10.0.0.1:443 ssl crt /etc/ssl/private", "bind *:80",
			"bind [fe80::1%eth0]:80", "acl allowed src -f /etc/shadow", "acl allowed path_beg /x", "acl allowed src 10.0.0.0/8 /etc/shadow",
			"http-request set-header X %[src,map(/etc/shadow)]", "http-request set-map(/etc/passwd) x y", "http-request lua.x",
			"tcp-request connection set-src src", "option forwardfor # x", "option 'forwardfor'", "capture request header x len 1",
			"log fd@4 len 4095 format raw local0 info", "log 127.0.0.1 local0", "log-format x", `log-format "%[src,map(/etc/shadow)]"`,
			"capture request header Authorization len 255", "http-request deny deny_status 200 if x",
		},
	} {
		for _, line := range lines {
			s := plainSpec()
			s.Sections[section].Lines = append(s.Sections[section].Lines, line)
			if _, err := checkSpec(s); err == nil {
				t.Errorf("bad: %s: %q: accepted", s.Sections[section].Name, line)
			}
		}
	}
}

// TestGoldenDirectives shows that the engine takes whatever package haproxy renders.
func TestGoldenDirectives(t *testing.T) {
	files, err := filepath.Glob("../haproxy/testdata/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden file: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkSections(parseSections(t, string(text)), namedIn(string(text))); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// namedIn are the files that a golden file names, of the kinds that their names tell.
func namedIn(text string) known {
	kinds := map[string]enginepb.File_Kind{"cert": enginepb.File_CERTIFICATE, "ca": enginepb.File_AUTHORITIES,
		"crl": enginepb.File_REVOCATIONS, "list": enginepb.File_CERTIFICATE_LIST}
	files := known{}
	for _, name := range regexp.MustCompile(`files/([a-z]+)-[0-9a-f-]+\.[a-z]+`).FindAllStringSubmatch(text, -1) {
		files[strings.TrimPrefix(name[0], "files/")] = kinds[name[1]]
		if strings.HasSuffix(name[0], ".map") {
			files[strings.TrimPrefix(name[0], "files/")] = enginepb.File_MAP
		}
	}
	return files
}

// parseSections reads a golden file. The options of its servers are shown to the check at once.
func parseSections(t *testing.T, text string) []*enginepb.Section {
	t.Helper()
	var all []*enginepb.Section
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		inside, is := strings.CutPrefix(line, "    ")
		server, isServer := strings.CutPrefix(inside, "server ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case !is:
			all = append(all, &enginepb.Section{Name: line})
		case isServer && "server "+server != haproxy.ExporterServer:
			server, _, _ = strings.Cut(server, " #")
			words := strings.Fields(server)[6:] // name, address, id and weight
			if len(words) > 0 && words[0] == "disabled" {
				words = words[1:]
			}
			if err := namedIn(text).serverWords(words); err != nil {
				t.Errorf("%q: %v", line, err)
			}
		default:
			last := all[len(all)-1]
			last.Lines = append(last.Lines, inside)
		}
	}
	return all
}

// FuzzCheckSpec shows that whatever is accepted stays within its line of the file.
func FuzzCheckSpec(f *testing.F) {
	f.Add("global", "user haproxy", "b", "s", "10.0.0.1", "check", "web 1")
	f.Add("backend b", "mode http\nuser root", "b", "s\n", "::1", "\x00", "\r")
	f.Fuzz(func(t *testing.T, name, line, backend, server, address, option, comment string) {
		s := &enginepb.Spec{
			LoadBalancerId: "8d1b3b0e-3f4d-4ed4-8f2c-0f6b8a5f4a51",
			Sections: []*enginepb.Section{
				{Name: "global", Lines: []string{"user haproxy", "group haproxy"}}, {Name: name, Lines: []string{line}},
			},
			Servers: []*enginepb.Server{{Backend: backend, Name: server, Address: address, Options: []string{option}, Comment: comment}},
		}
		if _, err := checkSpec(s); err != nil {
			return
		}
		text, _ := haproxy.File(s)
		want := 7 // the comment, and the sections and their lines, each behind an empty line
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
	stored.trim(&enginepb.Spec{Listeners: []string{"f"}}) // it is switched off
	if got := stored.sum("f").In; got != 18 {
		t.Errorf("sum of a listener that is not served = %d", got)
	}
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

func TestPace(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		0: time.Second, 10 * time.Millisecond: time.Second, 100 * time.Millisecond: 2500 * time.Millisecond, time.Second: 5 * time.Second,
	} {
		if got := pace(time.Second, took, 5*time.Second); got != want {
			t.Errorf("pace after %v = %v, want %v", took, got, want)
		}
	}
}
