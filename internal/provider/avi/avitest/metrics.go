package avitest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// SetMetrics says what is measured of a virtual service or pool, by the name of the metric ("l4_client.max_open_conns"). What is not
// said is zero.
func (s *Server) SetMetrics(uuid string, values map[string]float64) {
	s.runtime.mu.Lock()
	defer s.runtime.mu.Unlock()
	s.runtime.metrics[uuid] = maps.Clone(values)
}

func (r *runtime) metric(uuid, name string) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.metrics[uuid][name]
}

// metricNames are those that /api/analytics/metric_id lists, by what they are of.
var metricNames = map[string][]string{
	"virtualservice": {
		"healthscore.health_score_value", "l4_client.avg_bandwidth", "l4_client.avg_complete_conns", "l4_client.avg_new_established_conns",
		"l4_client.avg_rx_bytes", "l4_client.avg_tx_bytes", "l4_client.max_open_conns", "l4_client.max_rx_bytes_absolute",
		"l4_client.max_tx_bytes_absolute", "l4_client.sum_errored_connections", "l4_client.sum_finished_conns", "l7_client.apdexr",
		"l7_client.avg_complete_responses",
	},
	"pool": {
		"l4_server.avg_bandwidth", "l4_server.avg_open_conns", "l4_server.max_open_conns", "l4_server.max_rx_bytes_absolute",
		"l4_server.max_tx_bytes_absolute", "l4_server.sum_finished_conns", "l7_server.avg_complete_responses",
	},
}

// question is one of a collection of metrics.
type question struct {
	ID       string `json:"id"`
	Step     int    `json:"step"`
	Limit    int    `json:"limit"`
	Entity   string `json:"entity_uuid"` // "*", or some, by commas
	MetricID string `json:"metric_id"`   // some, by commas
}

// analytics answers below /api/analytics.
func (s *Server) analytics(c call) answer {
	switch {
	case c.UUID == "metric_id" && c.Method == http.MethodGet:
		return jsonAnswer(http.StatusOK, metricList())
	case c.UUID == "metrics" && c.Action == "collection" && c.Method == http.MethodPost:
		return s.collection(c)
	case c.UUID == "metrics" && c.Method == http.MethodGet:
		kind, uuid, _ := strings.Cut(c.Action, "/")
		return s.metricsOf(c, kind, uuid)
	}
	return answer{Status: http.StatusNotFound}
}

func metricList() map[string]any {
	rows := []any{}
	for _, kind := range slices.Sorted(maps.Keys(metricNames)) {
		for _, name := range metricNames[kind] {
			rows = append(rows, map[string]any{"name": name, "entity_types": []any{kind}})
		}
	}
	return map[string]any{"count": len(rows), "results": rows}
}

// collection answers many questions at once.
func (s *Server) collection(c call) answer {
	var asked struct {
		Requests []question `json:"metric_requests"`
	}
	if err := json.Unmarshal(c.Body, &asked); err != nil || len(asked.Requests) == 0 {
		return failure(http.StatusBadRequest, "metric_requests is not a list of requests")
	}
	series := map[string]any{}
	for _, q := range asked.Requests {
		if q.ID == "" || !goodStep(q.Step) {
			return failure(http.StatusBadRequest, "a metric request needs an id, and a step of 5, 300, 3600 or 86400")
		}
		found, bad := s.answerQuestion(c, q)
		if bad != nil {
			return *bad
		}
		series[q.ID] = found
	}
	return jsonAnswer(http.StatusOK, map[string]any{"series": series})
}

// goodStep tells whether metrics are kept in such steps, in seconds; 0 is the default.
func goodStep(step int) bool { return slices.Contains([]int{0, 5, 300, 3600, 86400}, step) }

// answerQuestion gives the series of each entity that is visible. An entity that is not there is left out.
func (s *Server) answerQuestion(c call, q question) (map[string]any, *answer) {
	names := strings.Split(q.MetricID, ",")
	kind := kindOfMetric(names[0])
	for _, name := range names {
		if !slices.Contains(metricNames[kind], name) {
			bad := failure(http.StatusBadRequest, "Invalid metric id "+name)
			return nil, &bad
		}
	}
	sc, refused := s.model.scope(c)
	if refused != nil {
		return nil, refused
	}
	wanted, found := strings.Split(q.Entity, ","), map[string]any{}
	for _, o := range s.model.list(sc, kind) {
		if uuid := text(o, "uuid"); q.Entity == "*" || slices.Contains(wanted, uuid) {
			found[uuid] = s.series(uuid, lastPart(text(o, "tenant_ref")), names, q)
		}
	}
	return found, nil
}

func kindOfMetric(name string) string {
	if strings.HasPrefix(name, "l4_server.") || strings.HasPrefix(name, "l7_server.") {
		return "pool"
	}
	return "virtualservice"
}

// series is the newest sample of each metric; there is but one.
func (s *Server) series(uuid, tenant string, names []string, q question) []any {
	step := or(q.Step, 300)
	now := s.opts.Now().UTC().Truncate(time.Duration(step) * time.Second)
	list := []any{}
	for _, name := range names {
		value := s.runtime.metric(uuid, name)
		statistics := map[string]any{"min": value, "max": value, "mean": value, "num_samples": 1, "sum": value}
		header := map[string]any{
			"name": name, "entity_uuid": uuid, "tenant_uuid": tenant, "units": "METRIC_COUNT", "statistics": statistics,
			"metrics_min_scale": 0, "metrics_sum_agg_invalid": false,
		}
		data := []any{map[string]any{"timestamp": now.Format("2006-01-02T15:04:05+00:00"), "value": value}}
		list = append(list, map[string]any{"header": header, "data": data})
	}
	return list
}

// metricsOf answers GET analytics/metrics/<kind>/<uuid>.
func (s *Server) metricsOf(c call, kind, uuid string) answer {
	get := c
	get.Kind, get.UUID, get.Action, get.Query = kind, uuid, "", nil
	if found := s.model.do(get); found.Status != http.StatusOK {
		return found
	}
	q := question{Step: 300, Limit: 1, Entity: uuid, MetricID: c.Query.Get("metric_id")}
	if kindOfMetric(q.MetricID) != kind {
		return failure(http.StatusBadRequest, "Invalid metric id "+q.MetricID)
	}
	found, bad := s.answerQuestion(c, q)
	if bad != nil {
		return *bad
	}
	return jsonAnswer(http.StatusOK, map[string]any{
		"entity_uuid": uuid, "metric_entity": entities[kind], "metric_id": q.MetricID, "limit": q.Limit, "step": q.Step, "series": found[uuid],
	})
}

var entities = map[string]string{"virtualservice": "VSERVER_METRICS_ENTITY", "pool": "POOL_METRICS_ENTITY"}
