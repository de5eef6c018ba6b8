package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/reconcile"
	"plimsoll/internal/store"
)

// askTime bounds what is asked of the database and the engine for one look.
const askTime = 10 * time.Second

// A metric is one of those that are asked for.
type metric struct {
	name   string
	kind   prometheus.ValueType
	help   string
	labels []string
}

func (m metric) desc() *prometheus.Desc { return prometheus.NewDesc(m.name, m.help, m.labels, nil) }

const (
	counter = prometheus.CounterValue
	gauge   = prometheus.GaugeValue
)

var (
	buildInfo = metric{"plimsoll_build_info", gauge, "1, with the version of the server.", []string{"version"}}

	loopKeys   = metric{"plimsoll_loop_load_balancers", gauge, "Load balancers that the loop has before it.", []string{"state"}}
	loopLeases = metric{"plimsoll_loop_leases", gauge, "Leases that this server holds.", nil}
	pending    = metric{"plimsoll_pending_load_balancers", gauge, "Load balancers that are pending, of all servers.", nil}
	oldest     = metric{"plimsoll_pending_oldest_seconds", gauge, "For how long the first of them has been; 0 where none is.", nil}

	databaseUp      = metric{"plimsoll_database_up", gauge, "1 where the database answers.", nil}
	databaseLinks   = metric{"plimsoll_database_connections", gauge, "Connections to the database.", []string{"state"}}
	databaseWaits   = metric{"plimsoll_database_waits_total", counter, "Times that a connection had to be waited for.", nil}
	databaseWaited  = metric{"plimsoll_database_wait_seconds_total", counter, "Time that connections were waited for.", nil}
	databaseQueries = metric{"plimsoll_database_queries_total", counter, "Statements that were sent to the database.", nil}

	engineUp        = metric{"plimsoll_engine_up", gauge, "1 where this host's engine answers.", nil}
	engineProcesses = metric{"plimsoll_engine_haproxy_processes", gauge, "HAProxy processes of this host, those included that serve their last connections.", nil}
	engineStarts    = metric{"plimsoll_engine_haproxy_starts_total", counter, "Starts of HAProxy where there was none, since the engine started.", nil}
	engineReloads   = metric{"plimsoll_engine_haproxy_reloads_total", counter, "Reloads of HAProxy, since the engine started.", nil}
	engineChanges   = metric{"plimsoll_engine_runtime_changes_total", counter, "Changes that HAProxy took without a reload, since the engine started.", nil}

	balancers = metric{"plimsoll_load_balancers", gauge, "Load balancers.", []string{"provider", "operating_status"}}
	leftOut   = metric{"plimsoll_load_balancers_left_out", gauge, "Load balancers beyond the bound, which the metrics below leave out.", nil}

	byBalancer = []string{"load_balancer", "project"}
	status     = metric{"plimsoll_load_balancer_status", gauge, "1, with the load balancer's statuses.", []string{"load_balancer", "project", "provisioning_status", "operating_status"}}
	bytesIn    = metric{"plimsoll_load_balancer_bytes_in_total", counter, "Bytes from clients.", byBalancer}
	bytesOut   = metric{"plimsoll_load_balancer_bytes_out_total", counter, "Bytes to clients.", byBalancer}
	active     = metric{"plimsoll_load_balancer_connections", gauge, "Connections now.", byBalancer}
	total      = metric{"plimsoll_load_balancer_connections_total", counter, "Connections so far.", byBalancer}
	faults     = metric{"plimsoll_load_balancer_request_errors_total", counter, "Requests that were faulty or broken off.", byBalancer}
	expiry     = metric{"plimsoll_certificate_expiry_timestamp_seconds", gauge, "When the first certificate or revocation list of a reference expires, in seconds since 1970.", []string{"load_balancer", "project", "type", "object", "ref"}}
)

var asked = []metric{
	buildInfo, loopKeys, loopLeases, pending, oldest, databaseUp, databaseLinks, databaseWaits, databaseWaited, databaseQueries,
	engineUp, engineProcesses, engineStarts, engineReloads, engineChanges, balancers, leftOut,
	status, bytesIn, bytesOut, active, total, faults, expiry,
}

// state asks for what there is. It implements prometheus.Collector.
type state struct {
	config Config
	loop   func() reconcile.State
}

