package avi

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
)

// metricStep is the resolution in which controllers keep what they measure, where real-time metrics are off.
const metricStep = 300 * time.Second

// maxSteps bounds how much of the past is asked for after a pause: a day.
const maxSteps = 288

// source names the metrics that a counter is made of, the best first: a counter of the controller's own, which begins anew where a
// service engine does; the number of each step; the rate in each step, per second. A controller need not have all of them.
type source struct {
	absolute, sum, rate string
}

// sources are those of the counters of virtual services.
func sources() [counters]source {
	return [counters]source{
		bytesIn:     {absolute: "l4_client.max_rx_bytes_absolute", rate: "l4_client.avg_rx_bytes"},
		bytesOut:    {absolute: "l4_client.max_tx_bytes_absolute", rate: "l4_client.avg_tx_bytes"},
		connections: {sum: "l4_client.sum_finished_conns", rate: "l4_client.avg_complete_conns"},
		faults:      {sum: "l4_client.sum_errored_connections", rate: "l4_client.avg_errored_connections"},
	}
}

// openConnections is how many are open.
const openConnections = "l4_client.max_open_conns"

// point is one measurement, or one step of them.
type point struct {
	at    time.Time
	value float64
}

// metrics are the last points, oldest first, by virtual service and metric.
type metrics struct {
	began    time.Time
	services map[string]map[string][]point
}

// atATime is of how many virtual services one question asks the metrics, so that no answer is too long.
const atATime = 500

// measure asks for the metrics of the virtual services of a tenant that are ours: a controller may have many times as many. That it tells
// none is no reason to know nothing of its load balancers: their counters stay as they are, and the next time more steps are asked for.
func (p *Provider) measure(ctx context.Context, t controller.Tenant, d *desk, last *metrics, at time.Time) (*metrics, error) {
	m := &metrics{began: at, services: map[string]map[string][]point{}}
	ids, err := p.metricIDs(ctx)
	if err != nil || len(ids) == 0 {
		return m, err
	}
	for some := range slices.Chunk(p.ours(d), atATime) {
		if err := p.collect(ctx, t, some, ids, stepsSince(last), m.services); err != nil {
			p.watcher.setIDs(nil) // it may be another version by now
			return nil, err
		}
	}
	return m, nil
}

// ours are the virtual services of load balancers that are there, as far as they are known, in order.
func (p *Provider) ours(d *desk) []string {
	s, seen := d.sight.now()
	a, audited := d.audit.now()
	all := p.memory.objects()
	if audited {
		maps.Copy(all, a.objects)
	}
	if !seen {
		return nil
	}
	var uuids []string
	for k := range all {
		if _, there := s.services[k.uuid]; there && k.kind == translate.VirtualService {
			uuids = append(uuids, k.uuid)
		}
	}
	slices.Sort(uuids)
	return uuids
}

// stepsSince is how many steps are to be asked for, so that none is missed.
func stepsSince(last *metrics) int {
	if last == nil {
		return 2
	}
	return 2 + min(int(time.Since(last.began)/metricStep), maxSteps)
}

// metricIDs are the metrics of ours that the controller has: it refuses a question that names another. It is asked once.
func (p *Provider) metricIDs(ctx context.Context) ([]string, error) {
	if ids := p.watcher.getIDs(); ids != nil {
		return ids, nil
	}
	wanted := []string{openConnections}
	for _, s := range sources() {
		wanted = append(wanted, s.absolute, s.sum, s.rate)
	}
	var answer struct {
		Results []struct {
			Name string `json:"name"`
		} `json:"results"`
	}
	if err := p.ctl.Call(ctx, controller.Admin, http.MethodGet, "analytics/metric_id", nil, nil, &answer); err != nil {
		return nil, fmt.Errorf("ask which metrics there are: %w", err)
	}
	ids := []string{}
	for _, r := range answer.Results {
		if slices.Contains(wanted, r.Name) && r.Name != "" {
			ids = append(ids, r.Name)
		}
	}
	p.watcher.setIDs(ids)
	return ids, nil
}

func (w *watcher) getIDs() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ids
}

func (w *watcher) setIDs(ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids = ids
}

// series is one metric of one object, as the controller answers it.
type series struct {
	Header struct {
		Name string `json:"name"`
	} `json:"header"`
	Data []struct {
		Timestamp string  `json:"timestamp"`
		Value     float64 `json:"value"`
		IsNull    bool    `json:"is_null"`
	} `json:"data"`
}

// collect asks for the metrics of some virtual services at once.
func (p *Provider) collect(ctx context.Context, t controller.Tenant, uuids, ids []string, steps int, into map[string]map[string][]point) error {
	ask := map[string]any{"metric_requests": []any{map[string]any{
		"id": "listeners", "step": int(metricStep.Seconds()), "limit": steps, "entity_uuid": strings.Join(uuids, ","), "metric_id": strings.Join(ids, ","),
	}}}
	var answer struct {
		Series map[string]map[string][]series `json:"series"`
	}
	query := url.Values{"pad_missing_data": {"false"}}
	if err := p.ctl.Call(ctx, t, http.MethodPost, "analytics/metrics/collection", query, ask, &answer); err != nil {
		return fmt.Errorf("ask for metrics: %w", err)
	}
	for _, entities := range answer.Series { // under "listeners", or a name that the controller made of it
		for uuid, all := range entities {
			into[uuid] = pointsOf(all)
		}
	}
	return nil
}

func pointsOf(all []series) map[string][]point {
	points := map[string][]point{}
	for _, s := range all {
		for _, d := range s.Data {
			if at, err := parseTimestamp(d.Timestamp); err == nil && !d.IsNull {
				points[s.Header.Name] = append(points[s.Header.Name], point{at, d.Value})
			}
		}
		slices.SortFunc(points[s.Header.Name], func(a, b point) int { return a.at.Compare(b.at) })
	}
	return points
}

// parseTimestamp reads ISO 8601, which the controller writes with a zone or, for UTC, without.
func parseTimestamp(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05", text)
	}
	return t, err
}
