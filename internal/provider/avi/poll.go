package avi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// Paces at which a controller is asked, where Config says nothing.
const (
	pollEvery  = 3 * time.Second
	auditEvery = 30 * time.Second
)

// How long who observes waits for an audit or for metrics that are due: where there are older ones, and where there are none yet.
const (
	patience      = 3 * time.Second
	patienceFirst = 10 * time.Second
)

const (
	atOnce = 4 // questions about single pools or tenants that are under way at the same time
	few    = 2 // audits and collections of metrics that are; others' requests are to get through
)

// maxPause bounds how long it is waited before states are asked for anew: who waits has but so much time.
const maxPause = 5 * time.Second

// askTime bounds how long one thing is asked for, in whatever number of requests.
const askTime = 5 * time.Minute

// aloneFor is how long tenants are asked one by one until it is tried again to ask all at once.
const aloneFor = time.Hour

// sight is what was seen of the virtual services and pools of a tenant, or of all tenants.
type sight struct {
	began    time.Time
	took     time.Duration
	services map[string]health
	pools    map[string]*poolSight
}

// view is all that is known of a tenant, or of all tenants. Each part has a pace of its own.
type view struct {
	sight   *sight // nil is that nothing could be seen
	metrics *metrics
	audit   *audit // nil is that there is none yet
}

// desk is where what is known of a tenant, or of all tenants, comes together.
type desk struct {
	sight   news[*sight]
	audit   news[*audit]
	metrics news[*metrics]

	mu      sync.Mutex
	closer  map[string]*poolSight // pools of which the servers were asked for
	trouble map[string]string     // what was last said to be wrong, by what it is about

	// Guarded by the mutex of the watcher.
	used time.Time
	took time.Duration // of the last audit
}

// watcher asks a controller for many load balancers at once.
type watcher struct {
	life context.Context
	stop context.CancelFunc
	work sync.WaitGroup
	few  chan struct{} // one token for each audit and collection under way

	mu     sync.Mutex
	closed bool
	alone  time.Time // since when the user may not read all tenants at once
	desks  map[controller.Tenant]*desk
	spent  time.Duration // of the last audits of all desks, together
	ids    []string      // of the metrics that the controller has
}

func newWatcher() *watcher {
	w := &watcher{few: make(chan struct{}, few), desks: map[controller.Tenant]*desk{}}
	w.life, w.stop = context.WithCancel(context.Background())
	return w
}

// close ends what is being asked for.
func (w *watcher) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.stop()
	w.work.Wait()
}

// start has work done beside, unless all is to end.
func (w *watcher) start(work func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.work.Go(work)
	return true
}

// desk is that of a tenant. Those that nobody used for long are given up.
func (p *Provider) desk(t controller.Tenant) *desk {
	w := p.watcher
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.desks[t]
	if d == nil {
		w.sweep()
		d = p.newDesk(t)
		w.desks[t] = d
	}
	d.used = time.Now()
	return d
}

// sweep forgets the desks that nobody used for long. It needs the mutex.
func (w *watcher) sweep() {
	maps.DeleteFunc(w.desks, func(_ controller.Tenant, d *desk) bool {
		old := time.Since(d.used) > forgotten
		if old {
			w.spent -= d.took
		}
		return old
	})
}

// newDesk returns a desk for a tenant. What it asks for goes on when who wanted to know has gone.
func (p *Provider) newDesk(t controller.Tenant) *desk {
	d := &desk{closer: map[string]*poolSight{}, trouble: map[string]string{}}
	d.sight = news[*sight]{start: p.watcher.start, ask: func(_ *sight, at time.Time) (*sight, error) {
		ctx, cancel := context.WithTimeout(p.watcher.life, askTime)
		defer cancel()
		return p.look(ctx, t, at)
	}}
	d.audit = news[*audit]{start: p.watcher.start, ask: func(*audit, time.Time) (*audit, error) {
		return beside(p.watcher, func(ctx context.Context) (*audit, error) {
			a, err := p.list(ctx, t)
			if err == nil {
				p.watcher.account(t, d, a.took)
			}
			return a, err
		})
	}}
	d.metrics = news[*metrics]{start: p.watcher.start, ask: func(last *metrics, at time.Time) (*metrics, error) {
		return beside(p.watcher, func(ctx context.Context) (*metrics, error) { return p.measure(ctx, t, d, last, at) })
	}}
	return d
}

// account notes how long an audit took.
func (w *watcher) account(t controller.Tenant, d *desk, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.desks[t] == d {
		w.spent += took - d.took
		d.took = took
	}
}

