package avi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"plimsoll/internal/provider"
	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// job is the work on one load balancer. What it knows of the controller is what this last answered to it.
type job struct {
	p      *Provider
	lb     *lbaas.LoadBalancer
	mark   mark
	tenant controller.Tenant
	known  objects
	adopt  map[key]bool // what is known and has no mark of ours

	failures map[string]provider.Failure // by id of the part
	missing  map[string]provider.Failure // what is wanted and not there, by UUID, and why not
	settled  []translate.Object          // what is as it is wanted, as a whole
	inVRF    bool                        // the VRF context of its subnet
	unsure   bool                        // there may be something without the anchor: others may have been at work at the same time
	writes   int
	refused  bool // the controller refused some of it
}

func (p *Provider) job(lb *lbaas.LoadBalancer) *job {
	return &job{
		p: p, lb: lb, mark: mark{lb.ID, stampOf(lb)}, tenant: p.tenant(lb), known: objects{}, adopt: map[key]bool{},
		failures: map[string]provider.Failure{}, missing: map[string]provider.Failure{},
	}
}

// rounds is how often an object is read again since others changed it meanwhile.
const rounds = 10

// patient is after how many such rounds the servers of a pool are changed one by one, which nobody's write can disturb.
const patient = 3

// errTaken is that not even the second name of an object is free.
var errTaken = errors.New("its names are taken by other objects of the tenant")

// write makes an object what is wanted, or makes it.
func (j *job) write(ctx context.Context, w translate.Object) error {
	if is := j.known[key{w.Kind, w.UUID}]; is != nil {
		return j.update(ctx, w, is)
	}
	return j.create(ctx, w)
}

// create makes an object. Its UUID is there already where an answer was lost, or nobody knew of it; its name may be another's.
func (j *job) create(ctx context.Context, w translate.Object) error {
	err := j.post(ctx, w)
	if !controller.Taken(err) {
		return err
	}
	k := key{w.Kind, w.UUID}
	is, err := j.fresh(ctx, k)
	if err != nil {
		return err
	}
	if is != nil {
		j.take(k, is)
		return j.update(ctx, w, is)
	}
	err = j.post(ctx, aliased(w))
	if controller.Taken(err) {
		return fmt.Errorf("%w: %w", errTaken, err)
	}
	return err
}

func (j *job) post(ctx context.Context, w translate.Object) error {
	body := merge(nil, w, j.mark)
	o, err := j.p.ctl.Create(ctx, j.tenant, w.Kind, w.UUID, body)
	if err != nil {
		return fmt.Errorf("create %s: %w", w.UUID, err)
	}
	j.learn(w, o, body)
	return nil
}

// aliased is an object that has its second name.
func aliased(w translate.Object) translate.Object {
	w.Owned = maps.Clone(w.Owned)
	if w.Alias != "" {
		w.Owned["name"] = w.Alias
	}
	return w
}

// update makes an object what is wanted, from what it is. It is read again when it is not that any more.
func (j *job) update(ctx context.Context, w translate.Object, is controller.Object) error {
	k := key{w.Kind, w.UUID}
	for round := range rounds {
		diff := differs(is, w)
		if len(diff) == 0 && !j.adopt[k] {
			j.known[k] = is
			return nil
		}
		err := j.change(ctx, w, is, diff, round)
		switch {
		case err == nil:
			return nil
		case controller.Taken(err):
			if w.Alias == "" || w.Owned["name"] == w.Alias {
				return fmt.Errorf("%w: %w", errTaken, err)
			}
			w = aliased(w)
			continue
		case !controller.Stale(err) && !controller.Absent(err):
			return err
		}
		if is, err = j.fresh(ctx, k); err != nil {
			return err
		}
		if is == nil {
			delete(j.known, k)
			return j.post(ctx, w)
		}
	}
	return fmt.Errorf("update %s: it was changed by others %d times meanwhile", w.UUID, rounds)
}

// change writes an object once: as a whole, which the controller refuses where it was changed meanwhile; or, where that goes on and
// on and only the servers of a pool differ, these alone. Controllers were seen not to take these alone where the pool names networks.
func (j *job) change(ctx context.Context, w translate.Object, is controller.Object, diff []string, round int) error {
	body := merge(is, w, j.mark)
	if round >= patient && onlyServers(w, diff) && zero(is[placementNetworks]) {
		return j.patchServers(ctx, w, is, body)
	}
	o, err := j.p.ctl.Put(ctx, j.tenant, w.Kind, w.UUID, body)
	if err != nil {
		return fmt.Errorf("update %s: %w", w.UUID, err)
	}
	j.learn(w, o, body)
	return j.release(ctx, is, j.known[key{w.Kind, w.UUID}])
}

