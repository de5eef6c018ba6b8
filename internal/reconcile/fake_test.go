package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"plimsoll/internal/network"
	"plimsoll/internal/provider"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// fakeStore is a Store in memory whose clock is that of the test. It keeps what the real one promises: fences, rows
// that are newer than what was achieved, reasons.
type fakeStore struct {
	mu     sync.Mutex
	lbs    map[string]*fakeRow
	leases map[string]*fakeLease
	hints  map[int]func(store.Hint)
	next   int
	seen   map[string]store.Seen
	writes []string        // what was written: "achieved lb 3", "gone lb"
	broken error           // what every question is answered with
	asked  int             // questions for leases
	read   func(id string) // called when a tree was read, before it is handed over
}

type fakeRow struct {
	lb       *lbaas.LoadBalancer
	pending  time.Time
	failures map[string]string
}

type fakeLease struct {
	store.Lease
	until time.Time
}

func newFakeStore() *fakeStore {
	return &fakeStore{lbs: map[string]*fakeRow{}, leases: map[string]*fakeLease{}, hints: map[int]func(store.Hint){}, seen: map[string]store.Seen{}}
}

// create makes a load balancer of generation 1 on host h.
func (s *fakeStore) create(id string) {
	lb := &lbaas.LoadBalancer{Object: lbaas.Object{ID: id, AdminStateUp: true}, Provider: "fake", Host: "h"}
	lb.Progress.Generation = 1
	s.mu.Lock()
	s.lbs[id] = &fakeRow{lb: lb, pending: time.Now()}
	s.mu.Unlock()
	s.hint(id)
}

// change bumps the generation.
func (s *fakeStore) change(id string, fn func(lb *lbaas.LoadBalancer)) {
	s.mu.Lock()
	row := s.lbs[id]
	next := *row.lb
	next.Progress = lbaas.Progress{Generation: next.Progress.Generation + 1, Observed: next.Progress.Observed}
	fn(&next)
	if row.lb.Progress.Observed == row.lb.Progress.Generation {
		row.pending = time.Now()
	}
	row.lb, row.failures = &next, nil
	s.mu.Unlock()
	s.hint(id)
}

func (s *fakeStore) hint(id string) {
	s.mu.Lock()
	listeners := slices.Collect(maps.Values(s.hints))
	s.mu.Unlock()
	for _, fn := range listeners {
		fn(store.Hint{LoadBalancerID: id})
	}
}

func (s *fakeStore) OnHint(fn func(store.Hint)) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.next
	s.next++
	s.hints[id] = fn
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.hints, id)
	}
}

// progress returns a load balancer's, or false once it is gone.
func (s *fakeStore) progress(id string) (lbaas.Progress, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if row := s.lbs[id]; row != nil {
		return row.lb.Progress, true
	}
	return lbaas.Progress{}, false
}

func (s *fakeStore) status(id string) lbaas.ProvisioningStatus {
	p, ok := s.progress(id)
	if !ok {
		return "DELETED"
	}
	return p.Status()
}

func (s *fakeStore) written() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.writes)
}

func (s *fakeStore) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = err
}

func (s *fakeStore) Tree(ctx context.Context, id string) (*lbaas.LoadBalancer, error) {
	lb, err := s.tree(id)
	s.mu.Lock()
	read := s.read
	s.mu.Unlock()
	if read != nil {
		read(id)
	}
	return lb, err
}

func (s *fakeStore) tree(id string) (*lbaas.LoadBalancer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.lbs[id]
	if s.broken != nil {
		return nil, s.broken
	}
	if row == nil {
		return nil, lbaas.Missing(lbaas.NounLoadBalancer, id)
	}
	lb := *row.lb
	return &lb, nil
}

func (s *fakeStore) Pending(ctx context.Context, lease string, limit int) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id, row := range s.lbs {
		p := row.lb.Progress
		if store.LeaseName(row.lb) == lease && (p.Deleted || p.Failed || p.Observed < p.Generation) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return s.lbs[a].pending.Compare(s.lbs[b].pending) })
	return ids[:min(len(ids), limit)], s.broken
}

func (s *fakeStore) PendingAge(ctx context.Context, id string) (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.lbs[id]
	if row == nil || row.lb.Progress.Observed == row.lb.Progress.Generation && !row.lb.Progress.Deleted && !row.lb.Progress.Failed {
		return 0, s.broken
	}
	return time.Since(row.pending), s.broken
}

func (s *fakeStore) LoadBalancerIDs(ctx context.Context, lease string, providers ...string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id, row := range s.lbs {
		if store.LeaseName(row.lb) == lease && slices.Contains(providers, row.lb.Provider) {
			ids = append(ids, id)
		}
	}
	return ids, s.broken
}

