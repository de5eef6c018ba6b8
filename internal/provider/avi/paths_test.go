package avi

import (
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/provider"
	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

var (
	pathsCount = flag.Int("paths", 4, "how many random paths TestPaths takes")
	pathsSeed  = flag.Uint64("paths.seed", 1, "the seed of the first of them; each has the next one")
)

// TestPaths has two load balancers of one project take random paths: whole trees in which anything may have changed, some of them skipped;
// requests that fail in any way; processes that end; certificates that are renewed or cannot be read; users who change what is not ours.
// Where they come from must not matter in the end, and neither may harm the other.
func TestPaths(t *testing.T) {
	for seed := *pathsSeed; seed < *pathsSeed+uint64(*pathsCount); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { newPath(t, seed).walk() })
	}
}

// path is one path.
type path struct {
	t      *testing.T
	r      *rand.Rand
	o      avitest.Options
	change func(*Config)
	keys   *keyring
	w      *world
	lbs    []*walker
	edits  map[touch]any // fields that users set, of what is still there
	zombie *Provider     // a process that has lost the lease
}

// walker is one of the load balancers.
type walker struct {
	*grower
	generation, epoch int64
	tree, was         *lbaas.LoadBalancer
}

func newPath(t *testing.T, seed uint64) *path {
	r := rand.New(rand.NewPCG(seed, 0))
	p := &path{t: t, r: r, keys: newKeyring(t), edits: map[touch]any{}}
	p.o = avitest.Options{Version: oneOf(r, "18.2.6", "18.2.6", "20.1.1"), SharedCAs: r.IntN(4) == 0}
	version, perSubnet, placement := oneOf(r, "18.1.2", "18.2.6"), r.IntN(2) == 0, r.IntN(3) == 0
	single := oneOf(r, "", "", "demo")
	p.change = func(c *Config) {
		c.Tenants.Single = single
		c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
		c.Controller.Version, c.Controller.Probe, c.VRFPerSubnet, c.Secrets = version, time.Nanosecond, perSubnet, p.keys
		if placement {
			c.Placement, c.Networks = true, oneSubnet{&wires{}}
		}
	}
	t.Logf("seed %d: controller %s, authorities are shared %v, model %s, VRF contexts of subnets %v, placement %v, tenant %q", seed, p.o.Version,
		p.o.SharedCAs, version, perSubnet, placement, single)
	p.w = worldOf(t, p.o, p.change)
	p.keys.turn(r, false)
	for n := range 2 {
		p.lbs = append(p.lbs, &walker{grower: newGrower(r, n), epoch: 1})
	}
	return p
}

// walk takes the path, and looks at what came of it.
func (p *path) walk() {
	before := p.w.picture("*")
	for range 3 + p.r.IntN(6) {
		p.step()
		p.users()
		if p.r.IntN(4) == 0 {
			p.meddle()
		}
	}
	readable := p.r.IntN(6) > 0
	p.keys.turn(p.r, !readable)
	for _, l := range p.lbs {
		p.grow(l, 0)
	}
	p.observe()
	p.forget()
	was := map[string]bool{}
	for _, l := range p.lbs {
		for k := range p.w.objectsOf(l.plain()) {
			was[k.uuid] = true
		}
	}
	for range 2 {
		for _, l := range p.lbs {
			p.grow(l, 0)
			p.apply(l, readable)
		}
	}
	for _, l := range p.lbs {
		p.apply(l, readable)
	}
	p.checkGentle(was)
	p.checkQuiet(readable)
	if readable {
		p.checkFresh()
	}
	p.remove(before)
}

// checkGentle wants that the controller refused nothing, and that nothing that is there was taken away in between.
func (p *path) checkGentle(was map[string]bool) {
	p.t.Helper()
	for _, c := range p.w.server.Calls() {
		kind, uuid, _ := translate.ParseRef(c.Path)
		switch {
		case c.Status == http.StatusBadRequest:
			p.t.Errorf("refused: %s", c)
		case c.Method == http.MethodDelete && c.Status/100 == 2 && was[uuid] && p.w.server.Object(kind, uuid) != nil:
			p.t.Errorf("deleted and made again: %s", c)
		}
	}
}

