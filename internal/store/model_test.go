package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// model is what the store should say of one load balancer and its lease, kept in a map.
type model struct {
	id       string
	lb       lbaas.Progress
	pending  bool
	gone     bool
	children map[string]*modelChild
	policies map[string][]string // the live L7 policies of a listener, in order
	next     int
}

type modelChild struct {
	noun     lbaas.Noun
	pool     string // of a member or a monitor; the default pool of a listener; where an L7 policy redirects to
	parent   string // the listener of a policy, the policy of a rule
	number   int    // of a member
	position int    // of a live L7 policy
	progress lbaas.Progress
	born     int // not compared: the order in which they came
}

func (m *model) ids(live bool, nouns ...lbaas.Noun) []string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(m.children)) {
		c := m.children[id]
		if (!live || !c.progress.Deleted) && (len(nouns) == 0 || slices.Contains(nouns, c.noun)) {
			ids = append(ids, id)
		}
	}
	return ids
}

// stamp is what any change does to what it touches.
func (m *model) stamp(id string, deleted bool) {
	c := m.children[id]
	c.progress = lbaas.Progress{Generation: m.lb.Generation, Observed: c.progress.Observed, Deleted: deleted}
}

func (m *model) delete(id string) {
	c := m.children[id]
	m.stamp(id, true)
	for _, other := range m.ids(true) {
		switch o := m.children[other]; {
		case o.progress.Deleted: // with its parent, just now
		case o.parent == id:
			m.delete(other)
		case c.noun != lbaas.NounPool || o.pool != id:
		case o.noun == lbaas.NounListener:
			o.pool = ""
			m.stamp(other, false)
		default:
			m.stamp(other, true)
		}
	}
	if c.noun != lbaas.NounL7Policy {
		return
	}
	c.position = 0
	m.policies[c.parent] = slices.DeleteFunc(m.policies[c.parent], func(p string) bool { return p == id })
	if !m.children[c.parent].progress.Deleted {
		m.renumber(c.parent)
	}
}

// place puts an L7 policy at a position of its listener's, or at the end.
func (m *model) place(id string, position int) {
	listener := m.children[id].parent
	order := slices.DeleteFunc(m.policies[listener], func(p string) bool { return p == id })
	if position < 1 || position > len(order) {
		position = len(order) + 1
	}
	m.policies[listener] = slices.Insert(order, position-1, id)
	m.renumber(listener)
}

func (m *model) renumber(listener string) {
	for i, id := range m.policies[listener] {
		if c := m.children[id]; c.position != i+1 {
			c.position = i + 1
			m.stamp(id, false)
		}
	}
}

// redirected tells whether a live L7 policy redirects to a pool.
func (m *model) redirected(pool string) bool {
	return slices.ContainsFunc(m.ids(true, lbaas.NounL7Policy), func(id string) bool { return m.children[id].pool == pool })
}

// achieved is store.Achieved.
func (m *model) achieved(generation int64, failures map[string]string) {
	blamed := false
	for _, id := range m.insideOut() {
		c := m.children[id]
		reason, failed := failures[id]
		switch {
		case c.progress.Generation > generation:
		case failed:
			c.progress.Failed, c.progress.Reason, blamed = true, reason, true
		case c.progress.Deleted && m.used(id):
			c.progress.Failed, c.progress.Reason = false, ""
		case c.progress.Deleted:
			delete(m.children, id)
		default:
			c.progress = lbaas.Progress{Generation: c.progress.Generation, Observed: c.progress.Generation}
		}
	}
	if m.lb.Generation > generation || m.lb.Deleted {
		return
	}
	_, self := failures[m.id]
	if !self {
		m.lb.Observed = m.lb.Generation
	}
	m.lb.Failed, m.pending = self || blamed, self || blamed
	if !m.lb.Failed {
		m.lb.Reason = ""
	}
}

