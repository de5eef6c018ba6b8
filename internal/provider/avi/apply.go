package avi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"plimsoll/internal/provider"
	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// Apply makes the controller's objects what the tree wants. It works from what the controller answered to the Apply before, where that
// ended well and under the same lease; else it reads what there is. Objects that are as they are wanted cost no request.
func (p *Provider) Apply(ctx context.Context, lb *lbaas.LoadBalancer) (provider.Result, error) {
	unlock, err := p.locks.lock(ctx, lb.ID)
	if err != nil {
		return provider.Result{}, p.explain(ctx, lb, err)
	}
	defer unlock()
	was := p.memory.get(lb.ID)
	now := stampOf(lb)
	if now.before(was.stamp) {
		return provider.Result{}, lateError(lb.ID, now, was.stamp)
	}
	p.memory.begin(lb.ID, now)
	j, err := p.applied(ctx, lb, was)
	if err != nil {
		return provider.Result{}, p.explain(ctx, lb, err)
	}
	p.memory.put(lb.ID, memory{
		stamp: now, whole: true, done: now, tenant: j.tenant, objects: j.known, wanted: public(j.settled), refused: j.refused, none: len(j.known) == 0,
		ended: time.Now(),
	})
	return provider.Result{Failures: j.failures, Method: j.method()}, nil
}

// applied applies from memory, and from what the controller has where there is no memory, or what came of it may be its fault: what is
// remembered may be gone, and others refer to it.
func (p *Provider) applied(ctx context.Context, lb *lbaas.LoadBalancer, was memory) (*job, error) {
	made, unsure := false, was.doubted || was.stamp != stamp{} && !was.none
	for {
		j := p.job(lb)
		j.unsure = unsure
		warm := was.serves(j)
		err := j.apply(ctx, was.objects, warm)
		if controller.NoTenant(err) && p.cfg.Tenants.Create && !made {
			made = true
			if err = p.createTenant(ctx, lb); err == nil {
				was = memory{}
				continue
			}
		}
		if warm && (err == nil && j.refused || controller.Refused(err) || controller.Absent(err)) {
			was = memory{}
			continue
		}
		return j, err
	}
}

// serves tells whether what is remembered is what a job may start from. A tree that comes again comes for a reason: something may not
// be as it was made, or was refused. And under another lease, others may have been at work.
func (m memory) serves(j *job) bool {
	return m.whole && !m.refused && m.done.epoch == j.mark.epoch && m.done.generation < j.mark.generation && m.tenant == j.tenant
}

func (j *job) method() string {
	if j.writes == 0 {
		return "unchanged"
	}
	return "written"
}

// public are objects without what nobody is to see.
func public(list []translate.Object) []translate.Object {
	for i := range list {
		list[i].WriteOnly = nil
	}
	return list
}

// apply does one load balancer, from memory or from what the controller has.
func (j *job) apply(ctx context.Context, remembered objects, warm bool) error {
	certificates, err := j.gather(ctx)
	if err != nil {
		return err
	}
	anchor, err := j.anchor(ctx, remembered, warm)
	if err != nil {
		return err
	}
	wanted, err := j.wanted(ctx, certificates, anchor)
	if err != nil {
		return err
	}
	j.use(j.inVRF)
	if warm {
		j.known = remembered.clone()
	} else if err := j.read(ctx, anchor, wanted); err != nil {
		return err
	}
	return j.carryOut(ctx, draw(j.known, wanted))
}

// wanted are the objects that the tree wants, with what this provider puts into them.
func (j *job) wanted(ctx context.Context, c translate.Certificates, anchor controller.Object) ([]translate.Object, error) {
	options, err := j.options(ctx, anchor)
	if err != nil {
		return nil, err
	}
	return owned(j.lb, translate.Objects(j.lb, c, options)), nil
}

// owned are objects that say of which load balancer they are, where their kind has a field for that which lists can ask for.
func owned(lb *lbaas.LoadBalancer, list []translate.Object) []translate.Object {
	for i, w := range list {
		switch w.Kind {
		case translate.VirtualService, translate.Pool, translate.PolicySet:
			w.Owned["created_by"] = creator(lb.ID)
		}
		list[i] = w
	}
	return list
}

// options are what the translation needs to know besides the tree.
func (j *job) options(ctx context.Context, anchor controller.Object) (translate.Options, error) {
	flavor, err := ParseFlavor(j.lb.Flavor)
	if err != nil {
		return translate.Options{}, err
	}
	o := translate.Options{
		Cloud: j.p.cloud(), SEGroup: flavor.SEGroup, Placement: j.p.cfg.Placement, Version: j.p.cfg.Controller.Version,
	}
	if o.VRF, o.OneArm, err = j.vrf(ctx, flavor, anchor); err != nil {
		return o, err
	}
	j.inVRF = o.OneArm
	if o.Placement {
		o.Subnets, err = j.subnets(ctx)
	}
	return o, err
}

