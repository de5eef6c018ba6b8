package octavia_test

import (
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plimsoll/internal/provider/noop"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// memory is a folder of files that are only in memory.
type memory struct {
	mu    sync.Mutex
	files map[string][]byte
}

func (f *memory) Read(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if content, ok := f.files[name]; ok {
		return content, nil
	}
	return nil, fs.ErrNotExist
}

func (f *memory) Write(name string, content []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files[name] = content
	return nil
}

func (f *memory) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.files, name)
	return nil
}

// handLoop does what the loop does, when it is told to, and in an order in which the loop would not.
type handLoop struct {
	*sandbox
	provider *noop.Provider
	leases   map[string]store.Lease
}

func newHandLoop(w *sandbox) *handLoop {
	return &handLoop{w, noop.New(&memory{files: map[string][]byte{}}), map[string]store.Lease{}}
}

func (l *handLoop) lease(rt *rapid.T, lb *lbaas.LoadBalancer) store.Lease {
	name := store.LeaseName(lb)
	if held, ok := l.leases[name]; ok {
		return held
	}
	lease, ok, err := l.store.AcquireLease(l.t.Context(), name, "test", time.Hour)
	if err != nil || !ok {
		rt.Fatal(ok, err)
	}
	l.leases[name] = lease
	return lease
}

// apply gives a tree, which may be an old one, to the provider, and records what came of it.
func (l *handLoop) apply(rt *rapid.T, lb *lbaas.LoadBalancer, failures map[string]string) {
	lease, ctx := l.lease(rt, lb), l.t.Context()
	lb.Epoch = lease.Epoch
	generation := lb.Progress.Generation
	if lb.Progress.Deleted {
		if l.provider.Remove(ctx, lb) == nil {
			l.gone(rt, lease, lb)
		}
		return
	}
	_, err := l.provider.Apply(ctx, lb)
	if err != nil { // it is older than what was applied
		err = l.store.Failing(ctx, lease, lb.ID, generation, "it is too old", false)
	} else {
		err = l.store.Achieved(ctx, lease, lb.ID, generation, failures, nil)
	}
	if err != nil {
		rt.Fatal(err)
	}
}

// gone forgets a load balancer, and gives its VIP's port back.
func (l *handLoop) gone(rt *rapid.T, lease store.Lease, lb *lbaas.LoadBalancer) {
	if err := l.store.Gone(l.t.Context(), lease, lb.ID, lb.Progress.Generation); err != nil {
		rt.Fatal(err)
	}
	if err := l.store.DeletePort(l.t.Context(), lb.VIPPortID); err != nil && !errors.Is(err, lbaas.NotFound) {
		rt.Fatal(err)
	}
}

// tree reads a load balancer as it is now; nil where it is gone.
func (l *handLoop) tree(rt *rapid.T, id string) *lbaas.LoadBalancer {
	lb, err := l.store.Tree(l.t.Context(), id)
	if errors.Is(err, lbaas.NotFound) {
		return nil
	}
	if err != nil {
		rt.Fatal(err)
	}
	return lb
}

// any draws a load balancer, which may be on its way out, as it is now, or nil.
func (m *model) any(rt *rapid.T) *lbaas.LoadBalancer {
	all := maps.Clone(m.dead)
	maps.Copy(all, m.nodes)
	lbs := slices.DeleteFunc(inOrder(all), func(n *node) bool { return n.noun != lbaas.NounLoadBalancer || n.gone })
	n := draw(rt, lbs)
	if n == nil {
		return nil
	}
	return m.loop.tree(rt, n.id)
}

// failures draws objects of a tree that fail, mostly none.
func failures(rt *rapid.T, lb *lbaas.LoadBalancer) map[string]string {
	failures := map[string]string{}
	parts := lb.Parts()
	for range max(0, rapid.IntRange(-3, 2).Draw(rt, "failures")) {
		failures[parts[rapid.IntRange(0, len(parts)-1).Draw(rt, "part")].Base().ID] = "it is bad"
	}
	return failures
}

func (m *model) apply(rt *rapid.T) {
	if lb := m.any(rt); lb != nil {
		m.loop.apply(rt, lb, failures(rt, lb))
	}
}

// read keeps a tree, to be applied when it is old.
func (m *model) read(rt *rapid.T) {
	if lb := m.any(rt); lb != nil {
		m.old = append(m.old, lb)
	}
}

