package octavia_test

import (
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"plimsoll/lbaas"
)

// TestSequences sends random requests for all that load balancers consist of, while what they want is achieved, or fails, in whatever
// order, and keeps a model beside. Answers agree with it, and so do trees, lists and statuses at any time; quotas are exact, positions
// dense, what is refused has changed nothing, and in the end everything is ACTIVE, or gone.
func TestSequences(t *testing.T) {
	fewerChecks(t)
	w := newSandbox(t)
	loop := newHandLoop(w)
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{
			sandbox: w, loop: loop, project: strings.ReplaceAll(uuid.NewString(), "-", ""), nodes: map[string]*node{}, dead: map[string]*node{},
			limits: map[lbaas.Noun]int{}, flavors: []string{w.ids["flavors"], w.free["flavor"]},
		}
		m.create(rt, lbaas.NounLoadBalancer, "/loadbalancers", "loadbalancer", object{"vip_subnet_id": w.subnet.ID, "project_id": m.project}, 0)
		rt.Repeat(m.actions())
		m.finish(rt)
	})
}

// fewerChecks lets a test of rapid do with a quarter of its checks where the detector of races makes them slow, unless it was told how many
// to make.
func fewerChecks(t *testing.T) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	if !racing() || checks.Value.String() != checks.DefValue {
		return
	}
	t.Cleanup(func() { _ = checks.Value.Set(checks.DefValue) })
	if err := checks.Value.Set("25"); err != nil {
		t.Fatal(err)
	}
}

// actions are what may happen next.
func (m *model) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"":                   m.checkSometimes,
		"look":               m.look,
		"load balancer":      m.addLoadBalancer,
		"whole tree":         m.addTree,
		"no load balancer":   m.dropLoadBalancer,
		"resize":             m.resize,
		"fail over":          m.failOver,
		"listener":           m.addListener,
		"another pool":       m.repoint,
		"pool":               m.addPool,
		"member":             m.addMember,
		"members":            m.replaceMembers,
		"monitor":            m.addMonitor,
		"policy":             m.addPolicy,
		"policy again":       m.addPolicy,
		"turn policy":        m.turnPolicy,
		"rule":               m.addRule,
		"limit":              m.addRateLimit,
		"rename":             m.rename,
		"delete":             m.drop,
		"delete again":       m.drop,
		"touch what is dead": m.touchDead,
		"quota":              m.setQuota,
		"no quota":           m.liftQuota,
		"apply":              m.apply,
		"apply late":         m.applyLate,
		"read":               m.read,
		"fail":               m.fail,
	}
}

// request sends a request that has to be answered with a code; 0 stands for any success. What is refused has not written anything.
func (m *model) request(rt *rapid.T, want int, method, path string, body any) answer {
	text := ""
	if body != nil {
		text = m.text(body)
	}
	before := m.image.Committed(m.t)
	a := m.send(method, root+path, text)
	if a.code != want {
		rt.Fatalf("%s %s %s: %d %s, want %d", method, path, text, a.code, a.raw, want)
	}
	makesPort := method == http.MethodPost && path == "/loadbalancers" // which is taken back
	if a.code >= http.StatusBadRequest && !makesPort && m.image.Committed(m.t) != before {
		rt.Fatalf("%s %s %s: %d %s, and something was written", method, path, text, a.code, a.raw)
	}
	return a
}

// create makes an object, unless it is refused with a code that is due, or for a quota. It returns the new object, or nil.
func (m *model) create(rt *rapid.T, noun lbaas.Noun, collection, key string, body object, refused int) object {
	if refused > 0 {
		m.request(rt, refused, http.MethodPost, collection, object{key: body})
		return nil
	}
	if met := m.quotaMet(map[lbaas.Noun]int{noun: 1}); met != "" {
		m.refusedForQuota(rt, met, m.request(rt, http.StatusForbidden, http.MethodPost, collection, object{key: body}))
		return nil
	}
	made := m.request(rt, http.StatusCreated, http.MethodPost, collection, object{key: body}).body[key].(object)
	m.born(rt, noun, made)
	return made
}