// onlyServers tells whether nothing but the servers of a pool differ.
func onlyServers(w translate.Object, diff []string) bool {
	for _, path := range diff {
		if path != servers && !strings.HasPrefix(path, servers+"[") {
			return false
		}
	}
	return w.Kind == translate.Pool
}

// patchServers adds and changes servers, and then takes away those that are too many. The controller finds them by address and port.
func (j *job) patchServers(ctx context.Context, w translate.Object, is, body controller.Object) error {
	add, gone := serverChanges(is, body)
	for _, part := range []struct {
		verb string
		list []any
	}{{"add", add}, {"delete", gone}} {
		if len(part.list) == 0 {
			continue
		}
		o, err := j.p.ctl.Patch(ctx, j.tenant, w.Kind, w.UUID, controller.Object{part.verb: controller.Object{servers: part.list}})
		if err != nil {
			return fmt.Errorf("%s servers of %s: %w", part.verb, w.UUID, err)
		}
		j.learn(w, o, body)
	}
	return nil
}

// serverChanges are the servers that are to be added or changed, and the keys of those that go.
func serverChanges(is, body controller.Object) (add, gone []any) {
	known, _ := is[servers].([]any)
	wanted, _ := body[servers].([]any)
	partner := partners(servers, known, wanted)
	stays := map[int]bool{}
	for i, w := range wanted {
		if partner[i] >= 0 {
			stays[partner[i]] = true
			if g := (merging{}); g.unchanged(known[partner[i]], w) {
				continue
			}
		}
		add = append(add, w)
	}
	for i, k := range known {
		if m, ok := k.(map[string]any); ok && !stays[i] {
			gone = append(gone, map[string]any{"ip": m["ip"], "port": m["port"]})
		}
	}
	return add, gone
}

// unchanged tells whether an element of a list is as it is wanted.
func (g *merging) unchanged(known, wanted any) bool {
	g.value("", servers, known, wanted)
	return len(g.diff) == 0
}

// fresh reads an object; nil is that it is not there. One that a newer tree made is not ours to touch.
func (j *job) fresh(ctx context.Context, k key) (controller.Object, error) {
	o, err := j.p.ctl.Get(ctx, j.tenant, k.kind, k.uuid)
	if controller.Absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", k.uuid, err)
	}
	return o, j.late(k.kind, o)
}

// late is an error where an object was written for a newer tree than ours.
func (j *job) late(kind string, o controller.Object) error {
	if m, ok := markOf(kind, o); ok && m.lb == j.lb.ID && j.mark.before(m.stamp) {
		return lateError(j.lb.ID, j.mark.stamp, m.stamp)
	}
	return nil
}

func lateError(id string, ours, is stamp) error {
	return fmt.Errorf("load balancer %s of epoch %d, generation %d is older than what the controller has: epoch %d, generation %d",
		id, ours.epoch, ours.generation, is.epoch, is.generation)
}

// learn keeps what the controller answered to a write.
func (j *job) learn(w translate.Object, answer, sent controller.Object) {
	j.writes++
	k := key{w.Kind, w.UUID}
	j.known[k] = learn(answer, sent)
	delete(j.adopt, k)
	j.p.log().Debug("Avi object written", "load_balancer", j.lb.ID, "object", w.UUID)
}

// remove deletes an object. It tells what refers to it where that keeps it from going.
func (j *job) remove(ctx context.Context, k key) (referrers string, err error) {
	by, err := j.delete(ctx, k)
	if by != "" || err != nil {
		return by, err
	}
	was := j.known[k]
	delete(j.known, k)
	return "", j.release(ctx, was, nil)
}

func (j *job) delete(ctx context.Context, k key) (referrers string, err error) {
	err = j.p.ctl.Delete(ctx, j.tenant, k.kind, k.uuid)
	if by, referred := controller.Referred(err); referred {
		return by, nil
	}
	if err != nil && !controller.Absent(err) {
		return "", fmt.Errorf("delete %s: %w", k.uuid, err)
	}
	j.writes++
	j.p.log().Debug("Avi object deleted", "load_balancer", j.lb.ID, "object", k.uuid)
	return "", nil
}
