package octavia

import (
	"slices"

	"github.com/google/uuid"

	"plimsoll/lbaas"
)

// A POST of a load balancer may carry its whole tree. Pools stand beside the listeners or within them; a listener may
// also name a pool that stands elsewhere in the request, since none has an id yet.

// newListener is a listener of such a request, and the name of its default pool.
type newListener struct {
	*lbaas.Listener
	pool string
}

// newL7Policy is an L7 policy of such a request. Until the tree is adopted its RedirectPoolID is the pool's name.
type newL7Policy struct {
	*lbaas.L7Policy
	of *lbaas.Listener
}

// readChildren reads the nested objects and puts them into the tree, pools first.
func (t *newTree) readChildren() {
	for _, f := range t.form.objects("pools") {
		t.readPool(f)
	}
	for _, f := range t.form.objects("listeners") {
		t.readListener(f)
	}
	t.checkNames()
}

func (t *newTree) readPool(f *form) {
	p := lbaas.NewPool()
	readPool(f, p)
	if nested, ok := f.object("healthmonitor"); ok {
		p.HealthMonitor = lbaas.NewHealthMonitor()
		readHealthMonitor(nested, p.HealthMonitor)
		f.check(nested.done())
		f.check(checkHTTP(nested, p.HealthMonitor))
	}
	for _, nested := range f.objects("members") {
		m := lbaas.NewMember()
		readMember(nested, m)
		f.check(nested.done())
		p.Members = append(p.Members, m)
	}
	t.form.check(f.done())
	for _, attribute := range []string{"protocol", "lb_algorithm"} {
		if raw, _ := f.value(attribute); raw == nil {
			t.form.fail(lbaas.ValidationFailure("Pool definition for '%s' missing required attribute: %s", p.Name, attribute))
		}
	}
	t.lb.Pools = append(t.lb.Pools, p)
}

func (t *newTree) readListener(f *form) {
	l := newListener{Listener: lbaas.NewListener()}
	readListener(f, l.Listener)
	if nested, ok := f.object("default_pool"); ok {
		l.pool = t.readNamedPool(nested)
	}
	for _, nested := range f.objects("l7policies") {
		t.readL7Policy(nested, l.Listener)
	}
	t.form.check(f.done())
	t.listeners = append(t.listeners, l)
	t.lb.Listeners = append(t.lb.Listeners, l.Listener)
}

// readNamedPool reads a pool within a listener or an L7 policy and returns its name. One that has nothing but a name refers to one
// that stands elsewhere.
func (t *newTree) readNamedPool(f *form) (name string) {
	f.text("name", &name)
	if name == "" && f.doc == nil {
		t.form.fail(lbaas.ValidationFailure("Pools must be named when creating a fully populated loadbalancer."))
		return ""
	}
	if !f.onlyName() {
		t.readPool(f)
		return name
	}
	readPool(f, lbaas.NewPool())
	t.form.check(f.done())
	t.references = append(t.references, name)
	return name
}

// onlyName tells whether a pool is but a reference. Octavia counts attributes, and admin_state_up and tls_enabled, which it
// fills in before that, do not make a pool.
func (f *form) onlyName() bool {
	if f.doc != nil {
		return false
	}
	for attribute := range f.given {
		if attribute != "name" && attribute != "admin_state_up" && attribute != "tls_enabled" {
			return false
		}
	}
	return true
}

func (t *newTree) readL7Policy(f *form, l *lbaas.Listener) {
	p := newL7Policy{lbaas.NewL7Policy(), l}
	f.require("action")
	to := readL7Common(f, p.L7Policy)
	if nested, ok := f.object("redirect_pool"); ok {
		to.PoolID = t.readNamedPool(nested)
	}
	f.check(p.Redirect(to))
	for _, nested := range f.objects("rules") {
		r := lbaas.NewL7Rule()
		readL7Rule(nested, r)
		f.check(nested.done())
		p.Rules = append(p.Rules, r)
	}
	t.form.check(f.done())
	t.policies = append(t.policies, p)
}

