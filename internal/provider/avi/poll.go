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
	"slices"
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

// atOnce is how many questions about single pools are under way at the same time.
const atOnce = 4

// sight is what was seen of the virtual services and pools of a tenant, or of all tenants.
type sight struct {
	began    time.Time
	services map[string]health
	pools    map[string]*poolSight
}

// view is all that is known of a tenant, or of all tenants. Each part has a pace of its own.
type view struct {
	sight   *sight
	metrics *metrics
	audit   *audit
}

// watcher asks a controller for many load balancers at once. Who comes while another asks waits, and is told the same.
type watcher struct {
	turn  chan struct{} // holds one token while somebody asks; who has put it there may use the rest
	alone bool          // the user may not read all tenants at once
	views map[controller.Tenant]*view
	ids   []string // of the metrics that the controller has
	still bool     // it told no metrics when it was last asked
}

func newWatcher() *watcher {
	return &watcher{turn: make(chan struct{}, 1), views: map[controller.Tenant]*view{}}
}

// take waits for the turn to ask.
func (w *watcher) take(ctx context.Context) (done func(), err error) {
	select {
	case w.turn <- struct{}{}:
		return func() { <-w.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// views are what is known of the tenants of some load balancers, by tenant; it is asked for where it is too old.
func (p *Provider) views(ctx context.Context, lbs []*lbaas.LoadBalancer) (func(*lbaas.LoadBalancer) view, error) {
	done, err := p.watcher.take(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if !p.watcher.alone {
		all, err := p.view(ctx, controller.AllTenants, lbs)
		if err == nil {
			return func(*lbaas.LoadBalancer) view { return all }, nil
		}
		if !forbidden(err) {
			return nil, err
		}
		p.watcher.alone = true
		p.log().Info("controller lets no user read all tenants at once; each is asked by itself", "err", err)
	}
	return p.viewsOfEach(ctx, lbs)
}

// viewsOfEach asks tenant by tenant. In one that is not there is nothing.
func (p *Provider) viewsOfEach(ctx context.Context, lbs []*lbaas.LoadBalancer) (func(*lbaas.LoadBalancer) view, error) {
	groups := map[controller.Tenant][]*lbaas.LoadBalancer{}
	for _, lb := range lbs {
		groups[p.tenant(lb)] = append(groups[p.tenant(lb)], lb)
	}
	views := map[controller.Tenant]view{}
	for t, group := range groups {
		v, err := p.view(ctx, t, group)
		if controller.NoTenant(err) {
			v, err = nowhere(), nil
		}
		if err != nil {
			return nil, err
		}
		views[t] = v
	}
	return func(lb *lbaas.LoadBalancer) view { return views[p.tenant(lb)] }, nil
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

// view brings what is known of a tenant up to date, as far as that is due. What was learnt is kept when the rest fails, and an old
// audit is better than none: where there is so much that a new one does not end in time, statuses are told all the same.
func (p *Provider) view(ctx context.Context, t controller.Tenant, lbs []*lbaas.LoadBalancer) (view, error) {
	v := p.watcher.views[t]
	if v == nil {
		v = &view{}
		p.watcher.views[t] = v
	}
	s, err := p.poll(ctx, t, lbs, v.sight)
	if err != nil {
		return view{}, err
	}
	v.sight = s
	if v.metrics == nil || time.Since(v.metrics.began) >= p.auditEvery(0) {
		v.metrics = p.measure(ctx, t, v.metrics)
	}
	if v.audit != nil && time.Since(v.audit.began) < p.auditEvery(v.audit.took) {
		return *v, nil
	}
	a, err := p.list(ctx, t)
	switch {
	case err == nil:
		v.audit = a
	case v.audit == nil:
		return view{}, err
	default:
		p.log().Warn("what others changed cannot be looked for", "err", err)
	}
	return *v, nil
}

// auditEvery is how old an audit may be. One that takes long is made more seldom, unless the configuration says how often.
func (p *Provider) auditEvery(took time.Duration) time.Duration {
	return cmp.Or(p.cfg.AuditEvery, max(auditEvery, 10*took))
}

// poll asks for the states anew where they are old, or older than what an Apply made of one of the load balancers. While many
// are being made, such questions come at a third of the pace: one answers for all that were made meanwhile.
func (p *Provider) poll(ctx context.Context, t controller.Tenant, lbs []*lbaas.LoadBalancer, last *sight) (*sight, error) {
	every := cmp.Or(p.cfg.PollEvery, pollEvery)
	if last != nil && time.Since(last.began) < every {
		if !p.madeSince(last.began, lbs) {
			return p.lookCloser(ctx, t, lbs, last, last)
		}
		if err := pause(ctx, every/3-time.Since(last.began)); err != nil {
			return nil, err
		}
	}
	s, err := p.look(ctx, t)
	if err != nil {
		return nil, err
	}
	return p.lookCloser(ctx, t, lbs, s, last)
}

// madeSince tells whether an Apply of one of the load balancers ended after that time.
func (p *Provider) madeSince(t time.Time, lbs []*lbaas.LoadBalancer) bool {
	return slices.ContainsFunc(lbs, func(lb *lbaas.LoadBalancer) bool { return !p.memory.get(lb.ID).ended.Before(t) })
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// look asks for the states of everything: the inventories are the controller's cheap way to tell of many objects.
func (p *Provider) look(ctx context.Context, t controller.Tenant) (*sight, error) {
	s := &sight{began: time.Now(), services: map[string]health{}, pools: map[string]*poolSight{}}
	services, err := p.ctl.List(ctx, t, "virtualservice-inventory", nil)
	if err != nil {
		return nil, fmt.Errorf("ask for the states of virtual services: %w", err)
	}
	for _, o := range services {
		s.services[inventoryUUID(o)] = healthOf(textAt(o, "runtime", "oper_status", "state"))
	}
	pools, err := p.ctl.List(ctx, t, "pool-inventory", nil)
	if err != nil {
		return nil, fmt.Errorf("ask for the states of pools: %w", err)
	}
	for _, o := range pools {
		s.pools[inventoryUUID(o)] = &poolSight{
			health:  healthOf(textAt(o, "runtime", "oper_status", "state")),
			servers: int(numberAt(o, "runtime", "num_servers")),
			enabled: int(numberAt(o, "runtime", "num_servers_enabled")),
			live:    int(numberAt(o, "runtime", "num_servers_up")),
		}
	}
	return s, nil
}

// inventoryUUID is the UUID of a row of an inventory, which has it beside or within the configuration.
func inventoryUUID(o controller.Object) string {
	return cmp.Or(textAt(o, "uuid"), textAt(o, "config", "uuid"))
}

// lookCloser adds to a sight which servers of the load balancers' pools are up, where the number of them does not tell. What an
// earlier sight knew is good as long as the numbers are the same and it is not older than an audit.
func (p *Provider) lookCloser(ctx context.Context, t controller.Tenant, lbs []*lbaas.LoadBalancer, s, last *sight) (*sight, error) {
	closer := map[string]*poolSight{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for uuid, known := range s.unclear(lbs) {
		pool := *known
		closer[uuid] = &pool
		if last != nil && pool.inherit(last.pools[uuid], p.auditEvery(0)) {
			continue
		}
		group.Go(func() error {
			each, err := p.servers(ctx, t, uuid)
			if controller.Absent(err) {
				return nil // deleted meanwhile
			}
			pool.each, pool.asked = each, time.Now()
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return s.with(closer), nil
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
	if o == nil || o.each == nil || time.Since(o.asked) >= good ||
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