// Describe lists what is asked for.
func (s *state) Describe(out chan<- *prometheus.Desc) {
	for _, m := range asked {
		out <- m.desc()
	}
}

// look is one look at the state.
type look struct {
	*state
	ctx context.Context
	out chan<- prometheus.Metric
}

// Collect asks. What cannot be asked is missing, and the rest is there.
func (s *state) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	l := &look{s, ctx, out}
	l.put(buildInfo, 1, s.config.Version)
	l.atWork()
	l.engine()
	l.put(databaseUp, truth(l.database()))
}

func (l *look) put(m metric, value float64, labels ...string) {
	l.out <- prometheus.MustNewConstMetric(m.desc(), m.kind, value, labels...)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (l *look) atWork() {
	if l.loop == nil {
		return
	}
	s := l.loop()
	l.put(loopKeys, float64(s.Ready), "ready")
	l.put(loopKeys, float64(s.Working), "working")
	l.put(loopKeys, float64(s.Pausing), "pausing")
	l.put(loopLeases, float64(s.Leases))
}

func (l *look) engine() {
	hello, err := l.config.Engine.Hello(l.ctx, &enginepb.HelloRequest{})
	l.put(engineUp, truth(err == nil))
	if err != nil {
		return
	}
	l.put(engineProcesses, float64(hello.Processes))
	l.put(engineStarts, float64(hello.Starts))
	l.put(engineReloads, float64(hello.Reloads))
	l.put(engineChanges, float64(hello.RuntimeChanges))
}

// database tells whether it answers.
func (l *look) database() bool {
	p := l.config.Store.Connections()
	l.put(databaseLinks, float64(p.InUse), "in_use")
	l.put(databaseLinks, float64(p.Idle), "idle")
	l.put(databaseWaits, float64(p.Waits))
	l.put(databaseWaited, p.Waited.Seconds())
	l.put(databaseQueries, float64(l.config.Store.Queries()))
	for _, ask := range []func() error{func() error { return l.config.Store.Ping(l.ctx) }, l.backlog, l.balancers, l.certificates} {
		if err := ask(); err != nil {
			l.config.Log.Warn("metrics are incomplete", "err", err)
			return false
		}
	}
	return true
}

func (l *look) backlog() error {
	n, age, err := l.config.Store.Backlog(l.ctx)
	if err != nil {
		return err
	}
	l.put(pending, float64(n))
	l.put(oldest, age.Seconds())
	return nil
}

func (l *look) balancers() error {
	groups, err := l.config.Store.Groups(l.ctx)
	if err != nil {
		return err
	}
	all := 0
	for _, g := range groups {
		l.put(balancers, float64(g.Count), g.Provider, string(g.Operating))
		all += g.Count
	}
	l.put(leftOut, float64(max(0, all-l.config.LoadBalancers)))
	if l.config.LoadBalancers == 0 {
		return nil
	}
	shown, err := l.config.Store.Summaries(l.ctx, int64(l.config.LoadBalancers))
	for _, s := range shown {
		l.balancer(s)
	}
	return err
}

func (l *look) balancer(s store.Summary) {
	l.put(status, 1, s.ID, s.ProjectID, string(s.Provisioning), string(s.Operating))
	l.put(bytesIn, float64(s.Statistics.BytesIn), s.ID, s.ProjectID)
	l.put(bytesOut, float64(s.Statistics.BytesOut), s.ID, s.ProjectID)
	l.put(active, float64(s.Statistics.ActiveConnections), s.ID, s.ProjectID)
	l.put(total, float64(s.Statistics.TotalConnections), s.ID, s.ProjectID)
	l.put(faults, float64(s.Statistics.RequestErrors), s.ID, s.ProjectID)
}

// certificates shows those of as many load balancers as are shown, which need not be the same ones.
func (l *look) certificates() error {
	if l.config.LoadBalancers == 0 {
		return nil
	}
	all, err := l.config.Store.AllExpiries(l.ctx)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, e := range all {
		if seen[e.LoadBalancerID] = true; len(seen) > l.config.LoadBalancers {
			break
		}
		l.put(expiry, float64(e.NotAfter.Unix()), e.LoadBalancerID, e.ProjectID, e.Noun, e.ObjectID, e.Ref)
	}
	return nil
}
