package octavia_test

import (
	"cmp"
	"maps"
	"net/http"
	"slices"

	"pgregory.net/rapid"

	"plimsoll/lbaas"
)

// model is what a project should have after a sequence of requests.
type model struct {
	*sandbox
	loop     *handLoop
	project  string
	flavors  []string
	nodes    map[string]*node // what there is, by id
	dead     map[string]*node // what was deleted: it may be shown until it is gone
	limits   map[lbaas.Noun]int
	old      []*lbaas.LoadBalancer // trees that were read, and are to be applied late
	requests int                   // how many were looked after
	limited  bool                  // the project has limits of its own, be they none
}

// node is an object of a project.
type node struct {
	noun     lbaas.Noun
	id       string
	order    int    // in which it came
	parent   string // the load balancer of listeners and pools, the listener of policies, …
	port     int
	protocol string
	target   string   // the default pool of a listener, the pool that a policy redirects to, the flavor of a load balancer
	policies []string // of a listener, in order
	path     string   // of what is dead
	gone     bool     // of what is dead: it is shown no more
}

// keys are the names of the nouns in bodies, quotaKeys those in quotas.
var (
	keys = map[lbaas.Noun]string{
		lbaas.NounLoadBalancer: "loadbalancer", lbaas.NounListener: "listener", lbaas.NounPool: "pool", lbaas.NounMember: "member",
		lbaas.NounHealthMonitor: "healthmonitor", lbaas.NounL7Policy: "l7policy", lbaas.NounL7Rule: "rule",
		lbaas.NounRateLimitPolicy: "ratelimitpolicy", lbaas.NounRateLimitRule: "rule",
	}
	quotaKeys = map[lbaas.Noun]string{
		lbaas.NounLoadBalancer: "loadbalancer", lbaas.NounListener: "listener", lbaas.NounPool: "pool", lbaas.NounMember: "member",
		lbaas.NounHealthMonitor: "healthmonitor", lbaas.NounL7Policy: "l7policy", lbaas.NounL7Rule: "l7rule",
	}
)

// nouns are all nouns of a tree, the load balancer first.
func nouns() []lbaas.Noun {
	return []lbaas.Noun{
		lbaas.NounLoadBalancer, lbaas.NounListener, lbaas.NounPool, lbaas.NounMember, lbaas.NounHealthMonitor,
		lbaas.NounL7Policy, lbaas.NounL7Rule, lbaas.NounRateLimitPolicy, lbaas.NounRateLimitRule,
	}
}

func (m *model) pathOf(n *node) string {
	switch n.noun {
	case lbaas.NounMember:
		return "/pools/" + n.parent + "/members/" + n.id
	case lbaas.NounL7Rule:
		return "/l7policies/" + n.parent + "/rules/" + n.id
	case lbaas.NounRateLimitRule:
		return "/ratelimitpolicies/" + n.parent + "/rules/" + n.id
	}
	return "/" + collections[n.noun] + "/" + n.id
}

// collections are the lists of a whole project.
var collections = map[lbaas.Noun]string{
	lbaas.NounLoadBalancer: "loadbalancers", lbaas.NounListener: "listeners", lbaas.NounPool: "pools", lbaas.NounHealthMonitor: "healthmonitors",
	lbaas.NounL7Policy: "l7policies", lbaas.NounRateLimitPolicy: "ratelimitpolicies",
}

// inOrder are nodes in the order in which they came: a draw by place is the same in every run, though ids are not.
func inOrder(nodes map[string]*node) []*node {
	return slices.SortedFunc(maps.Values(nodes), func(a, b *node) int { return cmp.Compare(a.order, b.order) })
}

// some are the objects of some nouns.
func (m *model) some(of ...lbaas.Noun) []*node {
	return slices.DeleteFunc(inOrder(m.nodes), func(n *node) bool { return !slices.Contains(of, n.noun) })
}

// pick draws an object of some nouns, or nil.
func (m *model) pick(rt *rapid.T, of ...lbaas.Noun) *node { return draw(rt, m.some(of...)) }

// pickOf draws an object of a noun that a parent has, or nil.
func (m *model) pickOf(rt *rapid.T, of lbaas.Noun, parent string) *node {
	return draw(rt, slices.DeleteFunc(m.some(of), func(n *node) bool { return n.parent != parent }))
}

func draw(rt *rapid.T, from []*node) *node {
	if len(from) == 0 {
		return nil
	}
	return from[rapid.IntRange(0, len(from)-1).Draw(rt, "object")]
}

// poolOf draws a pool of a load balancer, or none.
func (m *model) poolOf(rt *rapid.T, lb string) string {
	if n := m.pickOf(rt, lbaas.NounPool, lb); n != nil && rapid.Bool().Draw(rt, "with a pool") {
		return n.id
	}
	return ""
}

func protocol(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"HTTP", "HTTP", "HTTP", "TCP", "UDP"}).Draw(rt, "protocol")
}

// fits tells whether a listener of a protocol may use a pool, or none.
func (m *model) fits(protocol, pool string) bool {
	return pool == "" || suits(protocol, m.nodes[pool].protocol)
}

func suits(listener, pool string) bool {
	return listener == pool || listener == "TCP" && pool == "HTTP"
}

func orNil(id string) any {
	if id == "" {
		return nil
	}
	return id
}

// below are the children of an object.
func (m *model) below(n *node) []*node {
	return slices.DeleteFunc(inOrder(m.nodes), func(o *node) bool { return o.parent != n.id })
}

// bury is what a deletion does: children go too, listeners lose a pool that goes, and policies move up.
func (m *model) bury(n *node) {
	n.path = m.pathOf(n)
	for _, o := range m.below(n) {
		m.bury(o)
	}
	delete(m.nodes, n.id)
	m.dead[n.id] = n
	for _, l := range m.some(lbaas.NounListener) {
		if l.target == n.id {
			l.target = ""
		}
		l.policies = slices.DeleteFunc(l.policies, func(id string) bool { return id == n.id })
	}
}

// usage counts what the project has.
func (m *model) usage() map[lbaas.Noun]int {
	usage := map[lbaas.Noun]int{}
	for _, n := range m.nodes {
		usage[n.noun]++
	}
	return usage
}

// quotaMet is the first noun of which there would be too many, or "". What does not grow is not asked for.
func (m *model) quotaMet(grown map[lbaas.Noun]int) lbaas.Noun {
	usage := m.usage()
	for _, noun := range lbaas.QuotaNouns() {
		limit, limited := m.limits[noun]
		if limited && limit >= 0 && grown[noun] > 0 && usage[noun]+grown[noun] > limit {
			return noun
		}
	}
	return ""
}

// users are the listeners that use a pool: as their default one, or by a policy with a rule.
func (m *model) users(pool *node) []string {
	var ids []string
	for _, l := range m.some(lbaas.NounListener) {
		uses := l.target == pool.id
		for _, id := range l.policies {
			uses = uses || m.nodes[id].target == pool.id && len(m.below(m.nodes[id])) > 0
		}
		if uses {
			ids = append(ids, l.id)
		}
	}
	slices.Sort(ids)
	return ids
}

// list is a list of the API.
func (m *model) list(rt *rapid.T, path, key string) []object {
	return objects(m.request(rt, http.StatusOK, http.MethodGet, path, nil).body[key])
}