// checkNames checks that every pool has a name of its own and that the pools which listeners and policies name are there.
func (t *newTree) checkNames() {
	seen := map[string]bool{}
	for _, p := range t.lb.Pools {
		if seen[p.Name] {
			t.form.fail(lbaas.ValidationFailure("Pool names must be unique when creating a fully populated loadbalancer."))
		}
		seen[p.Name] = true
	}
	for _, name := range t.references {
		if !seen[name] {
			t.form.fail(lbaas.ValidationFailure("Pool '%s' was referenced but no full definition was found.", name))
		}
	}
}

// adopt gives the tree its ids and its owner.
func (t *newTree) adopt() {
	ids := map[string]string{}
	for _, p := range t.lb.Pools {
		p.ID, p.ProjectID, p.LoadBalancerID, p.Operating = uuid.NewString(), t.lb.ProjectID, t.lb.ID, lbaas.Offline
		ids[p.Name] = p.ID
		if p.HealthMonitor != nil {
			newMonitor(p.HealthMonitor, p)
		}
		for _, m := range p.Members {
			newMember(m, p)
			m.Operating = p.InitialOperating()
		}
	}
	for _, l := range t.listeners {
		l.ID, l.ProjectID, l.LoadBalancerID, l.Operating = uuid.NewString(), t.lb.ProjectID, t.lb.ID, lbaas.Offline
		if l.pool != "" {
			l.DefaultPoolID = ids[l.pool]
		}
	}
	for _, p := range t.policies {
		t.adoptL7Policy(p, ids)
	}
}

// adoptL7Policy gives a policy its listener, its place there and its pool.
func (t *newTree) adoptL7Policy(p newL7Policy, pools map[string]string) {
	p.ID, p.ProjectID, p.LoadBalancerID, p.ListenerID, p.Operating = uuid.NewString(), t.lb.ProjectID, t.lb.ID, p.of.ID, lbaas.Offline
	if p.RedirectPoolID != "" {
		p.RedirectPoolID = pools[p.RedirectPoolID]
	}
	for _, r := range p.Rules {
		r.ID, r.ProjectID, r.LoadBalancerID, r.L7PolicyID, r.Operating = uuid.NewString(), t.lb.ProjectID, t.lb.ID, p.ID, lbaas.Offline
	}
	at := len(p.of.L7Policies)
	if p.Position > 0 {
		at = min(p.Position-1, at)
	}
	p.of.L7Policies = slices.Insert(p.of.L7Policies, at, p.L7Policy)
	for i, o := range p.of.L7Policies {
		o.Position = i + 1
	}
}

// checkTree checks a whole new tree.
func checkTree(d *lbaas.Deployment, lb *lbaas.LoadBalancer) error {
	for _, p := range lb.Pools {
		if err := checkPool(d, p); err != nil {
			return err
		}
	}
	for _, l := range lb.Listeners {
		if err := first(d.ValidateListener(l), d.ValidateListenerIn(lb, l), lb.CheckAccess(l), checkL7Policies(lb, l)); err != nil {
			return err
		}
	}
	return nil
}

func checkL7Policies(lb *lbaas.LoadBalancer, l *lbaas.Listener) error {
	for _, p := range l.L7Policies {
		if err := first(p.Validate(), lb.CheckL7Policy(p)); err != nil {
			return err
		}
		for _, r := range p.Rules {
			if err := r.Validate(); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkPool(d *lbaas.Deployment, p *lbaas.Pool) error {
	if err := d.ValidatePool(p); err != nil {
		return err
	}
	for _, m := range p.Members {
		if err := first(d.ValidateMember(m), p.CheckMember(m)); err != nil {
			return err
		}
	}
	if p.HealthMonitor == nil {
		return nil
	}
	return first(p.HealthMonitor.Validate(), d.ValidateMonitor(p, p.HealthMonitor))
}
