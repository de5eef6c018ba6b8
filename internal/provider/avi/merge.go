package avi

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
)

// differs are the fields that are ours and are not as they are wanted, as paths: "servers[10.0.0.1:80].ratio".
func differs(known controller.Object, wanted translate.Object) []string {
	g := merging{wanted: wanted}
	g.object(known)
	return g.diff
}

// merge carries what is wanted into what the controller has. What is not ours stays as it is, inside of lists and objects, too.
// Known is not changed.
func merge(known controller.Object, wanted translate.Object, m mark) controller.Object {
	g := merging{wanted: wanted}
	o := g.object(known)
	maps.Copy(o, wanted.WriteOnly)
	m.put(wanted.Kind, o)
	return o
}

// merging is one walk through an object that is wanted.
type merging struct {
	wanted translate.Object
	diff   []string
}

// object merges a whole object. Its name may be the alias, and its description has the mark.
func (g *merging) object(known controller.Object) controller.Object {
	owned := maps.Clone(g.wanted.Owned)
	if name, _ := known["name"].(string); name != "" && name == g.wanted.Alias {
		owned["name"] = name
	}
	text, described := owned[description].(string)
	delete(owned, description)
	o := g.fields("", ownAuthorities(g.wanted.Kind, known), owned)
	if described {
		is, _ := known[description].(string)
		if unmarked(is) != unmarked(text) {
			g.differs(description)
			o[description] = text
		}
	}
	return o
}

func (g *merging) differs(path string) { g.diff = append(g.diff, path) }

// fields merges the fields of an object, or of one inside it.
func (g *merging) fields(path string, known, wanted map[string]any) map[string]any {
	o := maps.Clone(known)
	if o == nil || replaced(known, wanted) || path != "" && becomes(known, wanted, "type") {
		o = map[string]any{}
	}
	for _, field := range slices.Sorted(maps.Keys(wanted)) {
		v := g.value(join(path, field), field, known[field], wanted[field])
		if v == nil {
			delete(o, field)
			continue
		}
		o[field] = v
	}
	return o
}

// replaced tells whether a certificate becomes another one, or a rule does something else: what is said besides of the old one is of no
// use any more.
func replaced(known, wanted map[string]any) bool {
	return becomes(known, wanted, certificateText) || becomes(known, wanted, "action")
}

// becomes tells whether a field that says what all others are of becomes another. (Where a part of an object has a type, the fields of
// another type are in the way; the type of an object itself says less.)
func becomes(known, wanted map[string]any, field string) bool {
	is, _ := known[field].(string)
	want, ok := wanted[field].(string)
	return ok && !same(field, is, want)
}

// certificateText is the field that has a certificate as PEM, in an object that has besides what the controller read in it.
const certificateText = "certificate"

func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

// value merges one value. Nil is one that is not set.
func (g *merging) value(path, field string, known, wanted any) any {
	switch w := wanted.(type) {
	case map[string]any:
		k, _ := known.(map[string]any)
		return g.fields(path, k, w)
	case []any:
		k, _ := known.([]any)
		if g.wanted.Kind == translate.VirtualService && path == httpPolicies {
			return unlessEmpty(g.policies(k, w))
		}
		return g.list(path, field, k, w)
	case nil:
		if k, ok := known.([]any); ok && g.wanted.Kind == translate.VirtualService && path == httpPolicies {
			return unlessEmpty(g.policies(k, nil))
		}
		if !zero(known) {
			g.differs(path)
		}
		return nil
	}
	if same(field, known, wanted) {
		return keep(known, wanted)
	}
	g.differs(path)
	return wanted
}

// keep prefers the value as the controller spells it, where it says anything.
func keep(known, wanted any) any {
	if known == nil {
		return wanted
	}
	return known
}

func unlessEmpty(list []any) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

// list merges a list, which is ours as a whole: what is not wanted in it goes. The order is of no matter where elements have keys.
func (g *merging) list(path, field string, known, wanted []any) []any {
	partner := partners(field, known, wanted)
	list := make([]any, len(wanted))
	taken := 0
	for i, w := range wanted {
		at := path + "[" + label(field, i, w) + "]"
		var k any
		if partner[i] < 0 {
			g.differs(at)
		} else {
			k = known[partner[i]]
			taken++
		}
		list[i] = g.element(at, field, k, w, partner[i] < 0)
	}
	if taken < len(known) {
		g.differs(path)
	}
	return list
}

// element merges an element of a list. That of a new one all fields differ need not be told.
func (g *merging) element(path, field string, known, wanted any, isNew bool) any {
	diff := g.diff
	merged := g.value(path, field, known, wanted)
	if isNew {
		g.diff = diff
	}
	return merged
}

// label names an element in paths. They are for logs: a certificate is named by its place.
func label(field string, i int, wanted any) string {
	name, _ := wanted.(string)
	if m, ok := wanted.(map[string]any); ok {
		if ks := keysOf(field, m); len(ks) > 0 {
			name = ks[len(ks)-1]
		}
	}
	if name == "" || strings.Contains(name, "-----BEGIN") {
		return strconv.Itoa(i)
	}
	return name
}