// beside does what takes long once few others do.
func beside[T any](w *watcher, work func(context.Context) (T, error)) (T, error) {
	w.few <- struct{}{}
	defer func() { <-w.few }()
	ctx, cancel := context.WithTimeout(w.life, askTime)
	defer cancel()
	return work(ctx)
}

// lone tells whether tenants are to be asked one by one.
func (w *watcher) lone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.alone.IsZero() && time.Since(w.alone) < aloneFor
}

// part has tenants asked one by one from now on. It tells whether that is new.
func (w *watcher) part() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := w.alone.IsZero()
	w.alone = time.Now()
	return first
}

// views are what is known of the tenants of some load balancers, by tenant; it is asked for where it is too old. All tenants are asked at
// once, but not where one has all load balancers, where the user may not, and where there are so many others' objects that it costs more.
func (p *Provider) views(ctx context.Context, lbs []*lbaas.LoadBalancer) (func(*lbaas.LoadBalancer) view, error) {
	if p.cfg.Tenants.Single != "" || p.watcher.lone() {
		return p.viewsOfEach(ctx, lbs)
	}
	all, err := p.view(ctx, controller.AllTenants, lbs)
	switch {
	case forbidden(err):
		if p.watcher.part() {
			p.log().Info("controller lets no user read all tenants at once; each is asked by itself", "err", err)
		}
		return p.viewsOfEach(ctx, lbs)
	case err != nil:
		return nil, err
	case all.crowded():
		p.watcher.part() // from the next time on
	}
	return func(*lbaas.LoadBalancer) view { return all }, nil
}

// crowded tells whether it takes fewer requests to ask for the states in each tenant that has load balancers than in all at once.
func (v view) crowded() bool {
	const inventories, pageSize = 2, 200
	rows := len(v.sight.services) + len(v.sight.pools)
	return v.audit != nil && 2*v.audit.states < rows && inventories*len(v.audit.tenants) < rows/pageSize
}

