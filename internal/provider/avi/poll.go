package avi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"plimsoll/internal/provider/avi/controller"
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

// maxPause bounds how long it is waited before states are asked for anew: who waits has but so much time.
const maxPause = 5 * time.Second

// view is all that is known of a tenant, or of all tenants. Each part has a pace of its own.
type view struct {
	sight   *sight // nil is that nothing could be seen
	metrics *metrics
	audit   *audit // nil is that there is none yet
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