func (m *model) applyLate(rt *rapid.T) {
	if len(m.old) == 0 {
		return
	}
	lb := m.old[rapid.IntRange(0, len(m.old)-1).Draw(rt, "old")]
	before := m.newer(rt, lb)
	m.loop.apply(rt, lb, failures(rt, lb))
	if diff := cmp.Diff(before, m.newer(rt, lb)); diff != "" {
		rt.Fatalf("an Apply of generation %d has changed what is newer (-before +after):\n%s", lb.Progress.Generation, diff)
	}
}

// newer is how far the objects of a load balancer have come that are newer than an old tree of it.
func (m *model) newer(rt *rapid.T, old *lbaas.LoadBalancer) map[string]lbaas.Progress {
	progress := map[string]lbaas.Progress{}
	now := m.loop.tree(rt, old.ID)
	if now == nil {
		return progress
	}
	for _, part := range now.Parts() {
		if p := part.Base().Progress; p.Generation > old.Progress.Generation {
			progress[part.Base().ID] = p
		}
	}
	return progress
}

// fail records that nothing was achieved, of this generation or an older one.
func (m *model) fail(rt *rapid.T) {
	lb := m.any(rt)
	if lb == nil {
		return
	}
	generation := lb.Progress.Generation - int64(rapid.IntRange(0, 2).Draw(rt, "back"))
	err := m.store.Failing(m.t.Context(), m.loop.lease(rt, lb), lb.ID, generation, "it is all bad", rapid.Bool().Draw(rt, "failed"))
	if err != nil {
		rt.Fatal(err)
	}
}

// finish achieves everything: it is ACTIVE, and what was deleted is gone. Then it does away with everything.
func (m *model) finish(rt *rapid.T) {
	m.settle(rt)
	m.look(rt)
	for noun, collection := range collections {
		for _, o := range m.list(rt, "/"+collection+"?project_id="+m.project, collection) {
			if m.nodes[o["id"].(string)] == nil || o["provisioning_status"] != "ACTIVE" {
				rt.Fatalf("in the end there is a %s %v", noun, o)
			}
		}
	}
	for _, n := range m.nodes {
		o := m.request(rt, http.StatusOK, http.MethodGet, m.pathOf(n), nil).body[keys[n.noun]].(object)
		if o["provisioning_status"] != "ACTIVE" {
			rt.Fatalf("in the end a %s is %v", n.noun, o)
		}
	}
	for _, n := range m.dead {
		m.request(rt, http.StatusNotFound, http.MethodGet, n.path, nil)
	}
	for _, lb := range m.some(lbaas.NounLoadBalancer) {
		m.request(rt, http.StatusNoContent, http.MethodDelete, m.pathOf(lb)+"?cascade=true", nil)
		m.bury(lb)
	}
	m.settle(rt)
	m.nothing(rt)
}

// settle achieves everything that is wanted.
func (m *model) settle(rt *rapid.T) {
	for _, nodes := range []map[string]*node{m.nodes, m.dead} {
		for _, n := range inOrder(nodes) {
			if n.noun != lbaas.NounLoadBalancer {
				continue
			}
			if lb := m.loop.tree(rt, n.id); lb != nil {
				m.loop.apply(rt, lb, nil)
			}
		}
	}
}

// nothing checks that nothing is left of the project, but its quota.
func (m *model) nothing(rt *rapid.T) {
	m.request(rt, http.StatusAccepted, http.MethodPut, "/quotas/"+m.project, object{"quota": object{"loadbalancer": nil}})
	m.request(rt, http.StatusAccepted, http.MethodDelete, "/quotas/"+m.project, nil)
	rows := map[string]int{}
	for line := range strings.Lines(m.image.Diff(m.t)) {
		row := epoch.ReplaceAllString(line[2:], "")
		if rows[row]++; line[0] == '-' {
			rows[row] -= 2
		}
	}
	for row, n := range rows {
		if n != 0 && !strings.HasPrefix(row, "quotas ") && !strings.HasPrefix(row, "leases ") { // of which rows stay
			rt.Errorf("in the end there are %d rows more of %s", n, row)
		}
	}
}

// epoch is what some rows count for good.
var epoch = regexp.MustCompile(` epoch=\d+`)
