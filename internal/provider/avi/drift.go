package avi

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// audit is what a tenant, or all of them, have of ours.
type audit struct {
	began   time.Time
	took    time.Duration
	objects objects
	ours    map[string][]key // by load balancer, as the objects' marks say
	tenants map[string]bool  // that have any
	states  int              // how many of them are in inventories

	mu       sync.Mutex
	compared map[comparison][]string // what came of it: it is asked for again and again
}

// comparison names what was compared with an audit: what an Apply left, or a tree that none of this process made.
type comparison struct {
	lb   string
	made bool
	stamp
}

// compare returns what came of a comparison, which is made once.
func (a *audit) compare(c comparison, judge func() []string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all, done := a.compared[c]
	if !done {
		if a.compared == nil {
			a.compared = map[comparison][]string{}
		}
		all = judge()
		a.compared[c] = all
	}
	return all
}

// list reads all objects of the kinds that load balancers are made of. What has no mark of ours and is not known as one of ours is
// not kept.
func (p *Provider) list(ctx context.Context, t controller.Tenant) (*audit, error) {
	a := &audit{began: time.Now(), objects: objects{}, ours: map[string][]key{}, tenants: map[string]bool{}}
	known := p.memory.objects()
	for _, kind := range kinds {
		err := p.ctl.Each(ctx, t, kind, nil, func(o controller.Object) { a.add(kind, o, known) })
		if err != nil {
			return nil, fmt.Errorf("list the objects of kind %s: %w", kind, err)
		}
	}
	a.took = time.Since(a.began)
	return a, nil
}

// add keeps an object that is one of ours. One that nobody wrote since we did is as it was answered then, which needs no second copy.
func (a *audit) add(kind string, o controller.Object, known objects) {
	k := key{kind, uuidOf(kind, o)}
	m, marked := markOf(kind, o)
	if marked {
		a.ours[m.lb] = append(a.ours[m.lb], k)
	}
	was := known[k]
	if at := textAt(o, lastModified); was != nil && at != "" && at == textAt(was, lastModified) {
		o = was
	}
	if marked || was != nil {
		a.objects[k] = o
		a.tenants[textAt(o, "tenant_ref")] = true
		if kind == translate.VirtualService || kind == translate.Pool {
			a.states++
		}
	}
}

// lastModified is the field that tells when an object was written last.
const lastModified = "_last_modified"

// objects are those of all load balancers that are remembered.
func (m *memories) objects() objects {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := objects{}
	for _, one := range m.all {
		maps.Copy(all, one.objects)
	}
	return all
}

// newest is the stamp of the newest mark on a load balancer's objects.
func (a *audit) newest(lbID string) stamp {
	var s stamp
	for _, k := range a.ours[lbID] {
		if m, ok := markOf(k.kind, a.objects[k]); ok && s.before(m.stamp) {
			s = m.stamp
		}
	}
	return s
}

// drift is what is not as the last Apply left it. It is pure. Nothing is known while an Apply is at work, or of what one did
// after it was looked.
func drift(lb *lbaas.LoadBalancer, was memory, s *sight, a *audit) []string {
	var all []string
	if !s.early(was) {
		all = vanished(was, s)
	}
	if a != nil && a.began.After(was.ended) {
		all = append(all, a.compare(comparison{lb.ID, true, was.done}, func() []string {
			return append(a.changed(was.wanted), a.foreign(lb, was)...)
		})...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// lag is how long after something was made inventories may not have it yet: they are the controller's memory of what it did, not what
// it was told. That something is not there is found by an audit, too.
const lag = 15 * time.Second

// early tells whether a sight may not have what the last Apply made.
func (s *sight) early(was memory) bool { return was.whole && !s.began.After(was.ended.Add(lag)) }

// vanished are the virtual services and pools that the inventories do not have any more.
func vanished(was memory, s *sight) []string {
	var all []string
	for k := range was.objects {
		there := true
		switch k.kind {
		case translate.VirtualService:
			_, there = s.services[k.uuid]
		case translate.Pool:
			_, there = s.pools[k.uuid]
		}
		if !there {
			all = append(all, k.uuid+" is missing")
		}
	}
	return all
}

// changed are the objects that are not there, or not as they are wanted.
func (a *audit) changed(wanted []translate.Object) []string {
	var all []string
	for _, w := range wanted {
		o, there := a.objects[key{w.Kind, w.UUID}]
		if !there {
			all = append(all, w.UUID+" is missing")
			continue
		}
		if diff := differs(o, w); len(diff) > 0 {
			all = append(all, w.UUID+" differs in "+strings.Join(diff, ", "))
		}
	}
	return all
}

// foreign are objects that say they are the load balancer's and that the last Apply did not leave there, or not so.
func (a *audit) foreign(lb *lbaas.LoadBalancer, was memory) []string {
	var all []string
	for _, k := range a.ours[lb.ID] {
		m, _ := markOf(k.kind, a.objects[k])
		switch {
		case was.objects[k] == nil && isAuthority(a.objects[k]): // others refer to it, or will delete it
		case was.objects[k] == nil:
			all = append(all, k.uuid+" is too many")
		case was.done.before(m.stamp):
			all = append(all, k.uuid+" was written for generation "+m.stamp.String())
		}
	}
	return all
}

// unknownDrift is the drift of a load balancer that this process has not made: it is translated as an Apply would. Certificates are
// not read for it, so what depends on them is compared at the next Apply only. One that cannot be translated is no reason not to tell
// of others.
func (p *Provider) unknownDrift(ctx context.Context, lb *lbaas.LoadBalancer, a *audit) []string {
	wanted, err := p.wantedUnread(ctx, lb, a)
	if err != nil {
		p.log().Warn("Avi objects cannot be compared with what is wanted", "load_balancer", lb.ID, "err", err)
		return nil
	}
	keep := map[key]bool{}
	var all []string
	for _, w := range wanted {
		keep[key{w.Kind, w.UUID}] = true
	}
	all = append(all, a.changed(slices.DeleteFunc(wanted, func(w translate.Object) bool { return w.Held }))...)
	for _, k := range a.ours[lb.ID] {
		if !keep[k] && k.kind != translate.Certificate && k.kind != translate.PKIProfile {
			all = append(all, k.uuid+" is too many")
		}
	}
	return all
}

// wantedUnread are the objects that a load balancer wants, as far as that can be told without its certificates. Without an anchor it is
// not settled which VRF context it is in, and all else is missing anyway.
func (p *Provider) wantedUnread(ctx context.Context, lb *lbaas.LoadBalancer, a *audit) ([]translate.Object, error) {
	k := key{translate.VsVip, translate.UUID(translate.VsVip, lb.ID)}
	anchor := a.objects[k]
	switch {
	case len(lb.Listeners) == 0:
		return nil, nil
	case anchor == nil:
		return []translate.Object{{Kind: k.kind, UUID: k.uuid}}, nil
	}
	return p.job(lb).wanted(ctx, nil, anchor)
}
