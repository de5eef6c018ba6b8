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
	unlock, err := p.locks.lock(ctx, lb.ID)
	if err != nil {
		return p.explain(ctx, lb, err)
	}
	defer unlock()
	was, now := p.memory.get(lb.ID), stampOf(lb)
	if now.before(was.stamp) {
		return lateError(lb.ID, now, was.stamp)
	}
	p.memory.begin(lb.ID, now)
	j := p.job(lb)
	j.unsure = !was.none
	left, err := j.removeAll(ctx, was)
	if err != nil && !controller.NoTenant(err) {
		return p.explain(ctx, lb, err)
	}
	if err != nil { // it goes with all that it had, unless it was renamed, or its name is misspelt
		p.log().Warn("Avi has no such tenant: nothing of the load balancer is looked for", "load_balancer", lb.ID, "tenant", j.tenant.UUID+j.tenant.Name)
	}
	p.memory.put(lb.ID, memory{stamp: now, none: true})
	if err := j.awaitCollection(ctx, left); err != nil {
		return p.explain(ctx, lb, err)
	}
	p.uses.drop(lb.ID)
	return nil
}

// removeAll deletes the objects and the VRF context. It reads what there is, so that what others may have made under another lease goes, too:
// unless an audit after the last Apply found nothing of that kind. It returns what has to wait for the controller.
func (j *job) removeAll(ctx context.Context, was memory) (left []string, err error) {
	if was.audited && was.serves(j) {
		j.known = was.objects.clone()
	} else if err := j.readAll(ctx); err != nil {
		return nil, err
	}
	if err := j.removeKnown(ctx); err != nil {
		return nil, err
	}
	by, err := j.removeVRF(ctx)
	if by != "" {
		left = append(left, fmt.Sprintf("VRF context %s (which %s refers to)", vrfName(j.lb.VIPSubnetID), by))
	}
	return left, err
}

// readAll finds out what there is to remove.
func (j *job) readAll(ctx context.Context) error {
	anchor, err := j.anchor(ctx, nil, false)
	if err != nil {
		return err
	}
	return j.read(ctx, anchor, translate.Objects(j.lb, nil, translate.Options{}))
}

// removeKnown deletes what there is. It is an error where others' objects refer to some of it.
func (j *job) removeKnown(ctx context.Context) error {
	var kept []string
	for _, k := range j.known.keys() {
		if k.kind == translate.VsVip && len(kept) > 0 {
			continue
		}
		by, err := j.remove(ctx, k)
		if err != nil {
			return err
		}
		if by != "" && !isAuthority(j.known[k]) {
			kept = append(kept, fmt.Sprintf("%s, which %s refers to", nameOf(k, j.known[k]), by))
		}
	}
	if len(kept) > 0 {
		return lbaas.Errorf(lbaas.Conflict, "The Avi Controller of provider %s keeps %s. An operator can take these references away; the load balancer goes then.",
			j.p.cfg.Name, strings.Join(kept, "; "))
	}
	return nil
}

// nameOf names an object as its users know it.
func nameOf(k key, o controller.Object) string {
	name, _ := o["name"].(string)
	return fmt.Sprintf("%s %q", nouns[k.kind], name)
}