// waiting is store.Waiting.
func (m *model) waiting(generation int64, reasons map[string]string) {
	if len(reasons) == 0 {
		m.achieved(generation, nil)
		return
	}
	named := reasons[m.id]
	for _, id := range m.insideOut() {
		p := &m.children[id].progress
		reason, waits := reasons[id]
		if waits && p.Generation <= generation {
			named = reason
		}
		switch {
		case p.Generation > generation:
		case waits && (p.Observed != p.Generation || p.Deleted || p.Failed):
			p.Reason = reason
		case waits:
		case p.Deleted && m.used(id):
		case p.Deleted:
			delete(m.children, id)
		default:
			*p = lbaas.Progress{Generation: p.Generation, Observed: p.Generation}
		}
	}
	if lb := &m.lb; lb.Generation <= generation && !lb.Deleted && (lb.Observed != lb.Generation || lb.Failed) {
		lb.Reason = named
	}
}

// insideOut are all children, parents last.
func (m *model) insideOut() []string {
	ids := m.ids(false, lbaas.NounL7Rule, lbaas.NounRateLimitRule, lbaas.NounMember, lbaas.NounHealthMonitor)
	ids = append(ids, m.ids(false, lbaas.NounL7Policy, lbaas.NounRateLimitPolicy)...)
	return append(ids, m.ids(false, lbaas.NounListener, lbaas.NounPool)...)
}

// used tells whether an object still has something in it.
func (m *model) used(parent string) bool {
	for _, id := range m.ids(false, lbaas.NounMember, lbaas.NounHealthMonitor) {
		if m.children[id].pool == parent {
			return true
		}
	}
	for _, c := range m.children {
		if c.parent == parent {
			return true
		}
	}
	return false
}

// failing is store.Failing.
func (m *model) failing(generation int64, reason string, failed bool) {
	mark := func(p *lbaas.Progress, always bool) bool {
		if p.Generation > generation || !(always || p.Observed != p.Generation || p.Deleted || p.Failed) {
			return false
		}
		p.Reason, p.Failed = reason, p.Failed || failed
		return true
	}
	m.pending = mark(&m.lb, failed) || m.pending
	for _, c := range m.children {
		mark(&c.progress, false)
	}
}

// tree is the store's tree in the model's words. The load balancer's own reason, a summary, is another test's.
func treeOf(lb *lbaas.LoadBalancer) map[string]modelChild {
	found := map[string]modelChild{}
	for _, part := range lb.Parts()[1:] {
		c := modelChild{noun: part.Noun(), progress: part.Base().Progress}
		switch p := part.(type) {
		case *lbaas.Listener:
			c.pool = p.DefaultPoolID
		case *lbaas.Member:
			c.pool, c.number = p.PoolID, p.Number
		case *lbaas.HealthMonitor:
			c.pool = p.PoolID
		case *lbaas.L7Policy:
			c.pool, c.parent = p.RedirectPoolID, p.ListenerID
			if !p.Progress.Deleted {
				c.position = p.Position
			}
		case *lbaas.L7Rule:
			c.parent = p.L7PolicyID
		case *lbaas.RateLimitPolicy:
			c.parent = p.ListenerID
		case *lbaas.RateLimitRule:
			c.parent = p.RateLimitPolicyID
		}
		found[part.Base().ID] = c
	}
	return found
}

// TestModel does random things to a load balancer and compares the store with the model after each of them.
func TestModel(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		rapid.Check(t, func(r *rapid.T) {
			lb := &lbaas.LoadBalancer{Object: lbaas.Object{ProjectID: "p"}, Host: uuid.NewString()}
			if err := s.CreateLoadBalancer(context.Background(), lb); err != nil {
				r.Fatal(err)
			}
			lease, ok, err := s.AcquireLease(context.Background(), store.LeaseName(lb), "model", 1<<40)
			if !ok || err != nil {
				r.Fatal(ok, err)
			}
			run := modelRun{r: r, s: s, lease: lease, model: &model{
				id: lb.ID, lb: lbaas.Progress{Generation: 1}, pending: true, children: map[string]*modelChild{},
				policies: map[string][]string{},
			}}
			for range rapid.IntRange(1, 12).Draw(r, "steps") {
				run.step()
				run.compare()
			}
		})
	})
}