// viewsOfEach asks tenant by tenant. In one that is not there is nothing. Of one that cannot be read nothing is known, which is no
// reason not to tell of others.
func (p *Provider) viewsOfEach(ctx context.Context, lbs []*lbaas.LoadBalancer) (func(*lbaas.LoadBalancer) view, error) {
	groups := map[controller.Tenant][]*lbaas.LoadBalancer{}
	for _, lb := range lbs {
		groups[p.tenant(lb)] = append(groups[p.tenant(lb)], lb)
	}
	var mu sync.Mutex
	views := map[controller.Tenant]view{}
	all, bound := errgroup.WithContext(ctx)
	all.SetLimit(atOnce)
	for t, group := range groups {
		all.Go(func() error {
			v, err := p.view(bound, t, group)
			switch {
			case controller.NoTenant(err):
				v = nowhere()
			case hopeless(bound, err):
				return err
			}
			p.complain(p.desk(t), "tenant cannot be observed", err)
			mu.Lock()
			defer mu.Unlock()
			views[t] = v
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	return func(lb *lbaas.LoadBalancer) view { return views[p.tenant(lb)] }, nil
}

// hopeless tells whether an error is none of one object or tenant: nobody answers, or there is no time left.
func hopeless(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || errors.Is(err, errEnded) || controller.Unreachable(err) || controller.Denied(err))
}

// complain tells of an error, once for as long as it lasts.
func (p *Provider) complain(d *desk, about string, err error) {
	text := ""
	if err != nil && !controller.NoTenant(err) {
		text = err.Error()
	}
	d.mu.Lock()
	was := d.trouble[about]
	d.trouble[about] = text
	d.mu.Unlock()
	if text != was && text != "" {
		p.log().Warn(about, "err", err)
	}
}

// nowhere is the view of a tenant that is not there.
func nowhere() view {
	return view{&sight{began: time.Now()}, &metrics{}, &audit{began: time.Now()}}
}

// forbidden tells whether the user may not read all tenants, which is something else than not to be let in.
func forbidden(err error) bool {
	e, ok := errors.AsType[*controller.Error](err)
	return ok && e.Status == http.StatusForbidden && !controller.Denied(err)
}

// view is what is known of a tenant, brought up to date as far as that is due. Statuses are told even where there is so much that an
// audit takes long, or that cannot be read: an older audit is as good then, or none.
func (p *Provider) view(ctx context.Context, t controller.Tenant, lbs []*lbaas.LoadBalancer) (view, error) {
	d := p.desk(t)
	s, err := p.poll(ctx, d, lbs)
	if err != nil {
		return view{}, err
	}
	if s, err = p.lookCloser(ctx, t, d, lbs, s); err != nil {
		return view{}, err
	}
	due := time.Now().Add(-p.auditEvery())
	a, known, err := d.audit.lately(ctx, due, d.audit.patience())
	p.complain(d, "what others changed cannot be looked for", err)
	if !known {
		a = nil
	}
	m, known, err := d.metrics.lately(ctx, due, d.metrics.patience())
	p.complain(d, "controller tells no metrics", err)
	if !known {
		m = &metrics{}
	}
	return view{s, m, a}, nil
}

// patience is how long it is waited for news.
func (n *news[T]) patience() time.Duration {
	if n.asked().IsZero() {
		return patienceFirst
	}
	return patience
}

// auditEvery is how old an audit may be. Where they take long they are made more seldom: a tenth of the time at most. Spans that are
// shorter than a second are taken at their word.
func (p *Provider) auditEvery() time.Duration {
	every := cmp.Or(p.cfg.AuditEvery, auditEvery)
	if every < time.Second {
		return every
	}
	p.watcher.mu.Lock()
	defer p.watcher.mu.Unlock()
	return max(every, 10*p.watcher.spent)
}

// pollEvery is how old states may be. Where they take long to be told they are asked for more seldom, as audits are: a fifth of the time.
func (p *Provider) pollEvery(d *desk) time.Duration {
	every := cmp.Or(p.cfg.PollEvery, pollEvery)
	if last, known := d.sight.now(); known && every >= time.Second {
		every = max(every, 5*last.took)
	}
	return every
}

// poll returns the states, which are asked for where they are old, or older than what an Apply made of one of the load balancers. While
// many are being made, such questions come three times as often, and no more: one answers for all that were made meanwhile.
func (p *Provider) poll(ctx context.Context, d *desk, lbs []*lbaas.LoadBalancer) (*sight, error) {
	every := p.pollEvery(d)
	fresh, made, last := time.Now().Add(-every), p.madeLast(lbs), d.sight.asked()
	if made.After(fresh) {
		fresh = made
		if !last.IsZero() && last.Before(made) {
			if err := pause(ctx, min(every/3-time.Since(last), maxPause)); err != nil {
				return nil, err
			}
		}
	}
	return d.sight.since(ctx, fresh, made)
}

// madeLast is a moment after the last Apply of the load balancers ended.
func (p *Provider) madeLast(lbs []*lbaas.LoadBalancer) time.Time {
	var last time.Time
	for _, lb := range lbs {
		if ended := p.memory.get(lb.ID).ended; ended.After(last) {
			last = ended
		}
	}
	return last.Add(1)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// nameless is that references need no names, which the controller would have to look up.
var nameless = url.Values{"include_name": nil}

// look asks for the states of everything: the inventories are the controller's cheap way to tell of many objects.
func (p *Provider) look(ctx context.Context, t controller.Tenant, at time.Time) (*sight, error) {
	s := &sight{began: at, services: map[string]health{}, pools: map[string]*poolSight{}}
	err := p.ctl.Each(ctx, t, "virtualservice-inventory", nameless, func(o controller.Object) {
		s.services[inventoryUUID(o)] = healthOf(textAt(o, "runtime", "oper_status", "state"))
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the states of virtual services: %w", err)
	}
	err = p.ctl.Each(ctx, t, "pool-inventory", nameless, func(o controller.Object) {
		s.pools[inventoryUUID(o)] = &poolSight{
			health:  healthOf(textAt(o, "runtime", "oper_status", "state")),
			servers: int(numberAt(o, "runtime", "num_servers")),
			enabled: int(numberAt(o, "runtime", "num_servers_enabled")),
			live:    int(numberAt(o, "runtime", "num_servers_up")),
		}
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the states of pools: %w", err)
	}
	s.took = time.Since(s.began)
	return s, nil
}

// inventoryUUID is the UUID of a row of an inventory, which has it beside or within the configuration.
func inventoryUUID(o controller.Object) string {
	return cmp.Or(textAt(o, "uuid"), textAt(o, "config", "uuid"))
}

// lookCloser adds to a sight which servers of the load balancers' pools are up, where the number of them does not tell. What was
// known earlier is good as long as the numbers are the same and it is not older than an audit.
func (p *Provider) lookCloser(ctx context.Context, t controller.Tenant, d *desk, lbs []*lbaas.LoadBalancer, s *sight) (*sight, error) {
	closer := map[string]*poolSight{}
	group, bound := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for uuid, known := range s.unclear(lbs) {
		pool := *known
		closer[uuid] = &pool
		last := d.closest(uuid)
		if pool.inherit(last, p.auditEvery()) {
			continue
		}
		group.Go(func() error {
			err := p.askServers(bound, t, uuid, &pool)
			if err == nil || hopeless(bound, err) {
				return err
			}
			if pool.asked = time.Now(); last != nil { // so that it is not asked for again and again
				pool.each = last.each
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	d.keep(s, closer)
	return s.with(closer), nil
}

// askServers asks which servers of a pool are up. One that was deleted meanwhile has none.
func (p *Provider) askServers(ctx context.Context, t controller.Tenant, uuid string, pool *poolSight) error {
	each, err := p.servers(ctx, t, uuid)
	if err != nil && !controller.Absent(err) {
		p.log().Debug("servers of a pool are not known", "pool", uuid, "err", err)
		return err
	}
	pool.each, pool.asked = each, time.Now()
	return nil
}

// closest is what was last known of the servers of a pool, or nil.
func (d *desk) closest(uuid string) *poolSight {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closer[uuid]
}

// keep remembers what is known of the servers of pools, as long as these are there.
func (d *desk) keep(s *sight, closer map[string]*poolSight) {
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.Copy(d.closer, closer)
	maps.DeleteFunc(d.closer, func(uuid string, _ *poolSight) bool { return s.pools[uuid] == nil })
}

// with is the sight with some of its pools replaced. The sight itself stays: others may be reading it.
func (s *sight) with(pools map[string]*poolSight) *sight {
	if len(pools) == 0 {
		return s
	}
	c := *s
	c.pools = maps.Clone(s.pools)
	maps.Copy(c.pools, pools)
	return &c
}

// unclear are the pools of load balancers whose numbers do not tell which servers are up.
func (s *sight) unclear(lbs []*lbaas.LoadBalancer) map[string]*poolSight {
	all := map[string]*poolSight{}
	for _, lb := range lbs {
		for _, p := range lb.Pools {
			for _, uuid := range copies(lb, p) {
				if pool := s.pools[uuid]; pool != nil && (pool.health == up || pool.health == down) && !pool.numbersTell(p) {
					all[uuid] = pool
				}
			}
		}
	}
	return all
}

// inherit takes over which servers are up from an earlier sight of the same pool, where that is good.
func (s *poolSight) inherit(o *poolSight, good time.Duration) bool {
	if o == nil || time.Since(o.asked) >= good ||
		s.health != o.health || s.servers != o.servers || s.enabled != o.enabled || s.live != o.live {
		return false
	}
	s.each, s.asked = o.each, o.asked
	return true
}

// servers are the states of the servers of one pool.
func (p *Provider) servers(ctx context.Context, t controller.Tenant, uuid string) (map[string]health, error) {
	var answer any
	if err := p.ctl.Call(ctx, t, http.MethodGet, translate.Pool+"/"+uuid+"/runtime/server/", nil, nil, &answer); err != nil {
		return nil, fmt.Errorf("ask for the servers of %s: %w", uuid, err)
	}
	return serversIn(answer), nil
}

// serversIn reads the states of servers: a list, or one in an envelope.
func serversIn(answer any) map[string]health {
	if o, ok := answer.(map[string]any); ok {
		answer = o["results"]
	}
	list, _ := answer.([]any)
	each := map[string]health{}
	for _, e := range list {
		o, _ := e.(map[string]any)
		address := cmp.Or(textAt(o, "ip_addr", "addr"), textAt(o, "ip", "addr"))
		if a, err := netip.ParseAddr(address); err == nil {
			address = a.String() // IPv6 is written in several ways
		}
		each[serverKey(address, int(numberAt(o, "port")))] = healthOf(textAt(o, "oper_status", "state"))
	}
	return each
}

// inside is what an object has at a path of keys, or nil.
func inside(o map[string]any, path ...string) any {
	for _, key := range path[:len(path)-1] {
		o, _ = o[key].(map[string]any)
	}
	return o[path[len(path)-1]]
}

// textAt is the text that an object has at a path, or "".
func textAt(o map[string]any, path ...string) string {
	s, _ := inside(o, path...).(string)
	return s
}

// numberAt is what an object has at a path, 0 where that is no number.
func numberAt(o map[string]any, path ...string) float64 {
	switch n := inside(o, path...).(type) {
	case json.Number:
		f, _ := n.Float64()
		return f
	case float64:
		return n
	case int64:
		return float64(n)
	}
	return 0
}
