// Package metrics shows operators what the server does, in Prometheus' text format. Some figures are counted as things happen
// (api.go, loop.go); the rest is asked for when somebody looks (state.go). docs/metrics.md lists all of them, and a test compares.
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/keymanager"
	"plimsoll/internal/reconcile"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
)

// Store is what is asked of the store.
type Store interface {
	Ping(ctx context.Context) error
	Groups(ctx context.Context) ([]store.Group, error)
	Backlog(ctx context.Context) (n int, oldest time.Duration, err error)
	Summaries(ctx context.Context, most int64) ([]store.Summary, error)
	AllExpiries(ctx context.Context) ([]keymanager.Expiry, error)
	Connections() store.Pool
	Queries() int
}

// Engine is what is asked of the engine.
type Engine interface {
	Hello(ctx context.Context, r *enginepb.HelloRequest, o ...grpc.CallOption) (*enginepb.HelloReply, error)
}

// Config says what is shown.
type Config struct {
	Store   Store
	Engine  Engine
	Version string
	// LoadBalancers is of how many load balancers there are figures of their own, the oldest first. Their certificates are shown with them.
	LoadBalancers int
	Log           *slog.Logger
}

// Metrics are a server's metrics.
type Metrics struct {
	registry *prometheus.Registry
	state    *state
	requests *prometheus.HistogramVec
	steps    *prometheus.CounterVec
	took     *prometheus.HistogramVec
}

// New makes the metrics of a server.
func New(c Config) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), state: &state{config: c}, requests: newRequests(), steps: newSteps(), took: newTook()}
	m.registry.MustRegister(m.state, m.requests, m.steps, m.took, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Loop has the state of the loop shown. Call it before anybody looks.
func (m *Metrics) Loop(state func() reconcile.State) { m.state.loop = state }

// Seen takes a request.
func (m *Metrics) Seen(s web.Seen) {
	m.requests.WithLabelValues(s.API, s.Method, s.Route, code(s.Status)).Observe(s.Took.Seconds())
}

// Stepped takes a step of the loop.
func (m *Metrics) Stepped(s reconcile.Step) {
	m.steps.WithLabelValues(s.Provider, s.Method, s.Result).Inc()
	m.took.WithLabelValues(s.Provider).Observe(s.Took.Seconds())
}

// Handler answers with all metrics. One question is answered at a time, for it asks the database.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(m.state.config.Log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: 2, Timeout: 30 * time.Second,
	})
}
