package metrics_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/grpc"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/identity"
	"plimsoll/internal/keymanager"
	"plimsoll/internal/metrics"
	"plimsoll/internal/reconcile"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// world is a store and an engine that answer, or do not.
type world struct{ err error }

func (w world) Ping(context.Context) error { return w.err }

func (w world) Groups(context.Context) ([]store.Group, error) {
	return []store.Group{{Provider: "haproxy", Operating: lbaas.Online, Count: 3}}, w.err
}

func (w world) Backlog(context.Context) (int, time.Duration, error) { return 2, 3 * time.Second, w.err }

func (w world) Summaries(_ context.Context, most int64) ([]store.Summary, error) {
	all := []store.Summary{
		{ID: "lb-1", ProjectID: "p", Provisioning: lbaas.Active, Operating: lbaas.Online, Statistics: lbaas.Statistics{BytesIn: 1, BytesOut: 2}},
		{ID: "lb-2", ProjectID: "p"}, {ID: "lb-3", ProjectID: "p"},
	}
	return all[:most], w.err
}

func (w world) AllExpiries(context.Context) ([]keymanager.Expiry, error) {
	return []keymanager.Expiry{
		{LoadBalancerID: "lb-1", ProjectID: "p", Noun: "listener", ObjectID: "l", Ref: "http://k/1", NotAfter: time.Unix(2e9, 0)},
		{LoadBalancerID: "lb-2"}, {LoadBalancerID: "lb-3"},
	}, w.err
}

func (w world) Connections() store.Pool {
	return store.Pool{InUse: 1, Idle: 2, Waits: 3, Waited: time.Second}
}
func (w world) Queries() int { return 7 }

func (w world) Hello(context.Context, *enginepb.HelloRequest, ...grpc.CallOption) (*enginepb.HelloReply, error) {
	return &enginepb.HelloReply{Processes: 4, Reloads: 5}, w.err
}

func serve(w world, balancers int) *metrics.Metrics {
	m := metrics.New(metrics.Config{Store: w, Engine: w, Version: "v", LoadBalancers: balancers, Log: slog.New(slog.DiscardHandler)})
	m.Loop(func() reconcile.State { return reconcile.State{Ready: 1, Working: 2, Pausing: 3, Leases: 4} })
	m.Seen(web.Seen{API: "octavia", Method: "GET", Route: "/v2/lbaas/listeners/{id}", Status: 200, Took: time.Millisecond})
	m.Stepped(reconcile.Step{Provider: "haproxy", Method: "reload", Result: "done", Took: time.Second})
	return m
}

// scrape is what a handler answers.
func scrape(t *testing.T, h http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("code %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// TestDocumented compares docs/metrics.md with what is exported: names, types, labels and meanings.
func TestDocumented(t *testing.T) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(scrape(t, serve(world{}, 1).Handler())))
	if err != nil {
		t.Fatal(err)
	}
	exported := map[string]string{}
	for name, f := range families {
		if !strings.HasPrefix(name, "plimsoll_") {
			continue
		}
		var labels []string
		for _, l := range f.Metric[0].Label {
			labels = append(labels, l.GetName())
		}
		exported[name] = strings.ToLower(f.GetType().String()) + "|" + sorted(labels) + "|" + f.GetHelp()
	}
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| `plimsoll_") {
			continue
		}
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		documented[strings.Trim(cells[1], "`")] = cells[2] + "|" + sorted(strings.Split(cells[3], ", ")) + "|" + cells[4]
	}
	if diff := cmp.Diff(exported, documented); diff != "" {
		t.Errorf("docs/metrics.md (-exported +documented):\n%s", diff)
	}
}

func sorted(labels []string) string {
	slices.Sort(labels)
	return strings.Join(labels, ",")
}