type modelRun struct {
	r     *rapid.T
	s     *store.Store
	lease store.Lease
	model *model
}

func (run *modelRun) step() {
	m := run.model
	back := func() int64 {
		return m.lb.Generation - int64(rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(run.r, "back"))
	}
	switch kind := rapid.SampledFrom([]string{"change", "change", "change", "achieved", "achieved", "waiting", "failing", "gone"}).Draw(run.r, "kind"); kind {
	case "change":
		run.change()
	case "achieved":
		generation, failures := back(), run.failures()
		run.do(run.s.Achieved(context.Background(), run.lease, m.id, generation, failures, nil))
		if !m.gone {
			m.achieved(generation, failures)
		}
	case "waiting":
		generation, reasons := back(), run.failures()
		run.do(run.s.Waiting(context.Background(), run.lease, m.id, generation, reasons, nil))
		if !m.gone {
			m.waiting(generation, reasons)
		}
	case "failing":
		generation, failed := back(), rapid.Bool().Draw(run.r, "failed")
		reason := rapid.SampledFrom([]string{"one", "two"}).Draw(run.r, "reason")
		run.do(run.s.Failing(context.Background(), run.lease, m.id, generation, reason, failed))
		if !m.gone {
			m.failing(generation, reason, failed)
		}
	case "gone":
		generation := back()
		run.do(run.s.Gone(context.Background(), run.lease, m.id, generation))
		m.gone = m.gone || m.lb.Deleted && m.lb.Generation <= generation
	}
}

// bad is the reason of what fails.
const bad = "it is bad"

func (run *modelRun) failures() map[string]string {
	failures := map[string]string{}
	for _, id := range append(run.model.ids(false), run.model.id, uuid.NewString()) {
		if rapid.IntRange(0, 4).Draw(run.r, "fails") == 0 {
			failures[id] = bad
		}
	}
	return failures
}

// change does a few things in one change.
func (run *modelRun) change() {
	m := run.model
	n := rapid.IntRange(0, 6).Draw(run.r, "actions")
	var left *lbaas.LoadBalancer
	err := run.s.ChangeLoadBalancer(context.Background(), m.id, func(c *store.Change) error {
		m.lb = lbaas.Progress{Generation: m.lb.Generation + 1, Observed: m.lb.Observed}
		m.pending = true
		for range n {
			if err := run.act(c); err != nil {
				return err
			}
		}
		left = c.LB
		return nil
	})
	if err == nil {
		now, err := run.s.Tree(context.Background(), m.id)
		run.do(err)
		if diff := cmp.Diff(left, now, compare); diff != "" {
			run.r.Fatalf("the tree as the change left it and as it is read (-want +got):\n%s", diff)
		}
	}
	switch {
	case m.gone && errors.Is(err, lbaas.NotFound), !m.gone && m.lb.Deleted && errors.Is(err, lbaas.Immutable):
	default:
		run.do(err)
	}
}

func (run *modelRun) act(c *store.Change) error {
	m := run.model
	if m.lb.Deleted {
		return nil
	}
	action := rapid.SampledFrom([]string{
		"listener", "pool", "member", "monitor", "policy", "policy", "rule", "limit", "limit rule",
		"put", "put", "touch", "delete", "delete", "everything",
	}).Draw(run.r, "action")
	switch action {
	case "put", "touch", "delete":
		live := m.ids(true)
		if len(live) == 0 {
			return nil
		}
		id := rapid.SampledFrom(live).Draw(run.r, "object")
		part := partOf(c.LB, id)
		if part == nil {
			return fmt.Errorf("the change's tree has no %s", id)
		}
		switch action {
		case "put":
			return run.put(c, part)
		case "touch":
			m.stamp(id, false)
			return c.Touch(part)
		default:
			if m.redirected(id) {
				return refused(c.Delete(part))
			}
			m.delete(id)
			return c.Delete(part)
		}
	case "everything":
		if rapid.IntRange(0, 3).Draw(run.r, "really") > 0 {
			return nil
		}
		for _, id := range m.ids(true) {
			m.stamp(id, true)
			m.children[id].position = 0
		}
		m.lb.Deleted = true
		return c.Delete(c.LB)
	}
	return run.add(c, action)
}