// grow gives a load balancer its next tree. Some are skipped.
func (p *path) grow(l *walker, probability float64) {
	l.mutate(p.r, probability)
	l.generation += 1 + int64(p.r.IntN(2))
	l.was, l.tree = l.tree, l.grower.tree()
	if l.was == nil {
		l.was = l.tree
	}
	l.tree.Epoch, l.tree.Progress.Generation, l.tree.Progress.Observed = l.epoch, l.generation, l.generation
	if lacks := unsupported(l.tree, p.w.provider.cfg.Controller.Version); len(lacks) > 0 {
		p.t.Fatalf("the tree is none that Avi can make: %v", lacks)
	}
}

// step has one of the load balancers, or both at once, become something else.
func (p *path) step() {
	moving := [][]*walker{p.lbs[:1], p.lbs[:1], p.lbs[1:], p.lbs}[p.r.IntN(4)]
	if p.r.IntN(4) == 0 {
		p.keys.turn(p.r, p.r.IntN(2) == 0)
	}
	if p.r.IntN(4) == 0 {
		p.restart()
	}
	for _, l := range moving {
		p.grow(l, oneOf(p.r, 0.05, 0.3, 1))
	}
	if p.r.IntN(2) == 0 {
		p.faults()
	}
	theirs := p.others(moving)
	p.move(moving)
	p.w.server.ClearFaults()
	if diff := cmp.Diff(theirs, p.others(moving)); diff != "" {
		p.t.Fatalf("the other load balancer is not as it was:\n%s", diff)
	}
	p.forget()
}

// restart has another process go on, perhaps with another lease.
func (p *path) restart() {
	was := p.w.provider
	p.w.provider = p.w.open(p.change)
	if p.r.IntN(2) == 0 {
		p.zombie = was
		for _, l := range p.lbs {
			l.epoch++
		}
	}
}

// move applies the trees of load balancers, a few times at most.
func (p *path) move(moving []*walker) {
	again := p.r.IntN(3)
	var all sync.WaitGroup
	if p.zombie != nil && p.r.IntN(2) == 0 {
		late := moving[0].was
		all.Go(func() {
			_, _ = p.zombie.Apply(p.t.Context(), late)
		})
	}
	for _, l := range moving {
		all.Go(func() {
			for range 1 + again {
				if result, err := p.w.provider.Apply(p.t.Context(), l.tree); err == nil && len(result.Failures) == 0 {
					return
				}
			}
		})
	}
	all.Wait()
}

// faults has some requests fail.
func (p *path) faults() {
	kinds := []avitest.Kind{
		avitest.Unauthorized, avitest.SwitchSession, avitest.Stale, avitest.ServerError, avitest.Unavailable, avitest.Slow, avitest.CutBefore,
		avitest.CutAfterWrite, avitest.CutWithin, avitest.Refuse,
	}
	for range 1 + p.r.IntN(3) {
		f := avitest.Fault{Kind: oneOf(p.r, kinds...), Skip: p.r.IntN(30), Times: 1 + p.r.IntN(5), Delay: time.Millisecond, Text: "no"}
		switch f.Kind {
		case avitest.Stale:
			f.Match = func(method, _ string, _ map[string]any) bool { return method == http.MethodPut }
		case avitest.Refuse:
			f.Match = func(method, path string, _ map[string]any) bool {
				return method != http.MethodGet && method != http.MethodDelete && strings.HasPrefix(path, "/api/")
			}
		}
		p.w.server.Inject(f)
	}
}

// others are the objects of the load balancers that do not move, as they are.
func (p *path) others(moving []*walker) map[string]string {
	all := map[string]string{}
	for _, l := range p.lbs {
		if slices.Contains(moving, l) {
			continue
		}
		there := p.w.server.Object(translate.VsVip, translate.UUID(translate.VsVip, l.plain().ID)) != nil
		for k, o := range p.w.objectsOf(l.plain()) {
			if there || !isAuthority(o) { // an authority that one left to the other may go with that
				all[k.uuid] = asJSON(p.t, o)
			}
		}
	}
	return all
}