// partners finds for every wanted element the one of the known elements that it is to become of, or -1.
func partners(field string, known, wanted []any) []int {
	ks, ws := elementsOf(field, known), elementsOf(field, wanted)
	partner := make([]int, len(ws))
	taken := make([]bool, len(ks))
	for i := range partner {
		partner[i] = -1
	}
	for pass := range passes {
		for i, w := range ws {
			for j, k := range ks {
				if partner[i] < 0 && !taken[j] && matches(field, pass, i == j, k, w) {
					partner[i], taken[j] = j, true
				}
			}
		}
	}
	return partner
}

// element is one of a list. Its keys are made once: each is compared with many.
type element struct {
	value    any
	isObject bool
	keys     []string
}

func elementsOf(field string, list []any) []element {
	all := make([]element, len(list))
	for i, v := range list {
		all[i].value = v
		if m, ok := v.(map[string]any); ok {
			all[i].isObject, all[i].keys = true, keysOf(field, m)
		}
	}
	return all
}

// passes is how often elements are matched: by their first keys, and then what is left by the second.
const passes = 2

// matches tells whether a wanted element is a known one, by the key of this pass. Elements without keys match by their place.
func matches(field string, pass int, samePlace bool, known, wanted element) bool {
	switch {
	case !wanted.isObject:
		return pass == 0 && same(field, known.value, wanted.value)
	case !known.isObject:
		return false
	case wanted.keys == nil && known.keys == nil:
		return samePlace
	}
	return pass < len(wanted.keys) && pass < len(known.keys) && wanted.keys[pass] != "" && wanted.keys[pass] == known.keys[pass]
}

// keysOf are the keys of an element by which it is found again, the most certain first; none where its place is all that it has.
func keysOf(field string, e map[string]any) []string {
	switch field {
	case servers:
		id, _ := e["external_uuid"].(string)
		return []string{id, serverAt(e)}
	case "services":
		return []string{numeral(e["port"])}
	case "vip":
		id, _ := e["vip_id"].(string)
		return []string{id}
	case "rules":
		return []string{ruleKey(e)}
	case "ca_certs":
		if text, ok := e[certificateText].(string); ok {
			return []string{strings.TrimSpace(text)}
		}
		return []string{refID(e["ca_ref"])}
	case placementNetworks:
		return []string{placementKey(e)}
	}
	return nil
}

// ruleKey is the id of the L7 policy that a rule stands for, with which its name ends. Its index may be another's by now.
func ruleKey(e map[string]any) string {
	name, _ := e["name"].(string)
	return name[max(0, len(name)-len(uuid.Nil.String())):]
}

// servers is the field of a pool that has its members.
const servers = "servers"

// serverAt is the key that the controller has for a server: address and port.
func serverAt(e map[string]any) string {
	ip, _ := e["ip"].(map[string]any)
	return address(ip["addr"]) + ":" + numeral(e["port"])
}

// placementNetworks is the field of a pool that names its servers' networks.
const placementNetworks = "placement_networks"

func placementKey(e map[string]any) string {
	subnet, _ := e["subnet"].(map[string]any)
	ip, _ := subnet["ip_addr"].(map[string]any)
	return refID(e["network_ref"]) + " " + address(ip["addr"]) + "/" + numeral(subnet["mask"])
}

func refID(ref any) string {
	text, _ := ref.(string)
	_, uuid, name := translate.ParseRef(text)
	if uuid != "" {
		return uuid
	}
	return name
}

// httpPolicies is the field of a virtual service that has its policy sets. Users' own may be among them.
const httpPolicies = "http_policies"

// policySetRef is the field of an entry of them.
const policySetRef = "http_policy_set_ref"

// policies merges the policy sets of a virtual service: ours keeps its index or takes a free one, those of others stay.
func (g *merging) policies(known, wanted []any) []any {
	var list []any
	used := map[string]bool{}
	left := slices.Clone(wanted)
	for _, k := range known {
		entry, _ := k.(map[string]any)
		if i := entryOf(left, entry); i >= 0 {
			left = slices.Delete(left, i, i+1)
		} else if refID(entry[policySetRef]) == g.ownPolicySet() {
			g.differs(httpPolicies)
			continue
		}
		list = append(list, k)
		used[numeral(entry["index"])] = true
	}
	for _, w := range left {
		g.differs(httpPolicies)
		list = append(list, atFreeIndex(w, used))
	}
	return list
}

// entryOf finds the wanted entry that refers to the same policy set.
func entryOf(wanted []any, entry map[string]any) int {
	return slices.IndexFunc(wanted, func(w any) bool {
		m, _ := w.(map[string]any)
		return same(policySetRef, entry[policySetRef], m[policySetRef])
	})
}

// ownPolicySet is the UUID of the policy set that is made for the virtual service.
func (g *merging) ownPolicySet() string {
	return translate.PolicySet + strings.TrimPrefix(g.wanted.UUID, translate.VirtualService)
}

func atFreeIndex(wanted any, used map[string]bool) any {
	entry, _ := wanted.(map[string]any)
	entry = maps.Clone(entry)
	for index, _ := strconv.ParseInt(numeral(entry["index"]), 10, 64); ; index++ {
		if n := strconv.FormatInt(index, 10); !used[n] {
			used[n] = true
			entry["index"] = index
			return entry
		}
	}
}
