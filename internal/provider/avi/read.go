package avi

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"strings"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
)

func (o objects) clone() objects {
	if o == nil {
		return objects{}
	}
	return maps.Clone(o)
}

// anchor is the load balancer's VsVip, or nil. It is made before all else and goes after all else: without it there is nothing.
func (j *job) anchor(ctx context.Context, remembered objects, warm bool) (controller.Object, error) {
	if warm {
		return remembered[j.anchorKey()], nil
	}
	return j.fresh(ctx, j.anchorKey())
}

func (j *job) anchorKey() key { return key{translate.VsVip, translate.UUID(translate.VsVip, j.lb.ID)} }

// byCreator are the kinds of which lists can ask for those of a load balancer; of the others all of the tenant are looked at.
var (
	byCreator = []string{translate.VirtualService, translate.Pool, translate.PolicySet}
	byMark    = []string{translate.Monitor, translate.Persistence, translate.SSLProfile, translate.Certificate, translate.PKIProfile}
)

// read finds out what the controller has of a load balancer. Without an anchor that is nothing, unless somebody deleted it under what
// this process made, or began to make: one who has lost the lease and does not know yet.
func (j *job) read(ctx context.Context, anchor controller.Object, wanted []translate.Object) error {
	j.known = objects{}
	if anchor == nil && !j.unsure {
		return nil
	}
	if anchor != nil {
		j.take(j.anchorKey(), anchor)
	}
	for _, kind := range byCreator {
		// The answer is looked at, too: a controller that does not know the filter lists what is others'.
		ours := func(_ string, o controller.Object) bool { return o["created_by"] == creator(j.lb.ID) }
		if err := j.list(ctx, kind, url.Values{"created_by": {creator(j.lb.ID)}}, ours); err != nil {
			return err
		}
	}
	for _, kind := range byMark {
		ours := func(uuid string, o controller.Object) bool {
			m, marked := markOf(kind, o)
			return marked && m.lb == j.lb.ID || !marked && isWanted(wanted, kind, uuid)
		}
		if err := j.list(ctx, kind, nil, ours); err != nil {
			return err
		}
	}
	return nil
}

func isWanted(wanted []translate.Object, kind, uuid string) bool {
	for _, w := range wanted {
		if w.Kind == kind && w.UUID == uuid {
			return true
		}
	}
	return false
}

// list reads the objects of a kind that are the load balancer's. One that a newer tree made ends it: we are the late one.
func (j *job) list(ctx context.Context, kind string, query url.Values, ours func(uuid string, o controller.Object) bool) error {
	list, err := j.p.ctl.List(ctx, j.tenant, kind, query)
	if err != nil {
		return fmt.Errorf("list %s objects: %w", kind, err)
	}
	for _, o := range list {
		uuid := uuidOf(kind, o)
		if uuid == "" || !ours(uuid, o) {
			continue
		}
		if err := j.late(kind, o); err != nil {
			return err
		}
		j.take(key{kind, uuid}, o)
	}
	return nil
}

// named finds an object by its name; nil is that there is none.
func (j *job) named(ctx context.Context, t controller.Tenant, kind, name string) (controller.Object, error) {
	list, err := j.p.ctl.List(ctx, t, kind, url.Values{"name": {name}})
	if err != nil {
		return nil, fmt.Errorf("look for %s %s: %w", kind, name, err)
	}
	for _, o := range list {
		if o["name"] == name {
			return o, nil
		}
	}
	return nil, nil
}

// take notes an object as one of the load balancer's. One without our mark is to get it: another driver may have made it.
func (j *job) take(k key, o controller.Object) {
	j.known[k] = o
	if m, ok := markOf(k.kind, o); !ok || m.lb != j.lb.ID {
		j.adopt[k] = true
	}
}

// uuidOf is the UUID of an object, which its URL has in any case.
func uuidOf(kind string, o controller.Object) string {
	if uuid, _ := o["uuid"].(string); uuid != "" {
		return uuid
	}
	url, _ := o["url"].(string)
	of, uuid, _ := translate.ParseRef(url)
	if !strings.EqualFold(of, kind) {
		return ""
	}
	return uuid
}