func TestFigures(t *testing.T) {
	text := scrape(t, serve(world{}, 1).Handler())
	for _, line := range []string{
		`plimsoll_api_request_duration_seconds_bucket{api="octavia",code="200",method="GET",route="/v2/lbaas/listeners/{id}",le="0.005"} 1`,
		`plimsoll_loop_steps_total{method="reload",provider="haproxy",result="done"} 1`,
		`plimsoll_loop_load_balancers{state="pausing"} 3`, `plimsoll_loop_leases 4`, `plimsoll_pending_oldest_seconds 3`,
		`plimsoll_load_balancers{operating_status="ONLINE",provider="haproxy"} 3`, `plimsoll_load_balancers_left_out 2`,
		`plimsoll_load_balancer_bytes_out_total{load_balancer="lb-1",project="p"} 2`,
		`plimsoll_certificate_expiry_timestamp_seconds{load_balancer="lb-1",object="l",project="p",ref="http://k/1",type="listener"} 2e+09`,
		`plimsoll_engine_haproxy_processes 4`, `plimsoll_engine_up 1`, `plimsoll_database_up 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	for _, absent := range []string{"lb-2", "lb-3"} {
		if strings.Contains(text, absent) {
			t.Errorf("%s is beyond the bound, and there", absent)
		}
	}
	if text := scrape(t, serve(world{}, 0).Handler()); strings.Contains(text, "lb-1") || !strings.Contains(text, "plimsoll_load_balancers_left_out 3\n") {
		t.Error("with a bound of 0 there are load balancers")
	}
}

// TestAway shows what is left when neither the database nor the engine answers.
func TestAway(t *testing.T) {
	text := scrape(t, serve(world{errors.New("away")}, 1).Handler())
	for _, line := range []string{"plimsoll_engine_up 0", "plimsoll_database_up 0", "plimsoll_loop_leases 4"} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
}

// keystone knows the tokens "admin" and "member".
type keystone struct{}

func (keystone) Authenticate(_ context.Context, token string) (*identity.Actor, error) {
	if token != "admin" && token != "member" {
		return nil, lbaas.Errorf(lbaas.Unauthorized, "no")
	}
	return &identity.Actor{Roles: []string{token}}, nil
}

func TestGuarded(t *testing.T) {
	clients := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("192.0.2.7/32")}
	door := metrics.Guarded(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "in") }), clients, keystone{})
	for _, test := range []struct {
		name, from, host, header, value string
		want                            int
	}{
		{"bad client", "192.0.2.8:1", "lb.example.com", "", "", 403},
		{"bad client behind a proxy here", "127.0.0.1:1", "127.0.0.1", "X-Forwarded-For", "192.0.2.8", 403},
		{"bad client behind a named proxy", "192.0.2.7:1", "127.0.0.1", "Via", "1.1 x", 403},
		{"bad name for this host", "127.0.0.1:1", "evil.example.com", "", "", 403},
		{"bad address", "@", "127.0.0.1", "", "", 403},
		{"bad token", "192.0.2.8:1", "x", "X-Auth-Token", "unknown", 403},
		{"bad role", "192.0.2.8:1", "x", "X-Auth-Token", "member", 403},
		{"bad bearer", "192.0.2.8:1", "x", "Authorization", "Basic admin", 403},
		{"here", "127.0.0.1:1", "127.0.0.1:9876", "", "", 200},
		{"here by name", "127.0.0.1:1", "localhost:9876", "", "", 200},
		{"here over IPv6", "[::1]:1", "[::1]:9876", "", "", 200},
		{"here over IPv6, as IPv4", "[::ffff:127.0.0.1]:1", "localhost", "", "", 200},
		{"named", "192.0.2.7:1", "lb.example.com", "", "", 200},
		{"admin", "192.0.2.8:1", "x", "X-Auth-Token", "admin", 200},
		{"admin's bearer", "192.0.2.8:1", "x", "Authorization", "Bearer admin", 200},
		{"admin behind a proxy", "127.0.0.1:1", "x", "X-Auth-Token", "admin", 200},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		r.RemoteAddr, r.Host = test.from, test.host
		if test.header != "" {
			r.Header.Set(test.header, test.value)
		}
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s: code %d, want %d", test.name, w.Code, test.want)
		}
	}
}
