package avi

import (
	"context"
	"fmt"

	"plimsoll/internal/provider"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// Observe tells of many load balancers with one poll of the controller. Statuses and counters are as the controller has them, which looks
// at engines and servers on its own: of a load balancer that was just made it may take a moment until it is ONLINE.
func (p *Provider) Observe(ctx context.Context, lbs []*lbaas.LoadBalancer) (map[string]provider.Observation, error) {
	all := map[string]provider.Observation{}
	p.tallies.sweep()
	p.uses.see(lbs, p.now())
	if len(lbs) == 0 {
		return all, nil
	}
	viewOf, err := p.views(ctx, lbs)
	if err != nil {
		return nil, fmt.Errorf("observe %d load balancers on %s: %w", len(lbs), p.cfg.Name, err)
	}
	for _, lb := range lbs {
		if o, there := p.observation(ctx, lb, viewOf(lb)); there {
			all[lb.ID] = o
		}
	}
	return all, nil
}

// observation is false of a load balancer that neither this process made nor the controller has. One without listeners has
// nothing there, and nothing can be wrong with it.
func (p *Provider) observation(ctx context.Context, lb *lbaas.LoadBalancer, v view) (provider.Observation, bool) {
	was := p.memory.get(lb.ID)
	if v.sight == nil { // nothing is known, which is something else than that nothing is there
		return provider.Observation{Generation: was.done.generation, Epoch: was.done.epoch}, true
	}
	if !was.whole && len(lb.Listeners) > 0 && !v.has(lb) {
		return provider.Observation{}, false
	}
	changes := p.drifted(ctx, lb, was, v)
	if len(changes) == 0 && was.whole && v.audit != nil && v.audit.began.After(was.ended) {
		p.memory.confirm(lb.ID, was)
	}
	if len(changes) > 0 && !was.doubted {
		p.memory.doubt(lb.ID, was)
		p.log().Info("Avi objects are not as they were made", "load_balancer", lb.ID, "changes", changes)
	}
	last := was.done
	if !was.whole && v.audit != nil {
		last = v.audit.newest(lb.ID)
	}
	return provider.Observation{
		Operating:  lb.RollUp(lookout{lb, v.sight, v.sight.early(was)}.reported()),
		Statistics: p.statistics(ctx, lb, v.metrics),
		Drifted:    len(changes) > 0,
		Generation: last.generation,
		Epoch:      last.epoch,
	}, true
}

// has tells whether the controller has anything of a load balancer, as far as that is known.
func (v view) has(lb *lbaas.LoadBalancer) bool {
	if v.audit == nil || len(v.audit.ours[lb.ID]) > 0 {
		return true
	}
	for _, l := range lb.Listeners {
		if _, there := v.sight.services[translate.UUID(translate.VirtualService, l.ID)]; there {
			return true
		}
	}
	return false
}

// drifted is what is not as it was made. While an Apply is at work, or is yet to come, nothing is said, nor after one that did not end
// well: it comes again anyway.
func (p *Provider) drifted(ctx context.Context, lb *lbaas.LoadBalancer, was memory, v view) []string {
	switch {
	case was.whole:
		return drift(lb, was, v.sight, v.audit)
	case was.doubted:
		return []string{"it was found changed before"}
	case v.audit == nil || !v.audit.began.After(p.memory.lost()):
		return nil // an Apply that is not remembered any more may have been at work since
	case was.stamp == stamp{} && lb.Progress.Status() == lbaas.Active:
		return v.audit.compare(comparison{lb.ID, false, stampOf(lb)}, func() []string { return p.unknownDrift(ctx, lb, v.audit) })
	}
	return nil
}
