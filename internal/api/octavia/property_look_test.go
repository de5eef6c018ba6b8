package octavia_test

import (
	"fmt"
	"net/http"
	"slices"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plimsoll/lbaas"
)

// What TestSequences looks at.

// checkSometimes compares the trees after every fourth request: what is wrong stays so.
func (m *model) checkSometimes(rt *rapid.T) {
	if m.requests++; m.requests%4 == 0 {
		m.checkTrees(rt)
	}
}

// checkTrees compares the trees that the loop is given.
func (m *model) checkTrees(rt *rapid.T) {
	for _, lb := range m.some(lbaas.NounLoadBalancer) {
		tree, err := m.store.Tree(m.t.Context(), lb.id)
		if err == nil {
			err = consistent(tree)
		}
		if err != nil {
			rt.Fatal(err)
		}
		m.checkTree(rt, tree)
	}
}

func (m *model) checkTree(rt *rapid.T, tree *lbaas.LoadBalancer) {
	got, want := []string{}, []string{}
	for _, part := range tree.Parts() {
		got = append(got, fmt.Sprint(part.Noun(), " ", part.Base().ID, " ", targetOf(part)))
	}
	for _, n := range m.nodes {
		if m.rootOf(n) == tree.ID {
			want = append(want, fmt.Sprint(n.noun, " ", n.id, " ", n.target))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := gocmp.Diff(want, got); diff != "" {
		rt.Fatalf("the tree (-want +got):\n%s", diff)
	}
	for _, l := range tree.Listeners {
		if got := idsOf(l.L7Policies); !slices.Equal(got, m.nodes[l.ID].policies) {
			rt.Fatalf("the policies of a listener are %v, want %v", got, m.nodes[l.ID].policies)
		}
	}
}

func (m *model) rootOf(n *node) string {
	for n.parent != "" {
		n = m.nodes[n.parent]
	}
	return n.id
}

func targetOf(part lbaas.Part) string {
	switch p := part.(type) {
	case *lbaas.LoadBalancer:
		return p.FlavorID
	case *lbaas.Listener:
		return p.DefaultPoolID
	case *lbaas.L7Policy:
		return p.RedirectPoolID
	}
	return ""
}

func idsOf[P lbaas.Part](parts []P) []string {
	var ids []string
	for _, p := range parts {
		ids = append(ids, p.Base().ID)
	}
	return ids
}

// consistent tells what is wrong with a tree: a reference that leads nowhere, what is there twice, a gap between positions, an object
// that is newer than its load balancer.
func consistent(lb *lbaas.LoadBalancer) error {
	seen := map[string]bool{}
	for _, part := range lb.Parts() {
		o := part.Base()
		if seen[o.ID] || o.Progress.Deleted || o.Progress.Generation > lb.Progress.Generation || o.Progress.Observed > o.Progress.Generation {
			return fmt.Errorf("%s %s is there twice, or has come to %+v in one of %+v", part.Noun(), o.ID, o.Progress, lb.Progress)
		}
		seen[o.ID] = true
	}
	taken := map[string]bool{}
	take := func(what ...any) error {
		if taken[fmt.Sprint(what...)] {
			return fmt.Errorf("there are two of %v", what)
		}
		taken[fmt.Sprint(what...)] = true
		return nil
	}
	for _, l := range lb.Listeners {
		if err := take("listener ", l.Protocol == lbaas.UDP, l.ProtocolPort); err != nil {
			return err
		}
		if err := consistentListener(lb, l); err != nil {
			return err
		}
	}
	for _, p := range lb.Pools {
		for _, m := range p.Members {
			if m.PoolID != p.ID {
				return fmt.Errorf("member %s is in pool %s, and not in %s", m.ID, p.ID, m.PoolID)
			}
			if err := first(take("member ", p.ID, m.Address, m.ProtocolPort), take("number ", p.ID, m.Number)); err != nil {
				return err
			}
		}
		if p.HealthMonitor != nil && p.HealthMonitor.PoolID != p.ID {
			return fmt.Errorf("monitor %s watches pool %s, and not %s", p.HealthMonitor.ID, p.ID, p.HealthMonitor.PoolID)
		}
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func consistentListener(lb *lbaas.LoadBalancer, l *lbaas.Listener) error {
	if l.DefaultPoolID != "" && lb.Pool(l.DefaultPoolID) == nil {
		return fmt.Errorf("the default pool of listener %s is not there", l.ID)
	}
	for i, p := range l.L7Policies {
		switch {
		case p.Position != i+1:
			return fmt.Errorf("the policy in place %d of listener %s has the position %d", i+1, l.ID, p.Position)
		case p.ListenerID != l.ID:
			return fmt.Errorf("policy %s is of listener %s, and not of %s", p.ID, l.ID, p.ListenerID)
		case p.Action == lbaas.RedirectToPool && lb.Pool(p.RedirectPoolID) == nil:
			return fmt.Errorf("policy %s redirects to a pool that is not there", p.ID)
		}
	}
	return nil
}

// look compares what the API shows, in lists, by itself and as the status tree.
func (m *model) look(rt *rapid.T) {
	m.checkTrees(rt)
	shown := map[string]bool{}
	for _, noun := range []lbaas.Noun{
		lbaas.NounLoadBalancer, lbaas.NounListener, lbaas.NounPool, lbaas.NounHealthMonitor, lbaas.NounL7Policy, lbaas.NounRateLimitPolicy,
	} {
		m.lookAt(rt, "/"+collections[noun]+"?sort=created_at:desc&project_id="+m.project, collections[noun], shown)
	}
	for _, n := range m.some(lbaas.NounPool, lbaas.NounL7Policy, lbaas.NounRateLimitPolicy) {
		if n.noun == lbaas.NounPool {
			m.lookAt(rt, m.pathOf(n)+"/members", "members", shown)
		} else {
			m.lookAt(rt, m.pathOf(n)+"/rules", "rules", shown)
		}
	}
	for id, n := range m.nodes {
		if !shown[id] {
			rt.Fatalf("%s %s is in no list", n.noun, id)
		}
	}
	m.lookAtOne(rt)
	m.lookAtStatuses(rt)
	m.lookAtQuota(rt)
}

// lookAt compares a list.
func (m *model) lookAt(rt *rapid.T, path, key string, shown map[string]bool) {
	for _, o := range m.list(rt, path, key) {
		id := o["id"].(string)
		shown[id] = true
		switch n, dead := m.nodes[id], m.dead[id]; {
		case n != nil:
			m.compare(rt, n, o)
		case dead == nil || dead.gone:
			rt.Fatalf("GET %s: there should be no %v", path, o)
		case o["provisioning_status"] != "PENDING_DELETE" && o["provisioning_status"] != "ERROR":
			rt.Fatalf("GET %s: what was deleted is %v", path, o)
		}
	}
}

// lookAtOne compares an object by itself with the one in the list.
func (m *model) lookAtOne(rt *rapid.T) {
	n := m.pick(rt, nouns()...)
	if n == nil {
		return
	}
	m.compare(rt, n, m.request(rt, http.StatusOK, http.MethodGet, m.pathOf(n), nil).body[keys[n.noun]].(object))
	for id, dead := range m.dead {
		if a := m.send(http.MethodGet, root+dead.path, ""); a.code == http.StatusNotFound {
			dead.gone = true
		} else if dead.gone {
			rt.Fatalf("%s %s is there again: %d %s", dead.noun, id, a.code, a.raw)
		}
	}
}

// compare compares what the API shows of an object.
func (m *model) compare(rt *rapid.T, n *node, o object) {
	got, want := object{}, object{}
	expect := func(attribute string, value any) { got[attribute], want[attribute] = o[attribute], value }
	refs := func(attribute string, ids []string) {
		got[attribute], want[attribute] = m.liveOf(o[attribute]), append([]string{}, ids...)
	}
	switch n.noun {
	case lbaas.NounLoadBalancer:
		expect("flavor_id", orNil(n.target))
		refs("listeners", m.idsBelow(n, lbaas.NounListener))
		refs("pools", m.idsBelow(n, lbaas.NounPool))
	case lbaas.NounListener:
		expect("protocol_port", float64(n.port))
		expect("default_pool_id", orNil(n.target))
		refs("loadbalancers", []string{n.parent})
		refs("l7policies", slices.Sorted(slices.Values(n.policies)))
	case lbaas.NounPool:
		refs("loadbalancers", []string{n.parent})
		refs("members", m.idsBelow(n, lbaas.NounMember))
		refs("listeners", m.users(n))
		if monitors := m.idsBelow(n, lbaas.NounHealthMonitor); len(monitors) == 1 {
			expect("healthmonitor_id", monitors[0])
		}
	case lbaas.NounMember:
		expect("protocol_port", float64(n.port))
	case lbaas.NounHealthMonitor:
		refs("pools", []string{n.parent})
	case lbaas.NounL7Policy:
		expect("listener_id", n.parent)
		expect("redirect_pool_id", orNil(n.target))
		expect("position", float64(slices.Index(m.nodes[n.parent].policies, n.id)+1))
		refs("rules", m.idsBelow(n, lbaas.NounL7Rule))
	case lbaas.NounRateLimitPolicy:
		expect("listener_id", n.parent)
		refs("rules", m.idsBelow(n, lbaas.NounRateLimitRule))
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		rt.Fatalf("%s %v (-want +got):\n%s", n.noun, o, diff)
	}
}

// liveOf are the ids of a list of references, sorted, but for what was deleted.
func (m *model) liveOf(refs any) []string {
	ids := []string{}
	for _, o := range objects(refs) {
		if id := o["id"].(string); m.nodes[id] != nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (m *model) idsBelow(n *node, noun lbaas.Noun) []string {
	var ids []string
	for _, o := range m.below(n) {
		if o.noun == noun {
			ids = append(ids, o.id)
		}
	}
	slices.Sort(ids)
	return ids
}

// lookAtStatuses compares the status trees: listeners with their pools, and policies in their order.
func (m *model) lookAtStatuses(rt *rapid.T) {
	for _, lb := range m.some(lbaas.NounLoadBalancer) {
		tree := at(m.request(rt, http.StatusOK, http.MethodGet, m.pathOf(lb)+"/status", nil).body, "statuses", "loadbalancer")
		if got, want := m.liveOf(tree["listeners"]), append([]string{}, m.idsBelow(lb, lbaas.NounListener)...); !slices.Equal(got, want) {
			rt.Fatalf("the status tree has the listeners %v, want %v", got, want)
		}
		for _, l := range objects(tree["listeners"]) {
			if n := m.nodes[l["id"].(string)]; n != nil {
				m.lookAtListener(rt, n, l)
			}
		}
	}
}

func (m *model) lookAtListener(rt *rapid.T, n *node, l object) {
	var order []string
	for _, p := range objects(l["l7policies"]) {
		policy := m.nodes[p["id"].(string)]
		if policy == nil {
			continue
		}
		order = append(order, policy.id)
		if got, want := m.liveOf(p["rules"]), append([]string{}, m.idsBelow(policy, lbaas.NounL7Rule)...); !slices.Equal(got, want) {
			rt.Fatalf("the status tree's policy has the rules %v, want %v", got, want)
		}
	}
	if !slices.Equal(order, n.policies) {
		rt.Fatalf("the status tree has the policies %v, want %v", order, n.policies)
	}
	pools := m.liveOf(l["pools"])
	if n.target != "" && !slices.Contains(pools, n.target) {
		rt.Fatalf("the status tree has the pools %v, and not the listener's default pool %s", pools, n.target)
	}
	for _, p := range objects(l["pools"]) {
		pool := m.nodes[p["id"].(string)]
		if pool == nil {
			continue
		}
		if got, want := m.liveOf(p["members"]), append([]string{}, m.idsBelow(pool, lbaas.NounMember)...); !slices.Equal(got, want) {
			rt.Fatalf("the status tree's pool has the members %v, want %v", got, want)
		}
	}
}

// lookAtQuota compares usage and limits.
func (m *model) lookAtQuota(rt *rapid.T) {
	q := m.request(rt, http.StatusOK, http.MethodGet, "/quotas/"+m.project+"?usage=true", nil).body["quota"].(object)
	got, want, usage := object{}, object{}, m.usage()
	for _, noun := range lbaas.QuotaNouns() {
		key, limit := quotaKeys[noun], lbaas.Unlimited
		if n, limited := m.limits[noun]; limited {
			limit = n
		}
		got[key], got["usage of "+key] = q[key], at(q, "usage")[key]
		want[key], want["usage of "+key] = float64(limit), float64(usage[noun])
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		rt.Fatalf("quota (-want +got):\n%s", diff)
	}
}
