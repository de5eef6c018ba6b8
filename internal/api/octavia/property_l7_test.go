package octavia_test

import (
	"fmt"
	"net/http"
	"slices"

	"pgregory.net/rapid"

	"plimsoll/lbaas"
)

// The requests of TestSequences for policies and their rules, and for whole trees.

// redirect draws where a policy leads: to a pool of its load balancer, or nowhere.
func (m *model) redirect(rt *rapid.T, l *node) (body object, pool string, refused int) {
	pool = m.poolOf(rt, l.parent)
	switch {
	case pool == "":
		return object{"action": "REJECT"}, "", 0
	case !m.fits(l.protocol, pool):
		refused = http.StatusBadRequest
	}
	return object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": pool}, pool, refused
}

// place draws a position for a policy of a listener, and what it comes to.
func (m *model) place(rt *rapid.T, l *node, id string) (asked any, order []string) {
	others := slices.DeleteFunc(slices.Clone(l.policies), func(o string) bool { return o == id })
	position := rapid.IntRange(0, len(others)+2).Draw(rt, "position")
	at := min(position-1, len(others))
	if position == 0 { // not named: the end, or where it is
		if at = slices.Index(l.policies, id); at < 0 {
			at = len(others)
		}
		return nil, slices.Insert(others, at, id)
	}
	return position, slices.Insert(others, at, id)
}

func (m *model) addPolicy(rt *rapid.T) {
	l := m.pick(rt, lbaas.NounListener)
	if l == nil {
		return
	}
	body, pool, refused := m.redirect(rt, l)
	position, order := m.place(rt, l, "new")
	body["listener_id"], body["position"] = l.id, position
	made := m.create(rt, lbaas.NounL7Policy, "/l7policies", "l7policy", body, refused)
	if made == nil {
		return
	}
	n := m.nodes[made["id"].(string)]
	n.parent, n.target = l.id, pool
	order[slices.Index(order, "new")] = n.id
	l.policies = order
	if at := slices.Index(order, n.id) + 1; made["position"] != float64(at) {
		rt.Fatalf("a policy that asked for position %v has %v, want %d", position, made["position"], at)
	}
}

// turnPolicy moves a policy, and lets it lead elsewhere.
func (m *model) turnPolicy(rt *rapid.T) {
	p := m.pick(rt, lbaas.NounL7Policy)
	if p == nil {
		return
	}
	l := m.nodes[p.parent]
	body, pool, refused := m.redirect(rt, l)
	position, order := m.place(rt, l, p.id)
	body["position"] = position
	if refused > 0 {
		m.request(rt, refused, http.MethodPut, m.pathOf(p), object{"l7policy": body})
		return
	}
	changed := m.update(rt, p, body)
	p.target, l.policies = pool, order
	if at := slices.Index(order, p.id) + 1; changed["position"] != float64(at) {
		rt.Fatalf("a policy that asked for position %v has %v, want %d", position, changed["position"], at)
	}
}

// addRule gives a rule to an L7 policy or to a rate-limit policy.
func (m *model) addRule(rt *rapid.T) {
	p := m.pick(rt, lbaas.NounL7Policy, lbaas.NounRateLimitPolicy)
	if p == nil {
		return
	}
	noun, body := lbaas.NounL7Rule, object{"type": "PATH", "compare_type": "STARTS_WITH", "value": "/"}
	if p.noun == lbaas.NounRateLimitPolicy {
		noun, body = lbaas.NounRateLimitRule, object{"metric": "KBYTES", "threshold": 5}
	}
	if made := m.create(rt, noun, m.pathOf(p)+"/rules", "rule", body, 0); made != nil {
		m.nodes[made["id"].(string)].parent = p.id
	}
}

func (m *model) addRateLimit(rt *rapid.T) {
	l := m.pick(rt, lbaas.NounListener)
	if l == nil {
		return
	}
	refused := 0
	action := rapid.SampledFrom([]string{"DENY", "REJECT"}).Draw(rt, "action")
	if action == "DENY" && l.protocol != "HTTP" {
		refused = http.StatusBadRequest
	}
	body := object{"listener_id": l.id, "action": action}
	if made := m.create(rt, lbaas.NounRateLimitPolicy, "/ratelimitpolicies", "ratelimitpolicy", body, refused); made != nil {
		m.nodes[made["id"].(string)].parent = l.id
	}
}

// addTree makes a load balancer with a whole tree at once.
func (m *model) addTree(rt *rapid.T) {
	if len(m.some(lbaas.NounLoadBalancer)) > 2 {
		return
	}
	grown := map[lbaas.Noun]int{lbaas.NounLoadBalancer: 1}
	body := object{"vip_subnet_id": m.subnet.ID, "project_id": m.project, "pools": drawPools(rt, grown), "listeners": drawListeners(rt, grown)}
	if met := m.quotaMet(grown); met != "" {
		m.refusedForQuota(rt, met, m.request(rt, http.StatusForbidden, http.MethodPost, "/loadbalancers", object{"loadbalancer": body}))
		return
	}
	before := m.usage()
	m.adoptTree(rt, m.request(rt, http.StatusCreated, http.MethodPost, "/loadbalancers", object{"loadbalancer": body}).body["loadbalancer"].(object))
	for noun, n := range m.usage() {
		if n-before[noun] != grown[noun] {
			rt.Fatalf("a POST of %d %s has made %d: %s", grown[noun], noun, n-before[noun], m.text(body))
		}
	}
}

