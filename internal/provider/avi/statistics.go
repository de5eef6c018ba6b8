package avi

import (
	"context"
	"math"
	"sync"
	"time"

	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// The counters of a virtual service.
const (
	bytesIn = iota
	bytesOut
	connections
	faults
	counters // how many there are
)

// tallies count what the virtual services of each listener did, so that no counter ever falls: not when a service engine begins anew,
// not when a child goes, and not when this process does, which then goes on from what was last told.
type tallies struct {
	mu  sync.Mutex
	all map[string]*tally // by listener

	swept time.Time
}

// forgotten is how long the tally of a listener is kept that nobody asks for.
const forgotten = time.Hour

// tally is what was counted of one listener.
type tally struct {
	sums     [counters]float64
	resumed  bool           // what was told by another process is in the sums
	begun    [counters]bool // of those that were resumed, which the controller has told since
	open     float64
	services map[string]*[counters]mileage
	asked    time.Time
}

// mileage is how far one counter of one virtual service was counted.
type mileage struct {
	metric string
	at     time.Time // of the last step that was counted; a controller may still change its newest
	last   float64   // value: of that step, or of a counter of the controller's own
}

// Sampled is that controllers measure in steps of minutes, and are asked for what they measured every half a minute. So all who want to
// know the counters are told the same, by whichever server, and nobody waits for a controller.
func (p *Provider) Sampled() bool { return true }

// statistics are the counters of a load balancer's listeners; none while it cannot be known what was told before.
func (p *Provider) statistics(ctx context.Context, lb *lbaas.LoadBalancer, m *metrics) map[string]lbaas.Statistics {
	told, err := p.told(ctx, lb)
	if err != nil {
		p.log().Warn("counters cannot go on from what was told", "load_balancer", lb.ID, "err", err)
		return nil
	}
	p.tallies.mu.Lock()
	defer p.tallies.mu.Unlock()
	all := map[string]lbaas.Statistics{}
	for _, l := range lb.Listeners {
		all[l.ID] = p.tallies.count(l, m, told[l.ID])
	}
	return all
}

// told is what was last told of the listeners, where this process does not know.
func (p *Provider) told(ctx context.Context, lb *lbaas.LoadBalancer) (map[string]lbaas.Statistics, error) {
	if p.cfg.Statistics == nil || p.tallies.know(lb) {
		return nil, nil
	}
	return p.cfg.Statistics(ctx, lb.ID)
}

func (t *tallies) know(lb *lbaas.LoadBalancer) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range lb.Listeners {
		if t.all[l.ID] == nil {
			return false
		}
	}
	return true
}

// sweep forgets the listeners that nobody asks for any more. It looks for them now and then.
func (t *tallies) sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.swept) < forgotten/10 {
		return
	}
	t.swept = time.Now()
	for id, one := range t.all {
		if time.Since(one.asked) > forgotten {
			delete(t.all, id)
		}
	}
}

// count brings the tally of a listener up to date. One that is new begins with what was told of it.
func (t *tallies) count(l *lbaas.Listener, m *metrics, told lbaas.Statistics) lbaas.Statistics {
	one := t.all[l.ID]
	anew := one == nil
	if anew {
		one = &tally{services: map[string]*[counters]mileage{}}
		if t.all == nil {
			t.all = map[string]*tally{}
		}
		t.all[l.ID] = one
	}
	one.asked = time.Now()
	if anew && told != (lbaas.Statistics{}) {
		one.resume(told)
	}
	one.drive(l, m)
	return one.statistics()
}

// resume goes on from what was told by another process.
func (t *tally) resume(told lbaas.Statistics) {
	t.resumed = true
	t.sums = [counters]float64{
		bytesIn: float64(told.BytesIn), bytesOut: float64(told.BytesOut), connections: float64(told.TotalConnections), faults: float64(told.RequestErrors),
	}
}

