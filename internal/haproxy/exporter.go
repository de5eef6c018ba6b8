package haproxy

import (
	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// ExporterBackend is the backend behind PROMETHEUS listeners: the engine.
const ExporterBackend = "exporter"

// ExporterSocket is where the engine serves a load balancer's metrics: an abstract socket (unix(7)), which is there for the load
// balancer's network namespace alone. A socket in the run directory could not be reached by a HAProxy that is not root.
const ExporterSocket = "plimsoll-exporter"

// ExporterServer is the server of the backend. More requests at once than its maxconn wait for one another.
const ExporterServer = "server " + ExporterBackend + " abns@" + ExporterSocket + " maxconn 4"

// MetricsPath is where tenants find the metrics.
const MetricsPath = "/metrics"

// exports makes the frontend answer with metrics, and with 404 where it has none.
func (s section) exports() {
	s.add("acl exported path -m str -- %s", MetricsPath)
	s.add("http-request deny deny_status 404 if !exported")
	s.add("default_backend %s", ExporterBackend)
}

// exporter is the backend of the listeners that export metrics, or nil when there are none. It is no pool: what HAProxy reports of
// it is told to nobody.
func exporter(lb *lbaas.LoadBalancer, all []*lbaas.Listener) *enginepb.Section {
	for _, l := range all {
		if l.Protocol != lbaas.Prometheus {
			continue
		}
		s := newSection("backend "+ExporterBackend, lb.ID)
		s.add("mode http")
		s.add("timeout connect 1s")
		s.add("timeout queue 5s")
		s.add("timeout server 10s")
		s.add(ExporterServer)
		return s.Section
	}
	return nil
}

// Exports tells whether a Spec has listeners that export metrics.
func Exports(spec *enginepb.Spec) bool { return find(spec, "backend "+ExporterBackend) != nil }
