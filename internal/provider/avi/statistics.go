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
	one.drive(l, m)
	if anew && told != (lbaas.Statistics{}) {
		one.resume(told)
	}
	return one.statistics()
}

// resume goes on from what was told: by another process, which counted most of what the controller told first, or when the
// controller's own counters began anew since.
func (t *tally) resume(told lbaas.Statistics) {
	t.sums[bytesIn] = max(t.sums[bytesIn], float64(told.BytesIn))
	t.sums[bytesOut] = max(t.sums[bytesOut], float64(told.BytesOut))
	t.sums[connections] = max(t.sums[connections], float64(told.TotalConnections))
	t.sums[faults] = max(t.sums[faults], float64(told.RequestErrors))
}

// drive adds what the listener's virtual services did since. A child's connections are none of its parent's.
func (t *tally) drive(l *lbaas.Listener, m *metrics) {
	open, known := 0.0, false
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
			t.sums[i] += miles[i].drive(points, s)
		}
	}
	if known {
		t.open = open
	}
}

// drive is what a counter came forward by.
func (m *mileage) drive(points map[string][]point, s source) float64 {
	if all := points[s.absolute]; len(all) > 0 {
		return m.over(s.absolute, m.read(newest(all)))
	}
	if all := points[s.sum]; len(all) > 0 {
		return m.over(s.sum, m.add(all, 1))
	}
	return m.over(s.rate, m.add(points[s.rate], metricStep.Seconds()))
}

// over is the way, but none where it was measured by something else before: what that counted would be counted twice.
func (m *mileage) over(metric string, way float64) float64 {
	was := m.metric
	m.metric = metric
	if was != "" && was != metric {
		return 0
	}
	return way
}

// read is what a counter of the controller's own came forward by. One that fell began anew.
func (m *mileage) read(p point) float64 {
	was := m.last
	m.at, m.last = p.at, p.value
	if p.value < was {
		return p.value
	}
	return p.value - was
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
