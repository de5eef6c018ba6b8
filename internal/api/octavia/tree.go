package octavia

import (
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
	for _, attribute := range []string{"protocol", "lb_algorithm"} {
		if raw, _ := f.value(attribute); raw == nil {
			t.form.fail(lbaas.ValidationFailure("Pool definition for '%s' missing required attribute: %s", p.Name, attribute))
		}
	}
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
	t.lb.Pools = append(t.lb.Pools, p)
}

func (t *newTree) readListener(f *form) {
	l := newListener{Listener: lbaas.NewListener()}
	readListener(f, l.Listener)
	if nested, ok := f.object("default_pool"); ok {
		t.readDefaultPool(nested, &l)
	}
	if len(f.objects("l7policies")) > 0 {
		t.policies = true
	}
	t.form.check(f.done())
	t.listeners = append(t.listeners, l)
	t.lb.Listeners = append(t.lb.Listeners, l.Listener)
}

// readDefaultPool reads a pool within a listener. One that has nothing but a name refers to one that stands elsewhere.
func (t *newTree) readDefaultPool(f *form, l *newListener) {
	f.text("name", &l.pool)
	if l.pool == "" {
		t.form.fail(lbaas.ValidationFailure("Pools must be named when creating a fully populated loadbalancer."))
		return
	}
	if len(f.given) > 1 {
		t.readPool(f)
	} else {
		t.form.check(f.done())
	}
}

// checkNames checks that every pool has a name of its own and that the pools which listeners name are there.
func (t *newTree) checkNames() {
	seen := map[string]bool{}
	for _, p := range t.lb.Pools {
		if seen[p.Name] {
			t.form.fail(lbaas.ValidationFailure("Pool names must be unique when creating a fully populated loadbalancer."))
		}
		seen[p.Name] = true
	}
	for _, l := range t.listeners {
		if l.pool != "" && !seen[l.pool] {
			t.form.fail(lbaas.ValidationFailure("Pool '%s' was referenced but no full definition was found.", l.pool))
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
}

// checkTree checks a whole new tree.
func checkTree(d *lbaas.Deployment, lb *lbaas.LoadBalancer) error {
	for _, p := range lb.Pools {
		if err := checkPool(d, p); err != nil {
			return err
		}
	}
	for _, l := range lb.Listeners {
		if err := first(d.ValidateListener(l), d.ValidateListenerIn(lb, l), lb.CheckAccess(l)); err != nil {
			return err
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
