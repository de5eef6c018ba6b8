package avi

import (
	"context"
	"fmt"
	"strings"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// Remove deletes the objects of a load balancer in the order in which none is needed any more, the VRF context of its subnet where it was
// the last there, and sees to it that the controller frees its ports. Where others' objects refer to ours, and while ports are
// not free, it gives an *lbaas.Error that names them.
func (p *Provider) Remove(ctx context.Context, lb *lbaas.LoadBalancer) error {
	defer p.locks.lock(lb.ID)()
	was, now := p.memory.get(lb.ID), stampOf(lb)
	if now.before(was.stamp) {
		return lateError(lb.ID, now, was.stamp)
	}
	p.memory.begin(lb.ID, now)
	j := p.job(lb)
	if err := j.removeAll(ctx); err != nil && !controller.NoTenant(err) {
		return p.explain(ctx, lb, err)
	}
	if err := j.freePorts(ctx); err != nil {
		return p.explain(ctx, lb, err)
	}
	p.uses.drop(lb.ID)
	return nil
}

// removeAll deletes the objects and the VRF context. It reads what there is: what others may have made under another lease goes, too.
func (j *job) removeAll(ctx context.Context) error {
	anchor, err := j.anchor(ctx, nil, false)
	if err != nil {
		return err
	}
	if err := j.read(ctx, anchor, translate.Objects(j.lb, nil, translate.Options{})); err != nil {
		return err
	}
	var kept []string
	for _, k := range j.known.keys() {
		if k.kind == translate.VsVip && len(j.known) > 1 {
			continue
		}
		by, err := j.remove(ctx, k)
		if err != nil {
			return err
		}
		if by != "" {
			kept = append(kept, fmt.Sprintf("%s, which %s refers to", nameOf(k, j.known[k]), by))
		}
	}
	if len(kept) > 0 {
		return lbaas.Errorf(lbaas.Conflict, "The Avi Controller of provider %s keeps %s. An operator can take these references away; the load balancer goes then.",
			j.p.cfg.Name, strings.Join(kept, "; "))
	}
	return j.removeVRF(ctx)
}

// nameOf names an object as its users know it.
func nameOf(k key, o controller.Object) string {
	name, _ := o["name"].(string)
	return fmt.Sprintf("%s %q", nouns[k.kind], name)
}