// drive adds what the listener's virtual services did since. A child's connections are none of its parent's.
func (t *tally) drive(l *lbaas.Listener, m *metrics) {
	open, known := 0.0, false
	var first, way [counters]float64
	for _, id := range ownersOf(l) {
		uuid := translate.UUID(translate.VirtualService, id)
		points, ok := m.services[uuid]
		if !ok {
			continue
		}
		known = true
		open += newest(points[openConnections]).value
		miles := t.services[uuid]
		if miles == nil {
			miles = &[counters]mileage{}
			t.services[uuid] = miles
		}
		for i, s := range sources() {
			to := &way
			if miles[i].metric == "" {
				to = &first
			}
			to[i] += max(miles[i].drive(points, s), 0)
		}
	}
	if known {
		t.open = open
	}
	t.add(first, way)
}

// add adds the ways, and what was told first. Most of that may have been told by another process before, which counted it; or the
// controller began anew since, and it is less. What comes later, of a child or another counter, cannot be told apart any more.
func (t *tally) add(first, way [counters]float64) {
	for i := range counters {
		switch {
		case !t.resumed:
			t.sums[i] += first[i]
		case !t.begun[i] && first[i] > 0:
			t.sums[i] = max(t.sums[i], first[i])
			t.begun[i] = true
		}
		t.sums[i] += way[i]
	}
}

// drive is what a counter came forward by.
func (m *mileage) drive(points map[string][]point, s source) float64 {
	if all := points[s.absolute]; len(all) > 0 {
		if m.turns(s.absolute, newest(all)) {
			return 0
		}
		return m.read(newest(all))
	}
	for _, by := range []struct {
		metric string
		factor float64
	}{{s.sum, 1}, {s.rate, metricStep.Seconds()}} {
		if all := points[by.metric]; len(all) > 0 {
			if m.turns(by.metric, newest(all)) {
				return 0
			}
			return m.add(all, by.factor)
		}
	}
	return 0
}

// turns tells whether the way was measured by something else before: what that counted would be counted twice. It goes on from here.
func (m *mileage) turns(to string, p point) bool {
	was := m.metric
	m.metric = to
	if was == "" || was == to {
		return false
	}
	m.at, m.last = p.at, p.value
	return true
}

// read is what a counter of the controller's own came forward by. One that fell a long way began anew. One that fell a little did not:
// it is made of what several service engines say, one of which may be late; nor did one of an answer that was overtaken by another.
func (m *mileage) read(p point) float64 {
	was := *m
	switch {
	case p.at.Before(was.at) || p.value < was.last && was.last/2 < p.value:
		return 0
	case p.at.Equal(was.at) && p.value < was.last:
		return 0
	}
	m.at, m.last = p.at, p.value
	if p.value < was.last {
		return p.value
	}
	return p.value - was.last
}

// add is the sum of the steps that were not counted, each times a factor. Of the last that was, what it grew by since.
func (m *mileage) add(points []point, factor float64) float64 {
	sum := 0.0
	for _, p := range points {
		switch {
		case p.at.After(m.at):
			sum += p.value * factor
		case p.at.Equal(m.at) && p.value > m.last:
			sum += (p.value - m.last) * factor
		default:
			continue
		}
		m.at, m.last = p.at, p.value
	}
	return sum
}

func newest(points []point) point {
	if len(points) == 0 {
		return point{}
	}
	return points[len(points)-1]
}

func (t *tally) statistics() lbaas.Statistics {
	return lbaas.Statistics{
		BytesIn:           whole(t.sums[bytesIn]),
		BytesOut:          whole(t.sums[bytesOut]),
		TotalConnections:  whole(t.sums[connections]),
		RequestErrors:     whole(t.sums[faults]),
		ActiveConnections: whole(t.open),
	}
}

// whole rounds a number of the controller's to one that can be kept.
func whole(f float64) int64 {
	if math.IsNaN(f) || f < 0 {
		return 0
	}
	return int64(min(math.Round(f), 1<<62))
}