func (m *model) refusedForQuota(rt *rapid.T, met lbaas.Noun, a answer) {
	if want := "Quota has been met for resources: " + string(met); a.body["faultstring"] != want {
		rt.Fatalf("the quota's fault is %s, want %s", a.raw, want)
	}
}

// born puts a new object into the model.
func (m *model) born(rt *rapid.T, noun lbaas.Noun, made object) *node {
	if made["provisioning_status"] != "PENDING_CREATE" || made["project_id"] != m.project {
		rt.Fatalf("what was made is %v", made)
	}
	n := &node{noun: noun, id: made["id"].(string), order: len(m.nodes) + len(m.dead)}
	m.nodes[n.id] = n
	return n
}

// update changes an object; it has to become pending, and nothing else.
func (m *model) update(rt *rapid.T, n *node, attributes object) object {
	key := keys[n.noun]
	changed := m.request(rt, http.StatusOK, http.MethodPut, m.pathOf(n), object{key: attributes}).body[key].(object)
	if s := changed["provisioning_status"]; s != "PENDING_UPDATE" && s != "PENDING_CREATE" {
		rt.Fatalf("what was changed is %v", changed)
	}
	return changed
}

func (m *model) addLoadBalancer(rt *rapid.T) {
	if len(m.some(lbaas.NounLoadBalancer)) > 2 {
		return
	}
	body := object{"vip_subnet_id": m.subnet.ID, "project_id": m.project}
	flavor := ""
	if rapid.Bool().Draw(rt, "flavored") {
		flavor = rapid.SampledFrom(m.flavors).Draw(rt, "flavor")
		body["flavor_id"] = flavor
	}
	if made := m.create(rt, lbaas.NounLoadBalancer, "/loadbalancers", "loadbalancer", body, 0); made != nil {
		m.nodes[made["id"].(string)].target = flavor
	}
}

func (m *model) dropLoadBalancer(rt *rapid.T) {
	lb := m.pick(rt, lbaas.NounLoadBalancer)
	if lb == nil {
		return
	}
	cascade := rapid.Bool().Draw(rt, "cascade")
	if !cascade && len(m.below(lb)) > 0 {
		m.request(rt, http.StatusBadRequest, http.MethodDelete, m.pathOf(lb), nil)
		return
	}
	m.request(rt, http.StatusNoContent, http.MethodDelete, fmt.Sprint(m.pathOf(lb), "?cascade=", cascade), nil)
	m.bury(lb)
}

func (m *model) resize(rt *rapid.T) {
	if lb := m.pick(rt, lbaas.NounLoadBalancer); lb != nil {
		lb.target = rapid.SampledFrom(m.flavors).Draw(rt, "flavor")
		m.request(rt, http.StatusAccepted, http.MethodPut, m.pathOf(lb)+"/resize", object{"new_flavor_id": lb.target})
	}
}

func (m *model) failOver(rt *rapid.T) {
	if lb := m.pick(rt, lbaas.NounLoadBalancer); lb != nil {
		m.request(rt, http.StatusAccepted, http.MethodPut, m.pathOf(lb)+"/failover", nil)
	}
}

func (m *model) addListener(rt *rapid.T) {
	lb := m.pick(rt, lbaas.NounLoadBalancer)
	if lb == nil {
		return
	}
	l := node{parent: lb.id, port: rapid.IntRange(80, 84).Draw(rt, "port"), protocol: protocol(rt)}
	pool := m.poolOf(rt, lb.id)
	refused := 0
	for _, o := range m.some(lbaas.NounListener) {
		if o.parent == lb.id && o.port == l.port && (o.protocol == "UDP") == (l.protocol == "UDP") {
			refused = http.StatusConflict
		}
	}
	if refused == 0 && !m.fits(l.protocol, pool) {
		refused = http.StatusBadRequest
	}
	made := m.create(rt, lbaas.NounListener, "/listeners", "listener", object{
		"loadbalancer_id": lb.id, "protocol": l.protocol, "protocol_port": l.port, "default_pool_id": orNil(pool),
	}, refused)
	if made != nil {
		n := m.nodes[made["id"].(string)]
		n.parent, n.port, n.protocol, n.target = lb.id, l.port, l.protocol, pool
	}
}