// plain is a load balancer as far as its id goes.
func (g *grower) plain() *lbaas.LoadBalancer {
	return &lbaas.LoadBalancer{Object: lbaas.Object{ID: g.id()}}
}

// apply applies a tree when nothing goes wrong.
func (p *path) apply(l *walker, readable bool) {
	p.t.Helper()
	result, err := p.w.provider.Apply(p.t.Context(), l.tree)
	if err != nil || readable && len(result.Failures) > 0 {
		p.t.Fatalf("Apply of %s: %v, failures %v", l.tree.ID, err, result.Failures)
	}
}

// forget forgets what users set of what has gone, though it may have come again.
func (p *path) forget() {
	for _, c := range p.w.server.Calls() {
		if c.Method == http.MethodDelete && c.Status/100 == 2 {
			maps.DeleteFunc(p.edits, func(e touch, _ any) bool { return strings.HasSuffix(c.Path, "/"+e.uuid) })
		}
	}
	p.w.server.ResetCalls()
	maps.DeleteFunc(p.edits, func(e touch, _ any) bool { return e.in(p.w.server.Object(e.kind, e.uuid)) == nil })
}

// checkQuiet wants nothing to be amiss, and nothing left to be written, be it by this process or by another.
func (p *path) checkQuiet(readable bool) {
	p.t.Helper()
	for _, process := range []string{"this", "another"} {
		if process == "another" {
			p.w.provider = p.w.open(p.change)
		}
		if process == "this" || readable {
			p.checkDrift(process)
		}
		p.w.server.ResetCalls()
		for _, l := range p.lbs {
			p.grow(l, 0)
			if _, err := p.w.provider.Apply(p.t.Context(), l.tree); err != nil {
				p.t.Errorf("Apply: %v", err)
			}
		}
		for _, c := range p.w.server.Calls() {
			kept := p.o.SharedCAs && c.Method == http.MethodDelete && c.Status == http.StatusForbidden
			if !kept && c.Method != http.MethodGet && c.Path != "/login" {
				p.t.Errorf("%s process: %s", process, c)
			}
		}
		p.checkDrift(process)
	}
}

func (p *path) checkDrift(process string) {
	p.t.Helper()
	for id, o := range p.observe() {
		if o.Drifted {
			p.t.Errorf("%s process sees drift of %s", process, id)
		}
	}
}

// observe looks at both load balancers.
func (p *path) observe() map[string]provider.Observation {
	p.t.Helper()
	var trees []*lbaas.LoadBalancer
	for _, l := range p.lbs {
		if l.tree != nil {
			trees = append(trees, l.tree)
		}
	}
	all, err := p.w.provider.Observe(p.t.Context(), trees)
	if err != nil {
		p.t.Fatal(err)
	}
	return all
}

// checkFresh compares with a controller that knew nothing of the load balancers before.
func (p *path) checkFresh() {
	p.t.Helper()
	fresh := worldOf(p.t, p.o, p.change)
	names := map[string][]string{}
	for _, l := range p.lbs {
		mustApply(p.t, fresh.provider, l.tree)
		for _, w := range fresh.provider.memory.get(l.tree.ID).wanted {
			name, _ := w.Owned["name"].(string)
			names[w.UUID] = []string{name, w.Alias}
		}
	}
	want, got := p.objects(fresh, names), p.objects(p.w, names)
	p.checkEdits(want, got)
	both := maps.Clone(want)
	maps.Copy(both, got)
	for k := range both {
		switch {
		case want[k] == nil:
			p.t.Errorf("%s %s is left of what was before", k.uuid, asJSON(p.t, got[k]))
		case got[k] == nil:
			p.t.Errorf("%s is missing", k.uuid)
		default:
			if diff := cmp.Diff(want[k], got[k]); diff != "" {
				p.t.Errorf("%s is not as if there had been nothing before (-fresh +path):\n%s", k.uuid, diff)
			}
		}
	}
}