// refused is nil for the error that is due.
func refused(err error) error {
	if errors.Is(err, lbaas.Conflict) {
		return nil
	}
	return errors.New(fmt.Sprint("the deletion of a pool in use gives ", err))
}

// put changes an object, and where an L7 policy stands.
func (run *modelRun) put(c *store.Change, part lbaas.Part) error {
	m, id := run.model, part.Base().ID
	m.stamp(id, false)
	part.Base().Name = rapid.SampledFrom([]string{"same", "other"}).Draw(run.r, "name")
	if p, ok := part.(*lbaas.L7Policy); ok {
		if rapid.Bool().Draw(run.r, "moves") {
			p.Position = rapid.IntRange(0, 4).Draw(run.r, "position")
			m.place(id, p.Position)
		}
	}
	if rapid.Bool().Draw(run.r, "a copy") {
		part = bareCopy(part)
	}
	return c.Put(part)
}

// bareCopy is a copy of what has L7 parts below it, without them: who changes an object by itself need not know them.
func bareCopy(part lbaas.Part) lbaas.Part {
	switch p := part.(type) {
	case *lbaas.Listener:
		c := *p
		c.L7Policies, c.RateLimitPolicies = nil, nil
		return &c
	case *lbaas.L7Policy:
		c := *p
		c.Rules = nil
		return &c
	case *lbaas.RateLimitPolicy:
		c := *p
		c.Rules = nil
		return &c
	}
	return part
}

func partOf(lb *lbaas.LoadBalancer, id string) lbaas.Part {
	for _, part := range lb.Parts() {
		if part.Base().ID == id {
			return part
		}
	}
	return nil
}

// add makes something that may clash with what is there: the store has to say so exactly when the model does.
func (run *modelRun) add(c *store.Change, what string) error {
	m := run.model
	pools := m.ids(true, lbaas.NounPool)
	pool := ""
	if len(pools) > 0 {
		pool = rapid.SampledFrom(pools).Draw(run.r, "pool")
	}
	var part lbaas.Part
	parent := ""
	switch what {
	case "policy", "limit":
		parent = run.one(lbaas.NounListener)
	case "rule":
		parent = run.one(lbaas.NounL7Policy)
	case "limit rule":
		parent = run.one(lbaas.NounRateLimitPolicy)
	}
	switch {
	case slices.Contains([]string{"policy", "limit", "rule", "limit rule"}, what):
		if parent == "" {
			return nil
		}
		part = below(what, parent, pool)
	case what == "listener":
		part = &lbaas.Listener{Protocol: lbaas.HTTP, ProtocolPort: m.fresh(), DefaultPoolID: pool}
	case what == "pool":
		part = &lbaas.Pool{Protocol: lbaas.HTTP}
	case pool == "":
		return nil
	case what == "member":
		part = &lbaas.Member{PoolID: pool, Address: netip.MustParseAddr("10.0.0.1"), ProtocolPort: m.fresh()}
	default:
		for _, id := range m.ids(true, lbaas.NounHealthMonitor) {
			if m.children[id].pool == pool {
				return nil
			}
		}
		part = &lbaas.HealthMonitor{PoolID: pool, Type: lbaas.MonitorTCP}
	}
	position := rapid.IntRange(0, 4).Draw(run.r, "position")
	if p, ok := part.(*lbaas.L7Policy); ok {
		p.Position = position
	}
	if err := c.Put(part); err != nil {
		return err
	}
	child := modelChild{noun: part.Noun(), parent: parent, born: m.fresh(), progress: lbaas.Progress{Generation: m.lb.Generation}}
	m.children[part.Base().ID] = &child
	switch p := part.(type) {
	case *lbaas.Member:
		child.pool, child.number = pool, p.Number
	case *lbaas.Listener, *lbaas.HealthMonitor:
		child.pool = pool
	case *lbaas.L7Policy:
		child.pool = pool
		m.place(p.ID, position)
	}
	return nil
}

