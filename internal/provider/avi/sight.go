package avi

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// sight is what was seen of the virtual services and pools of a tenant, or of all tenants.
type sight struct {
	began    time.Time
	took     time.Duration
	services map[string]health
	pools    map[string]*poolSight
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