// fenced runs fn if the lease is still held.
func (s *fakeStore) fenced(l store.Lease, fn func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	if row := s.leases[l.Name]; row == nil || row.Lease != l {
		return store.ErrLeaseLost
	}
	fn()
	return nil
}

func (s *fakeStore) Achieved(ctx context.Context, l store.Lease, id string, g int64, failures map[string]string, _ []lbaas.Amphora) error {
	return s.fenced(l, func() {
		row := s.lbs[id]
		s.writes = append(s.writes, fmt.Sprintf("achieved %s %d", id, g))
		if row == nil || row.lb.Progress.Generation > g {
			return
		}
		p := &row.lb.Progress
		*p = lbaas.Progress{Generation: p.Generation, Observed: g, Deleted: p.Deleted}
		if len(failures) > 0 {
			p.Failed, p.Reason = true, fmt.Sprint(failures)
		}
		row.failures = failures
	})
}

func (s *fakeStore) Waiting(ctx context.Context, l store.Lease, id string, g int64, reasons map[string]string, _ []lbaas.Amphora) error {
	return s.fenced(l, func() {
		s.writes = append(s.writes, fmt.Sprintf("waiting %s %d", id, g))
		if row := s.lbs[id]; row != nil && row.lb.Progress.Generation <= g {
			row.lb.Progress.Reason = fmt.Sprint(reasons)
		}
	})
}

func (s *fakeStore) Failing(ctx context.Context, l store.Lease, id string, g int64, reason string, failed bool) error {
	return s.fenced(l, func() {
		s.writes = append(s.writes, fmt.Sprintf("failing %s %d %v", id, g, failed))
		if row := s.lbs[id]; row != nil && row.lb.Progress.Generation <= g {
			row.lb.Progress.Reason, row.lb.Progress.Failed = reason, row.lb.Progress.Failed || failed
		}
	})
}

func (s *fakeStore) Gone(ctx context.Context, l store.Lease, id string, g int64) error {
	return s.fenced(l, func() {
		s.writes = append(s.writes, "gone "+id)
		delete(s.lbs, id)
	})
}

func (s *fakeStore) Observe(ctx context.Context, l store.Lease, seen map[string]store.Seen) error {
	return s.fenced(l, func() { maps.Copy(s.seen, seen) })
}

func (s *fakeStore) operating(id string) lbaas.OperatingStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[id].Operating[id]
}

func (s *fakeStore) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *fakeStore) LeaseNames(ctx context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	names := map[string]bool{}
	for _, row := range s.lbs {
		names[store.LeaseName(row.lb)] = true
	}
	return slices.Sorted(maps.Keys(names)), s.broken
}

func (s *fakeStore) AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return store.Lease{}, false, s.broken
	}
	row := s.leases[name]
	if row == nil {
		row = &fakeLease{Lease: store.Lease{Name: name}}
		s.leases[name] = row
	}
	if row.Holder != holder && time.Now().Before(row.until) {
		return store.Lease{}, false, nil
	}
	row.Holder, row.until = holder, time.Now().Add(ttl)
	row.Epoch++
	return row.Lease, true, nil
}

func (s *fakeStore) RenewLeases(ctx context.Context, all []store.Lease, ttl time.Duration) (kept []store.Lease, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return nil, s.broken
	}
	for _, l := range all {
		if row := s.leases[l.Name]; row != nil && row.Lease == l {
			row.until = time.Now().Add(ttl)
			kept = append(kept, l)
		}
	}
	return kept, nil
}

func (s *fakeStore) LeaseHolders(ctx context.Context) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	holders := map[string]string{}
	for name, l := range s.leases {
		if time.Now().Before(l.until) {
			holders[name] = l.Holder
		}
	}
	return holders, s.broken
}

func (s *fakeStore) ReleaseLease(ctx context.Context, l store.Lease) error {
	return s.fenced(l, func() { s.leases[l.Name].until = time.Time{} })
}

// fakeProvider is a data plane in memory. It refuses what an engine refuses: a write that is older than the last one.
type fakeProvider struct {
	t        testing.TB
	takes    time.Duration // how long an Apply lasts
	mu       sync.Mutex
	plane    map[string]made
	working  map[string]bool
	applies  int
	starts   []time.Time
	fail     []error           // answers of the next calls
	result   []provider.Result // of the next Applies
	failAll  error
	observed int
	events   chan string
}

type made struct{ epoch, generation int64 }