// one is any live object of a noun, or "".
func (run *modelRun) one(noun lbaas.Noun) string {
	ids := run.model.ids(true, noun)
	if len(ids) == 0 {
		return ""
	}
	return rapid.SampledFrom(ids).Draw(run.r, "parent")
}

func below(what, parent, pool string) lbaas.Part {
	switch what {
	case "policy":
		return &lbaas.L7Policy{ListenerID: parent, RedirectPoolID: pool}
	case "rule":
		return &lbaas.L7Rule{L7PolicyID: parent}
	case "limit":
		return &lbaas.RateLimitPolicy{ListenerID: parent}
	}
	return &lbaas.RateLimitRule{RateLimitPolicyID: parent}
}

func (m *model) fresh() int {
	m.next++
	return m.next
}

func (run *modelRun) do(err error) {
	if err != nil {
		run.r.Fatal(err)
	}
}

// compare looks at the store from all sides.
func (run *modelRun) compare() {
	m, ctx := run.model, context.Background()
	pending, err := run.s.Pending(ctx, run.lease.Name, 0)
	run.do(err)
	if want := m.pending && !m.gone; slices.Contains(pending, m.id) != want {
		run.r.Fatalf("pending: %v, want %v", !want, want)
	}
	status, err := run.s.StatusTree(ctx, m.id)
	if m.gone {
		if !errors.Is(err, lbaas.NotFound) {
			run.r.Fatalf("what is gone gives %v", err)
		}
		for _, table := range store.Tables() {
			if n := run.s.Count(table, m.id); n != 0 {
				run.r.Fatalf("%s has %d rows of what is gone", table, n)
			}
		}
		return
	}
	run.do(err)
	got := status.Progress
	switch { // whose failure it is is another test's
	case got.Failed:
		got.Reason = ""
	case strings.Contains(got.Reason, bad):
		got.Reason = bad
	}
	want := m.lb
	if want.Failed {
		want.Reason = ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		run.r.Fatalf("the load balancer (-want +got):\n%s", diff)
	}
	run.compareTrees(status)
}

func (run *modelRun) compareTrees(status *lbaas.LoadBalancer) {
	m := run.model
	all, live := map[string]modelChild{}, map[string]modelChild{}
	for id, child := range m.children {
		c := *child
		c.born = 0
		if c.noun != lbaas.NounHealthMonitor || !m.replaced(id) {
			all[id] = c
		}
		if !c.progress.Deleted {
			live[id] = c
		}
	}
	opts := cmp.AllowUnexported(modelChild{})
	if diff := cmp.Diff(all, treeOf(status), opts); diff != "" {
		run.r.Fatalf("the status tree (-want +got):\n%s", diff)
	}
	lb, err := run.s.Tree(context.Background(), m.id)
	run.do(err)
	if diff := cmp.Diff(live, treeOf(lb), opts); diff != "" {
		run.r.Fatalf("the tree (-want +got):\n%s", diff)
	}
	for _, l := range lb.Listeners {
		for i, p := range l.L7Policies {
			if p.Position != i+1 {
				run.r.Fatalf("the policy in place %d has the position %d", i+1, p.Position)
			}
		}
	}
	numbers := map[string]bool{}
	for _, c := range all {
		if key := fmt.Sprint(c.pool, c.number); c.noun == lbaas.NounMember {
			if numbers[key] {
				run.r.Fatalf("two members of a pool have the number %d", c.number)
			}
			numbers[key] = true
		}
	}
}

// replaced tells whether a pool has a later monitor, which is then the one that its status shows.
func (m *model) replaced(id string) bool {
	c := m.children[id]
	for other, o := range m.children {
		if other != id && o.noun == lbaas.NounHealthMonitor && o.pool == c.pool &&
			(c.progress.Deleted && !o.progress.Deleted || c.progress.Deleted == o.progress.Deleted && o.born > c.born) {
			return true
		}
	}
	return false
}
