package avi

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plimsoll/lbaas"
)

// measured makes metrics of one step of virtual services; the keys of values are UUIDs and metrics.
func measured(minute int, values map[string]map[string]float64) *metrics {
	m := &metrics{services: map[string]map[string][]point{}}
	at := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC).Add(time.Duration(minute) * time.Minute)
	for uuid, all := range values {
		m.services[uuid] = map[string][]point{}
		for name, v := range all {
			m.services[uuid][name] = []point{{at, v}}
		}
	}
	return m
}

func TestStatistics(t *testing.T) {
	vs, child := watchedServices()
	lb := watched()
	p := &Provider{}
	for _, step := range []struct {
		name string
		m    *metrics
		want lbaas.Statistics
	}{
		{"nothing is measured", &metrics{}, lbaas.Statistics{}},
		{"first look", measured(0, map[string]map[string]float64{vs: {
			"l4_client.max_rx_bytes_absolute": 1000, "l4_client.max_tx_bytes_absolute": 5000, "l4_client.max_open_conns": 3,
			"l4_client.sum_finished_conns": 10, "l4_client.sum_errored_connections": 1,
		}}), lbaas.Statistics{BytesIn: 1000, BytesOut: 5000, ActiveConnections: 3, TotalConnections: 10, RequestErrors: 1}},
		{"the same step, told again and grown", measured(0, map[string]map[string]float64{vs: {
			"l4_client.max_rx_bytes_absolute": 1000, "l4_client.max_tx_bytes_absolute": 5000, "l4_client.max_open_conns": 2,
			"l4_client.sum_finished_conns": 12, "l4_client.sum_errored_connections": 1,
		}}), lbaas.Statistics{BytesIn: 1000, BytesOut: 5000, ActiveConnections: 2, TotalConnections: 12, RequestErrors: 1}},
		{"the next step, and a child", measured(5, map[string]map[string]float64{
			vs: {"l4_client.max_rx_bytes_absolute": 1500, "l4_client.max_tx_bytes_absolute": 5000, "l4_client.max_open_conns": 1,
				"l4_client.sum_finished_conns": 4},
			child: {"l4_client.max_rx_bytes_absolute": 100, "l4_client.max_open_conns": 4, "l4_client.sum_finished_conns": 3},
		}), lbaas.Statistics{BytesIn: 1600, BytesOut: 5000, ActiveConnections: 5, TotalConnections: 19, RequestErrors: 1}},
		{"an engine began anew", measured(10, map[string]map[string]float64{vs: {"l4_client.max_rx_bytes_absolute": 70, "l4_client.max_tx_bytes_absolute": 30}}),
			lbaas.Statistics{BytesIn: 1670, BytesOut: 5030, TotalConnections: 19, RequestErrors: 1}},
		{"nothing is measured any more", &metrics{}, lbaas.Statistics{BytesIn: 1670, BytesOut: 5030, TotalConnections: 19, RequestErrors: 1}},
	} {
		want := map[string]lbaas.Statistics{watchedListener: step.want}
		if diff := cmp.Diff(want, p.statistics(t.Context(), lb, step.m)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

// TestStatisticsFromRates shows what becomes of a controller that has no counters.
func TestStatisticsFromRates(t *testing.T) {
	vs, _ := watchedServices()
	p := &Provider{}
	rates := map[string]map[string]float64{vs: {"l4_client.avg_rx_bytes": 2, "l4_client.avg_complete_conns": 0.1, "l4_client.avg_errored_connections": 0.01}}
	p.statistics(t.Context(), watched(), measured(0, rates))
	got := p.statistics(t.Context(), watched(), measured(5, rates))
	want := map[string]lbaas.Statistics{watchedListener: {BytesIn: 1200, TotalConnections: 60, RequestErrors: 6}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statistics (-want +got):\n%s", diff)
	}
	rates[vs]["l4_client.max_rx_bytes_absolute"] = 5000 // counted from somewhere that is not known
	p.statistics(t.Context(), watched(), measured(10, rates))
	rates[vs]["l4_client.max_rx_bytes_absolute"] = 5100
	if got := p.statistics(t.Context(), watched(), measured(15, rates))[watchedListener].BytesIn; got != 1300 {
		t.Errorf("bytes in once there is a counter: %d, want 1300", got)
	}
}

// TestStatisticsGoOn shows a process that begins anew: it goes on from what was told, and tells nothing while it cannot read that.
func TestStatisticsGoOn(t *testing.T) {
	vs, _ := watchedServices()
	told := lbaas.Statistics{BytesIn: 900, BytesOut: 7000, TotalConnections: 50, RequestErrors: 2}
	var fails error
	p := &Provider{cfg: Config{Statistics: func(_ context.Context, id string) (map[string]lbaas.Statistics, error) {
		if id != watchedLB {
			t.Errorf("asked for %s", id)
		}
		return map[string]lbaas.Statistics{watchedListener: told}, fails
	}}}
	m := func(minute int, in, conns float64) *metrics {
		return measured(minute, map[string]map[string]float64{vs: {"l4_client.max_rx_bytes_absolute": in, "l4_client.sum_finished_conns": conns}})
	}
	fails = errors.New("no database")
	if got := p.statistics(t.Context(), watched(), m(0, 1000, 10)); got != nil {
		t.Errorf("statistics without what was told: %v", got)
	}
	fails = nil
	for _, step := range []struct {
		m    *metrics
		want lbaas.Statistics
	}{
		{m(0, 1000, 10), lbaas.Statistics{BytesIn: 1000, BytesOut: 7000, TotalConnections: 50, RequestErrors: 2}},
		{m(5, 1100, 4), lbaas.Statistics{BytesIn: 1100, BytesOut: 7000, TotalConnections: 54, RequestErrors: 2}},
	} {
		if diff := cmp.Diff(step.want, p.statistics(t.Context(), watched(), step.m)[watchedListener]); diff != "" {
			t.Errorf("statistics (-want +got):\n%s", diff)
		}
	}
}

// TestStatisticsDoNotJump goes through what makes counters seem to begin anew that do not.
func TestStatisticsDoNotJump(t *testing.T) {
	vs, child := watchedServices()
	told := lbaas.Statistics{}
	p := &Provider{cfg: Config{Statistics: func(context.Context, string) (map[string]lbaas.Statistics, error) {
		return map[string]lbaas.Statistics{watchedListener: told}, nil
	}}}
	in := func(minute int, of map[string]float64) *metrics {
		values := map[string]map[string]float64{}
		for uuid, v := range of {
			values[uuid] = map[string]float64{"l4_client.max_rx_bytes_absolute": v}
		}
		return measured(minute, values)
	}
	type step struct {
		name string
		m    *metrics
		want int64
	}
	look := func(name string, steps []step) {
		for _, s := range steps {
			if got := p.statistics(t.Context(), watched(), s.m)[watchedListener].BytesIn; got != s.want {
				t.Errorf("%s, %s: %d, want %d", name, s.name, got, s.want)
			}
		}
	}
	look("from the beginning", []step{
		{"nothing is told", &metrics{}, 0},
		{"first", in(0, map[string]float64{vs: 1000}), 1000},
		{"an engine is late", in(5, map[string]float64{vs: 990}), 1000},
		{"and comes", in(10, map[string]float64{vs: 1100}), 1100},
		{"an answer that was overtaken", in(5, map[string]float64{vs: 990}), 1100},
		{"one that was, by far", in(5, map[string]float64{vs: 10}), 1100},
		{"the next", in(15, map[string]float64{vs: 1200}), 1200},
		{"not told", in(20, nil), 1200},
		{"told again", in(25, map[string]float64{vs: 1300}), 1300},
		{"a child", in(25, map[string]float64{vs: 1300, child: 50}), 1350},
		{"made anew", in(30, map[string]float64{vs: 7, child: 50}), 1357},
	})
	p.tallies, told = tallies{}, lbaas.Statistics{BytesIn: 1357}
	look("after a restart", []step{
		{"nothing is told", &metrics{}, 1357},
		{"first, which was counted before", in(35, map[string]float64{vs: 107}), 1357},
		{"a child that was, too", in(35, map[string]float64{vs: 107, child: 60}), 1357},
		{"the next", in(40, map[string]float64{vs: 117, child: 70}), 1377},
	})
	p.tallies, told = tallies{}, lbaas.Statistics{BytesIn: 1000}
	look("after a restart that took long", []step{
		{"nothing is told", &metrics{}, 1000},
		{"more than before", in(45, map[string]float64{vs: 4000}), 4000},
	})
}

// TestStatisticsNeverFall has anything happen to the controller's counters.
func TestStatisticsNeverFall(t *testing.T) {
	vs, child := watchedServices()
	rapid.Check(t, func(t *rapid.T) {
		p, was := &Provider{}, lbaas.Statistics{}
		for minute := range rapid.IntRange(1, 20).Draw(t, "looks") {
			values := map[string]map[string]float64{}
			for _, uuid := range []string{vs, child} {
				if !rapid.Bool().Draw(t, "there") {
					continue
				}
				values[uuid] = map[string]float64{}
				for _, s := range sources() {
					for _, name := range []string{s.absolute, s.sum, s.rate} {
						if name != "" && rapid.Bool().Draw(t, "told") {
							values[uuid][name] = rapid.Float64Range(0, 1e12).Draw(t, name)
						}
					}
				}
			}
			now := p.statistics(context.Background(), watched(), measured(minute, values))[watchedListener]
			if now.BytesIn < was.BytesIn || now.BytesOut < was.BytesOut || now.TotalConnections < was.TotalConnections || now.RequestErrors < was.RequestErrors {
				t.Fatalf("%+v after %+v", now, was)
			}
			was = now
		}
	})
}

func TestPointsOf(t *testing.T) {
	var all []series
	answer := `[
		{"header": {"name": "a"}, "data": [
			{"timestamp": "2017-01-11T10:05:00+00:00", "value": 2}, {"timestamp": "2017-01-11T10:00:00", "value": 1.5},
			{"timestamp": "2017-01-11T10:10:00+00:00", "value": 0, "is_null": true}, {"timestamp": "yesterday", "value": 9}]},
		{"header": {"name": "b"}, "data": []}]`
	if err := json.Unmarshal([]byte(answer), &all); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2017, 1, 11, 10, 0, 0, 0, time.UTC)
	want := map[string][]point{"a": {{at, 1.5}, {at.Add(5 * time.Minute), 2}}}
	got := pointsOf(all)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(point{})); diff != "" {
		t.Errorf("pointsOf (-want +got):\n%s", diff)
	}
}