func newFakeProvider(t testing.TB) *fakeProvider {
	return &fakeProvider{t: t, plane: map[string]made{}, working: map[string]bool{}, events: make(chan string)}
}

// begin notes that a call works on a load balancer: two at once are a mistake of the loop.
func (p *fakeProvider) begin(id string) (end func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.working[id] {
		p.t.Errorf("two calls work on %s at once", id)
	}
	p.working[id] = true
	end = func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.working[id] = false
	}
	if p.failAll != nil {
		return end, p.failAll
	}
	if len(p.fail) > 0 {
		err, p.fail = p.fail[0], p.fail[1:]
	}
	return end, err
}

func (p *fakeProvider) Apply(ctx context.Context, lb *lbaas.LoadBalancer) (provider.Result, error) {
	p.mu.Lock()
	p.applies++
	p.starts = append(p.starts, time.Now())
	p.mu.Unlock()
	end, err := p.begin(lb.ID)
	defer end()
	p.mu.Lock()
	takes := p.takes
	p.mu.Unlock()
	if takes > 0 {
		select {
		case <-ctx.Done():
			return provider.Result{}, ctx.Err()
		case <-time.After(takes):
		}
	}
	if err != nil {
		return provider.Result{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := made{lb.Epoch, lb.Progress.Generation}
	if was := p.plane[lb.ID]; cmp.Or(cmp.Compare(was.epoch, now.epoch), cmp.Compare(was.generation, now.generation)) > 0 {
		p.t.Errorf("Apply of %v after %v", now, was)
	}
	p.plane[lb.ID] = now
	if len(p.result) > 0 {
		r := p.result[0]
		p.result = p.result[1:]
		return r, nil
	}
	return provider.Result{Method: "fake"}, nil
}

func (p *fakeProvider) Remove(ctx context.Context, lb *lbaas.LoadBalancer) error {
	end, err := p.begin(lb.ID)
	defer end()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.plane, lb.ID)
	return nil
}

func (p *fakeProvider) Observe(ctx context.Context, lbs []*lbaas.LoadBalancer) (map[string]provider.Observation, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.observed++
	seen := map[string]provider.Observation{}
	for _, lb := range lbs {
		if is, ok := p.plane[lb.ID]; ok {
			seen[lb.ID] = provider.Observation{
				Operating: map[string]lbaas.OperatingStatus{lb.ID: lbaas.Online}, Generation: is.generation, Epoch: is.epoch,
			}
		}
	}
	return seen, p.failAll
}

func (p *fakeProvider) Watch(ctx context.Context, changed func(string)) error {
	changed("")
	for {
		select {
		case <-ctx.Done():
			return nil
		case id := <-p.events:
			changed(id)
		}
	}
}

// lose takes a load balancer out of the data plane behind the loop's back.
func (p *fakeProvider) lose(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.plane, id)
}

func (p *fakeProvider) has(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.plane[id]
	return ok
}

func (p *fakeProvider) busy(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.working[id]
}

func (p *fakeProvider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.applies
}

func (p *fakeProvider) questions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.observed
}

func (p *fakeProvider) script(answers ...error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = answers
}

func (p *fakeProvider) answer(always error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failAll = always
}

// fakeNetworks holds ports.
type fakeNetworks struct {
	mu    sync.Mutex
	ports map[string]*network.Port
}

func (n *fakeNetworks) Ports(ctx context.Context, q store.Query) ([]*network.Port, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var found []*network.Port
	for _, id := range slices.Sorted(maps.Keys(n.ports)) {
		if p := *n.ports[id]; matches(&p, q) && id > q.Marker {
			found = append(found, &p)
		}
	}
	if q.Limit > 0 {
		found = found[:min(len(found), q.Limit)]
	}
	return found, nil
}

func matches(p *network.Port, q store.Query) bool {
	for _, f := range q.Filters {
		is := map[string]string{"device_owner": p.DeviceOwner, "device_id": p.DeviceID}[f.Attribute]
		if !slices.Contains(f.Values, is) {
			return false
		}
	}
	return true
}

func (n *fakeNetworks) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.ports)
}

func (n *fakeNetworks) UpdatePort(ctx context.Context, id string, change func(*network.Port) error) (*network.Port, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.ports[id]
	if p == nil {
		return nil, lbaas.Errorf(lbaas.NotFound, "Port %s could not be found.", id)
	}
	return p, change(p)
}

func (n *fakeNetworks) DeletePort(ctx context.Context, id string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ports[id] == nil {
		return lbaas.Errorf(lbaas.NotFound, "Port %s could not be found.", id)
	}
	delete(n.ports, id)
	return nil
}