// repoint gives a listener another default pool, or none.
func (m *model) repoint(rt *rapid.T) {
	l := m.pick(rt, lbaas.NounListener)
	if l == nil {
		return
	}
	pool := m.poolOf(rt, l.parent)
	if !m.fits(l.protocol, pool) {
		m.request(rt, http.StatusBadRequest, http.MethodPut, m.pathOf(l), object{"listener": object{"default_pool_id": pool}})
		return
	}
	l.target = pool
	m.update(rt, l, object{"default_pool_id": orNil(pool)})
}

func (m *model) addPool(rt *rapid.T) {
	lb := m.pick(rt, lbaas.NounLoadBalancer)
	if lb == nil {
		return
	}
	p := node{protocol: protocol(rt)}
	body := object{"loadbalancer_id": lb.id, "protocol": p.protocol, "lb_algorithm": "ROUND_ROBIN"}
	refused := 0
	l := m.pickOf(rt, lbaas.NounListener, lb.id)
	if l != nil && rapid.Bool().Draw(rt, "of a listener") {
		body["listener_id"] = l.id
		switch {
		case l.target != "":
			refused = http.StatusConflict
		case !suits(l.protocol, p.protocol):
			refused = http.StatusBadRequest
		}
	} else {
		l = nil
	}
	if made := m.create(rt, lbaas.NounPool, "/pools", "pool", body, refused); made != nil {
		n := m.nodes[made["id"].(string)]
		n.parent, n.protocol = lb.id, p.protocol
		if l != nil {
			l.target = n.id
		}
	}
}

func (m *model) addMember(rt *rapid.T) {
	pool := m.pick(rt, lbaas.NounPool)
	if pool == nil {
		return
	}
	port := rapid.IntRange(1, 4).Draw(rt, "port")
	refused := 0
	for _, o := range m.below(pool) {
		if o.noun == lbaas.NounMember && o.port == port {
			refused = http.StatusConflict
		}
	}
	made := m.create(rt, lbaas.NounMember, "/pools/"+pool.id+"/members", "member", object{"address": "10.0.0.9", "protocol_port": port}, refused)
	if made != nil {
		n := m.nodes[made["id"].(string)]
		n.parent, n.port = pool.id, port
	}
}

// replaceMembers sends a batch: those that are known keep their ids, and with additive_only the others stay.
func (m *model) replaceMembers(rt *rapid.T) {
	pool := m.pick(rt, lbaas.NounPool)
	if pool == nil {
		return
	}
	ports := rapid.SliceOfNDistinct(rapid.IntRange(1, 4), 0, 4, rapid.ID).Draw(rt, "ports")
	additive := rapid.Bool().Draw(rt, "additive")
	members, grown := []object{}, len(ports)
	var leave []*node
	for _, port := range ports {
		members = append(members, object{"address": "10.0.0.9", "protocol_port": port, "name": "batch"})
	}
	for _, o := range m.below(pool) {
		switch {
		case o.noun != lbaas.NounMember:
		case slices.Contains(ports, o.port):
			grown--
		case !additive:
			grown--
			leave = append(leave, o)
		}
	}
	path := fmt.Sprint("/pools/", pool.id, "/members?additive_only=", additive)
	if met := m.quotaMet(map[lbaas.Noun]int{lbaas.NounMember: grown}); met != "" {
		m.refusedForQuota(rt, met, m.request(rt, http.StatusForbidden, http.MethodPut, path, object{"members": members}))
		return
	}
	m.request(rt, http.StatusAccepted, http.MethodPut, path, object{"members": members})
	for _, o := range leave {
		m.bury(o)
	}
	m.adoptMembers(rt, pool, ports)
}