// carryOut does what is planned.
func (j *job) carryOut(ctx context.Context, p plan) error {
	for _, k := range p.first {
		if err := j.sweep(ctx, k); err != nil {
			return err
		}
	}
	if err := j.yield(ctx, p.yield); err != nil {
		return err
	}
	for _, w := range p.ensure {
		if err := j.ensure(ctx, w); err != nil {
			return err
		}
	}
	for _, k := range p.last {
		if j.known.refersTo(k) || k.kind == translate.VsVip && j.holds() {
			continue // what is held, or could not be changed, still needs it; and the anchor goes last
		}
		if err := j.sweep(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// holds tells whether there is anything of the load balancer besides the anchor. Authorities that others refer to are left to these.
func (j *job) holds() bool {
	for k, o := range j.known {
		if k.kind != translate.VsVip && !isAuthority(o) {
			return true
		}
	}
	return false
}

// sweep deletes an object that is not wanted any more. One that others than ours refer to stays, and is tried again with the next tree.
func (j *job) sweep(ctx context.Context, k key) error {
	by, err := j.remove(ctx, k)
	if by != "" && !isAuthority(j.known[k]) {
		j.p.log().Warn("Avi object cannot be deleted since others refer to it", "load_balancer", j.lb.ID, "object", k.uuid, "referrers", by)
	}
	return err
}

// ensure makes an object what is wanted, or notes why that cannot be.
func (j *job) ensure(ctx context.Context, w translate.Object) error {
	there := j.known[key{w.Kind, w.UUID}] != nil
	if w.Held {
		if !there {
			j.missing[w.UUID] = j.failureOf(w)
		}
		return nil
	}
	whole, cause, possible := j.possible(w)
	if !possible {
		j.blame(w, cause)
		if !there {
			j.missing[w.UUID] = cause
		}
		return nil
	}
	if err := j.write(ctx, whole); err != nil {
		return j.refusal(ctx, whole, err)
	}
	if cause.Reason == "" {
		j.settle(w)
	}
	return nil
}

// settle notes an object as one that is as it is wanted, so that any change of it is a drift. What the controller keeps otherwise than it
// was written is none: to write it again would change nothing.
func (j *job) settle(w translate.Object) {
	if diff := differs(j.known[key{w.Kind, w.UUID}], w); len(diff) > 0 {
		j.p.log().Warn("Avi keeps an object otherwise than it was written", "load_balancer", j.lb.ID, "object", w.UUID, "fields", diff)
		return
	}
	j.settled = append(j.settled, w)
}

// possible is an object without its references to what is missing; without the anchor nothing can be made. The cause is that of what is
// missing.
func (j *job) possible(w translate.Object) (whole translate.Object, cause provider.Failure, ok bool) {
	if cause, lost := j.missing[j.anchorKey().uuid]; lost {
		return w, cause, false
	}
	missing := func(uuid string) bool {
		f, is := j.missing[uuid]
		if is {
			cause = f
		}
		return is
	}
	whole, ok = without(w, missing)
	return whole, cause, ok
}

// refusal blames who asked for what the controller refuses. Any other error stays one.
func (j *job) refusal(ctx context.Context, w translate.Object, err error) error {
	if !refused(err) {
		return err
	}
	j.refused = true
	if w.Kind == translate.Pool {
		if err = j.isolate(ctx, w, err); err == nil || !refused(err) {
			return err
		}
	}
	failure := j.reason(w.Kind, err)
	j.blame(w, failure)
	if j.known[key{w.Kind, w.UUID}] == nil {
		j.missing[w.UUID] = failure
	}
	return nil
}

// refused tells whether the controller does not make an object as it is asked for.
func refused(err error) bool { return controller.Refused(err) || errors.Is(err, errTaken) }

// reason is why the controller does not make an object, for users.
func (j *job) reason(kind string, err error) provider.Failure {
	text := err.Error()
	var e *controller.Error
	if errors.As(err, &e) {
		text = e.Text
	}
	return provider.Failure{
		Permanent: controller.Refused(err) && !passing(text),
		Reason:    fmt.Sprintf("The Avi Controller of provider %s refuses the %s: %s", j.p.cfg.Name, nouns[kind], sentence(text)),
	}
}

// nouns are the kinds of object in words.
var nouns = map[string]string{
	translate.VsVip: "virtual IP", translate.Certificate: "certificate", translate.SSLProfile: "TLS versions and ciphers",
	translate.PKIProfile: "CA certificates", translate.Monitor: "health monitor", translate.Persistence: "session persistence",
	translate.Pool: "pool", translate.PolicySet: "L7 policies", translate.VirtualService: "virtual service", server: "member",
}

// server is what reason calls a pool's server by.
const server = "server"

// passing tells whether a refusal may end by itself: the controller has not seen a new network yet, or another object that is wanted is
// about to come.
func passing(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "not found") || strings.Contains(text, "no available free ips")
}

// blame fails the first of the parts that an object stands for. The first reason is told.
func (j *job) blame(w translate.Object, f provider.Failure) {
	id := j.lb.ID
	if len(w.For) > 0 {
		id = w.For[0]
	}
	if _, told := j.failures[id]; !told && f.Reason != "" {
		j.failures[id] = f
	}
}

// failureOf is the failure that was told of one of the parts that an object stands for.
func (j *job) failureOf(w translate.Object) provider.Failure {
	for _, id := range w.For {
		if f, told := j.failures[id]; told {
			return f
		}
	}
	return provider.Failure{Permanent: true, Reason: "A certificate that it needs cannot be read."}
}