// checkEdits wants what users set to be there still, and then takes it away.
func (p *path) checkEdits(want, got objects) {
	p.t.Helper()
	for e, value := range p.edits {
		is, fresh := e.in(got[e.key]), e.in(want[e.key])
		if is == nil {
			continue
		}
		if e.part == httpPolicies {
			if uuid, _ := value.(string); !strings.Contains(asJSON(p.t, is[httpPolicies]), uuid) {
				p.t.Errorf("users' policy set of %s is not in %v", e.uuid, is[httpPolicies])
			}
			continue
		}
		if diff := cmp.Diff(value, is[e.field]); diff != "" {
			p.t.Errorf("users' %s of %s in %s (-want +got):\n%s", e.field, e.part, e.uuid, diff)
		}
		delete(is, e.field)
		if v, there := fresh[e.field]; there {
			is[e.field] = v
		}
	}
	for _, all := range []objects{want, got} {
		for k, o := range all {
			if k.kind == translate.VirtualService {
				withoutTheirPolicies(o)
			}
			if strings.Contains(k.uuid, "theirs") {
				delete(all, k)
			}
		}
	}
}

// objects are those of a world's tenant, without what paths may leave.
func (p *path) objects(w *world, names map[string][]string) objects {
	all := objects{}
	for _, kind := range append([]string{translate.VRFContext}, kinds...) {
		for _, o := range w.server.Objects("*", kind) {
			m, marked := markOf(kind, o)
			if p.o.SharedCAs && isAuthority(o) {
				continue
			}
			for _, field := range []string{"_last_modified", "redis_db", "tls_ticket_key", "version", "vh_child_vs_uuid"} {
				delete(o, field)
			}
			if marked {
				field, _ := markField(kind)
				text, _ := o[field].(string)
				o[field] = unmarked(text) + m.lb
			}
			if slices.Contains(names[textAt(o, "uuid")], textAt(o, "name")) {
				o["name"] = "as it is to be"
			}
			if text, _ := o["lb_algorithm"].(string); !strings.HasSuffix(text, "HASH") {
				delete(o, "lb_algorithm_hash") // it means nothing
			}
			if p.o.SharedCAs {
				delete(o, "ca_certs")
			}
			if list, ok := o["vh_domain_name"].([]any); ok {
				slices.SortFunc(list, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
			}
			all[key{kind, textAt(o, "uuid")}] = o
		}
	}
	return all
}

// remove ends both load balancers: nothing is left.
func (p *path) remove(before map[string]string) {
	p.t.Helper()
	for _, n := range p.r.Perm(len(p.lbs)) {
		l := p.lbs[n]
		p.grow(l, 0)
		if p.r.IntN(3) == 0 {
			p.faults()
			_ = p.w.provider.Remove(p.t.Context(), l.tree)
			p.w.server.ClearFaults()
		}
		theirs := p.others([]*walker{l})
		if err := p.w.provider.Remove(p.t.Context(), l.tree); err != nil {
			p.t.Fatalf("Remove: %v", err)
		}
		if diff := cmp.Diff(theirs, p.others([]*walker{l})); n == 0 && diff != "" {
			p.t.Errorf("the other load balancer is not as it was:\n%s", diff)
		}
	}
	for _, o := range p.w.server.Objects("*", translate.PolicySet) {
		if strings.Contains(textAt(o, "uuid"), "theirs") {
			p.w.server.Drop(translate.PolicySet, textAt(o, "uuid"))
		}
	}
	after := p.w.picture("*")
	if p.o.SharedCAs { // of one that is gone an authority stays if the answer is lost that nobody refers to it any more
		maps.DeleteFunc(after, func(_, o string) bool { return strings.Contains(o, translate.AuthorityName) })
	}
	if diff := cmp.Diff(before, after); diff != "" {
		p.t.Errorf("left in the end (-at first +in the end):\n%s", diff)
	}
}