// adoptMembers finds the members of a pool that a batch has made.
func (m *model) adoptMembers(rt *rapid.T, pool *node, ports []int) {
	for _, o := range m.list(rt, "/pools/"+pool.id+"/members", "members") {
		id, port := o["id"].(string), int(o["protocol_port"].(float64))
		if m.nodes[id] == nil && m.dead[id] == nil && slices.Contains(ports, port) {
			n := m.born(rt, lbaas.NounMember, o)
			n.parent, n.port = pool.id, port
		}
	}
}

func (m *model) addMonitor(rt *rapid.T) {
	pool := m.pick(rt, lbaas.NounPool)
	if pool == nil {
		return
	}
	refused, kind := 0, "TCP"
	if pool.protocol == "UDP" {
		kind = "UDP-CONNECT"
	}
	if slices.ContainsFunc(m.below(pool), func(o *node) bool { return o.noun == lbaas.NounHealthMonitor }) {
		refused = http.StatusConflict
	}
	made := m.create(rt, lbaas.NounHealthMonitor, "/healthmonitors", "healthmonitor",
		object{"pool_id": pool.id, "type": kind, "delay": 5, "timeout": 3, "max_retries": 2}, refused)
	if made != nil {
		m.nodes[made["id"].(string)].parent = pool.id
	}
}

// rename changes something of any object that means nothing.
func (m *model) rename(rt *rapid.T) {
	n := m.pick(rt, nouns()...)
	switch {
	case n == nil:
	case n.noun == lbaas.NounL7Rule:
		m.update(rt, n, object{"invert": true})
	default:
		m.update(rt, n, object{"name": "renamed"})
	}
}

// drop deletes any object but a load balancer. A pool to which a policy redirects stays.
func (m *model) drop(rt *rapid.T) {
	n := m.pick(rt, nouns()[1:]...)
	if n == nil {
		return
	}
	redirects := func(o *node) bool { return o.target == n.id }
	if n.noun == lbaas.NounPool && slices.ContainsFunc(m.some(lbaas.NounL7Policy), redirects) {
		m.request(rt, http.StatusConflict, http.MethodDelete, m.pathOf(n), nil)
		return
	}
	m.request(rt, http.StatusNoContent, http.MethodDelete, m.pathOf(n), nil)
	m.bury(n)
}

// touchDead changes what was deleted: it is on its way out, or gone.
func (m *model) touchDead(rt *rapid.T) {
	all := inOrder(m.dead)
	if len(all) == 0 {
		return
	}
	path := all[rapid.IntRange(0, len(all)-1).Draw(rt, "dead")].path
	want := http.StatusConflict
	if a := m.send(http.MethodGet, root+path, ""); a.code == http.StatusNotFound {
		want = http.StatusNotFound
	}
	m.request(rt, want, http.MethodDelete, path, nil)
}

// setQuota limits one noun, or takes its limit back.
func (m *model) setQuota(rt *rapid.T) {
	noun := rapid.SampledFrom(lbaas.QuotaNouns()).Draw(rt, "noun")
	limit := rapid.IntRange(-1, 4).Draw(rt, "limit")
	var value any = limit
	m.limits[noun], m.limited = limit, true
	if rapid.IntRange(0, 3).Draw(rt, "null") == 0 {
		value = nil
		delete(m.limits, noun)
	}
	m.request(rt, http.StatusAccepted, http.MethodPut, "/quotas/"+m.project, object{"quota": object{quotaKeys[noun]: value}})
}

func (m *model) liftQuota(rt *rapid.T) {
	want := http.StatusNotFound
	if m.limited {
		want = http.StatusAccepted
	}
	m.request(rt, want, http.MethodDelete, "/quotas/"+m.project, nil)
	m.limited = false
	clear(m.limits)
}
