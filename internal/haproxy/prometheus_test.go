package haproxy

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"plimsoll/internal/engine/enginepb"
)

// testExposition is what HAProxy 2.6 answered of a listener, a pool with two members and a listener that exports metrics.
func testExposition(t testing.TB) Exposition {
	t.Helper()
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	e := Exposition{Info: read("show-info.txt"), Stat: read("show-stat.csv")}
	stats, err := ParseStat(e.Stat)
	if err != nil {
		t.Fatal(err)
	}
	e.Frontends, e.Servers = Frontends(stats), Servers(stats)
	for _, f := range e.Frontends { // what processes counted that have ended
		f.BytesIn += 1_000_000
	}
	e.Frontends = append(e.Frontends, &enginepb.Frontend{Name: uid(1, 9), Status: "OPEN", BytesIn: 1, BytesOut: 2, CurrentSessions: 3, TotalSessions: 4})
	e.Servers = append(e.Servers, &enginepb.ServerState{Backend: uid(2, 9) + ":" + uid(1, 9), Name: uid(3, 9), Status: "DOWN"})
	return e
}

func TestMetrics(t *testing.T) {
	got, err := Metrics(testExposition(t))
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "metrics.txt")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	if _, err := parser.TextToMetricFamilies(strings.NewReader(string(got))); err != nil {
		t.Errorf("Prometheus does not read it: %v", err)
	}
	if strings.Contains(string(got), `"`+ExporterBackend) {
		t.Error("the engine itself is among the pools")
	}
}

func TestMetricsBad(t *testing.T) {
	for name, e := range map[string]Exposition{
		"nothing":   {},
		"no header": {Stat: []byte("a,b\n")},
		"ragged":    {Stat: []byte("# pxname,svname\na,b,c\n")},
	} {
		if _, err := Metrics(e); err == nil {
			t.Errorf("bad answer of HAProxy: %s: no error", name)
		}
	}
}

// TestFiguresDocumented compares docs/metrics.md with what tenants are shown.
func TestFiguresDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| `octavia_") {
			continue
		}
		cells := strings.Split(line, "|")
		documented[strings.Trim(cells[1], " `")] = strings.TrimSpace(cells[2]) + "|" + strings.TrimSpace(cells[4])
	}
	known := map[string]string{
		"octavia_loadbalancer_cpu": "gauge|Share of its time that the load balancer's process is busy, in percent.",
		"octavia_listener_status":  "gauge|Whether the listener takes connections.",
		"octavia_pool_status":      "gauge|Whether the pool has members that serve.",
		"octavia_member_status":    "gauge|Status of the member.",
	}
	for prefix, figures := range map[string][]figure{"octavia_": processFigures, "octavia_listener_": listenerFigures,
		"octavia_pool_": poolFigures, "octavia_member_": memberFigures} {
		for _, f := range figures {
			known[prefix+f.name] = f.kind() + "|" + f.help
		}
	}
	if diff := cmp.Diff(known, documented); diff != "" {
		t.Errorf("docs/metrics.md (-exported +documented):\n%s", diff)
	}
}

func TestExporterIsNoServer(t *testing.T) {
	line := "3 exporter 1 exporter - 2 0 1 1 23 1 0 2 0 0 0 0 - 0 - 0 0 - - 0"
	states, err := ParseServersState([]byte("1\n" + stateHeader + "\n" + line + "\n"))
	if err != nil || len(states) > 0 {
		t.Errorf("ParseServersState gives %v, %v", states, err)
	}
	if servers := Servers([]Stat{{Proxy: ExporterBackend, Name: "exporter"}}); len(servers) > 0 {
		t.Errorf("Servers gives %v", servers)
	}
	for _, test := range []struct {
		lines []string
		want  bool
	}{{nil, false}, {[]string{"mode http", "log global"}, false}, {[]string{LogTarget}, true}} {
		spec := &enginepb.Spec{Sections: []*enginepb.Section{{Name: "global"}, {Name: "frontend a", Lines: test.lines}}}
		if Logs(spec) != test.want {
			t.Errorf("Logs(%q) is not %t", test.lines, test.want)
		}
	}
	if slices.Contains(LogFormats(), "") {
		t.Error("an empty format")
	}
}

// FuzzMetrics shows that no answer of HAProxy makes the engine fall.
func FuzzMetrics(f *testing.F) {
	e := testExposition(f)
	f.Add(e.Info, e.Stat)
	f.Fuzz(func(_ *testing.T, info, stat []byte) {
		_, _ = Metrics(Exposition{Info: info, Stat: stat})
	})
}
