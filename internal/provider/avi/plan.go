package avi

import (
	"cmp"
	"slices"
	"strings"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
)

// plan is what is to be done to a load balancer's objects, in this order. It is made without asking anybody.
type plan struct {
	// first are virtual services that go before others come: a new one may want the port of an old one.
	first []key
	// yield are children as far as they may have their names before others of them have theirs.
	yield []translate.Object
	// ensure are all objects that are wanted, each after those that it refers to.
	ensure []translate.Object
	// last are what else is left over, each before those that it refers to.
	last []key
}

// kinds are the kinds of object, each after those that it refers to. The VsVip is the anchor: it is made first and goes last, so
// that where there is none there is nothing of the load balancer.
var kinds = translate.Kinds

// rank is where a kind comes in the order in which objects are made.
func rank(kind string) int { return slices.Index(kinds, kind) }

// draw plans how what is known becomes what is wanted.
func draw(known objects, wanted []translate.Object) plan {
	p := plan{ensure: slices.Clone(wanted)}
	slices.SortStableFunc(p.ensure, func(a, b translate.Object) int { return cmp.Compare(rank(a.Kind), rank(b.Kind)) })
	keep := map[key]bool{}
	for _, w := range wanted {
		keep[key{w.Kind, w.UUID}] = true
	}
	for k := range known {
		switch {
		case keep[k]:
		case k.kind == translate.VirtualService:
			p.first = append(p.first, k)
		default:
			p.last = append(p.last, k)
		}
	}
	var gone []key
	p.yield, gone = yields(known, wanted)
	p.first = append(p.first, gone...)
	known.sortForDeletion(p.first)
	known.sortForDeletion(p.last)
	return p
}

// sortForDeletion puts objects into an order in which each comes before those that it refers to.
func (o objects) sortForDeletion(list []key) {
	slices.SortFunc(list, func(a, b key) int {
		return cmp.Or(cmp.Compare(rank(b.kind), rank(a.kind)), cmp.Compare(o.base(a), o.base(b)), strings.Compare(a.uuid, b.uuid))
	})
}

// base is 1 for an object that others of its kind may refer to: the parent of virtual services, an authority's certificate.
func (o objects) base(k key) int {
	switch o[k]["type"] {
	case "VS_TYPE_VH_PARENT", "SSL_CERTIFICATE_TYPE_CA":
		return 1
	}
	return 0
}

// keys are all objects, in the order in which they can be deleted.
func (o objects) keys() []key {
	var all []key
	for k := range o {
		all = append(all, k)
	}
	o.sortForDeletion(all)
	return all
}

// refersTo tells whether another object refers to one.
func (o objects) refersTo(k key) bool {
	is := func(uuid string) bool { return uuid == k.uuid }
	for other, v := range o {
		if other != k && refers("", v, is) {
			return true
		}
	}
	return false
}

// refers tells whether there is a reference in a value whose UUID is such.
func refers(field string, v any, such func(uuid string) bool) bool {
	switch v := v.(type) {
	case string:
		if !isRef(field) {
			return false
		}
		_, uuid, _ := translate.ParseRef(v)
		return uuid != "" && such(uuid)
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return refers(field, e, such) })
	case map[string]any:
		for f, e := range v {
			if refers(f, e, such) {
				return true
			}
		}
	}
	return false
}

// dispensable are the fields without which an object is of use: where what they refer to could not be made, they are not set.
var dispensable = []string{
	"pool_ref", "health_monitor_refs", "application_persistence_profile_ref", httpPolicies, "http_request_policy", "http_security_policy",
}

// without is an object without its references to what is not there. It is false where the object is of no use so.
func without(w translate.Object, missing func(uuid string) bool) (translate.Object, bool) {
	owned := controller.Object{}
	for field, v := range w.Owned {
		if refers(field, v, missing) {
			if !slices.Contains(dispensable, field) {
				return w, false
			}
			v = cleared(field, v, missing)
		}
		owned[field] = v
	}
	w.Owned = owned
	return w, true
}

// cleared is the value of a field without what refers to what is not there. Of a list only the elements go that do.
func cleared(field string, v any, missing func(uuid string) bool) any {
	switch v := v.(type) {
	case []any:
		return slices.DeleteFunc(slices.Clone(v), func(e any) bool { return refers(field, e, missing) })
	case map[string]any:
		o := map[string]any{}
		for f, e := range v {
			if refers(f, e, missing) {
				e = cleared(f, e, missing)
			}
			o[f] = e
		}
		return o
	}
	return nil
}