// drawPools draws two pools, which listeners and policies may name.
func drawPools(rt *rapid.T, grown map[lbaas.Noun]int) []object {
	var pools []object
	for i := range 2 {
		pools = append(pools, drawPool(rt, fmt.Sprint("pool ", i), grown))
	}
	return pools
}

func drawPool(rt *rapid.T, name string, grown map[lbaas.Noun]int) object {
	grown[lbaas.NounPool]++
	p := object{"name": name, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
	var members []object
	for port := range rapid.IntRange(0, 2).Draw(rt, "members") {
		members = append(members, object{"address": "10.0.0.9", "protocol_port": port + 1})
		grown[lbaas.NounMember]++
	}
	if members != nil {
		p["members"] = members
	}
	if rapid.Bool().Draw(rt, "monitored") {
		p["healthmonitor"] = object{"type": "TCP", "delay": 5, "timeout": 3, "max_retries": 2}
		grown[lbaas.NounHealthMonitor]++
	}
	return p
}

func drawListeners(rt *rapid.T, grown map[lbaas.Noun]int) []object {
	listeners := []object{}
	for i := range rapid.IntRange(0, 2).Draw(rt, "listeners") {
		grown[lbaas.NounListener]++
		l := object{"protocol": "HTTP", "protocol_port": 80 + i}
		if rapid.Bool().Draw(rt, "default pool") {
			l["default_pool"] = drawTarget(rt, fmt.Sprint("of listener ", i), grown)
		}
		policies := []object{}
		for n := range rapid.IntRange(0, 2).Draw(rt, "policies") {
			policies = append(policies, drawPolicy(rt, fmt.Sprint("of policy ", i, n), grown))
		}
		l["l7policies"] = policies
		listeners = append(listeners, l)
	}
	return listeners
}

// drawTarget draws a pool that stands where it is used, or the name of another one.
func drawTarget(rt *rapid.T, name string, grown map[lbaas.Noun]int) object {
	if rapid.Bool().Draw(rt, "named") {
		return object{"name": fmt.Sprint("pool ", rapid.IntRange(0, 1).Draw(rt, "pool"))}
	}
	return drawPool(rt, name, grown)
}

func drawPolicy(rt *rapid.T, name string, grown map[lbaas.Noun]int) object {
	grown[lbaas.NounL7Policy]++
	p := object{"action": "REJECT", "rules": []object{}}
	if rapid.Bool().Draw(rt, "redirects") {
		p["action"], p["redirect_pool"] = "REDIRECT_TO_POOL", drawTarget(rt, name, grown)
	}
	if position := rapid.IntRange(0, 2).Draw(rt, "position"); position > 0 {
		p["position"] = position
	}
	if rapid.Bool().Draw(rt, "ruled") {
		p["rules"] = []object{{"type": "PATH", "compare_type": "STARTS_WITH", "value": "/"}}
		grown[lbaas.NounL7Rule]++
	}
	return p
}

// adoptTree puts a tree, as the answer to its POST shows it, into the model.
func (m *model) adoptTree(rt *rapid.T, lb object) {
	id := m.born(rt, lbaas.NounLoadBalancer, lb).id
	for _, p := range objects(lb["pools"]) {
		n := m.born(rt, lbaas.NounPool, p)
		n.parent, n.protocol = id, p["protocol"].(string)
		for _, member := range objects(p["members"]) {
			o := m.born(rt, lbaas.NounMember, member)
			o.parent, o.port = n.id, int(member["protocol_port"].(float64))
		}
		if h, ok := p["healthmonitor"].(object); ok {
			m.born(rt, lbaas.NounHealthMonitor, h).parent = n.id
		}
	}
	for _, l := range objects(lb["listeners"]) {
		n := m.born(rt, lbaas.NounListener, l)
		n.parent, n.protocol, n.port = id, l["protocol"].(string), int(l["protocol_port"].(float64))
		n.target, _ = l["default_pool_id"].(string)
		for _, p := range objects(l["l7policies"]) {
			o := m.born(rt, lbaas.NounL7Policy, p)
			o.parent = n.id
			o.target, _ = p["redirect_pool_id"].(string)
			n.policies = append(n.policies, o.id)
			for _, r := range objects(p["rules"]) {
				m.born(rt, lbaas.NounL7Rule, r).parent = o.id
			}
		}
	}
}

// objects are those of a list of an answer.
func objects(list any) []object {
	var all []object
	items, _ := list.([]any)
	for _, item := range items {
		all = append(all, item.(object))
	}
	return all
}
