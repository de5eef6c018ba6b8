package neutronlbaas

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"plimsoll/internal/identity"
	"plimsoll/internal/policy"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// resource is one noun of the API: its attributes, where its objects are read, and which of Octavia's operations writes them.
type resource[T lbaas.Part] struct {
	schema
	api  *api
	path string // Octavia's, of the collection: "/listeners"
	rule string // Octavia's resource in rules, which is neutron-lbaas' in errors, too: "listener"

	one    func(ctx context.Context, id string) (T, error)
	many   func(ctx context.Context, q store.Query) ([]T, error)
	view   func(T) view
	listed func(T) view // an object in a list; nil is view
	parent *parent[T]   // nil for what stands by itself

	// create makes of a body the call that makes the object; update of what there is and a body the one that changes it, and remove the
	// one that deletes it. What the transaction is to look at goes into the call's Before.
	create func(ctx context.Context, r *web.Request, b body) (web.Call, error)
	update func(ctx context.Context, old T, b body) (web.Call, error)
	remove func(old T) web.Call
	// createMany makes several objects in one transaction, where the noun has that.
	createMany func(ctx context.Context, req *web.Request, bodies []body) ([]T, error)
}

// parent is what a noun's objects are found below.
type parent[T lbaas.Part] struct {
	filter string // how the store calls it: "pool_id"
	value  string // how Octavia's path does: "pool"
	of     func(T) string
	see    func(ctx context.Context, by *identity.Actor, id string) error
	astray func(parentID, id string) error // the error of an object that is below another one
}

// allowed answers what the policy says of an action on an object of the project.
func (a *api) allowed(by *identity.Actor, rule, projectID string) bool {
	return a.Policy.Allowed(by, policy.Prefix+rule, projectID)
}

// may refuses what the policy does not allow. An object that the actor may not even see is as good as not there.
func (r *resource[T]) may(by *identity.Actor, action string, o *lbaas.Object) error {
	if r.api.allowed(by, r.rule+":"+action, o.ProjectID) {
		return nil
	}
	if !r.api.allowed(by, r.rule+":get_one", o.ProjectID) && by.ProjectID != o.ProjectID {
		return entityNotFound(r.rule, o.ID)
	}
	return disallowed(neutronRule(action, r.name))
}

// neutronRule is what Neutron calls a rule of Octavia's. What stands below something else is named with that.
func neutronRule(action, noun string) string {
	verbs := map[string]string{"post": "create", "put": "update", "delete": "delete"}
	if above, ok := map[string]string{"member": "pool", "rule": "l7policy"}[noun]; ok {
		noun = above + "_" + noun
	}
	if verb, ok := verbs[action]; ok {
		return verb + "_" + noun
	}
	return "get_" + noun
}

// find returns the object that the path names, if the actor may see it.
func (r *resource[T]) find(ctx context.Context, req *web.Request) (T, error) {
	var none T
	if r.parent != nil {
		if err := r.parent.see(ctx, req.Actor, req.PathValue("parent")); err != nil {
			return none, err
		}
	}
	found, err := r.see(ctx, req.Actor, req.PathValue("id"))
	if err != nil {
		return none, err
	}
	if r.parent != nil && r.parent.of(found) != req.PathValue("parent") {
		return none, r.parent.astray(req.PathValue("parent"), found.Base().ID)
	}
	return found, nil
}

// see returns the object of an id as a client wrote it, if the actor may see it.
func (r *resource[T]) see(ctx context.Context, by *identity.Actor, id string) (T, error) {
	var none T
	if !isUUID(id) {
		return none, entityNotFound(r.rule, strings.ToValidUTF8(id, "?"))
	}
	found, err := r.one(ctx, id)
	if errors.Is(err, lbaas.NotFound) {
		return none, entityNotFound(r.rule, id)
	}
	if err != nil {
		return none, err
	}
	return found, r.may(by, "get_one", found.Base())
}

func (r *resource[T]) handleList(ctx context.Context, req *web.Request) (web.Reply, error) {
	q, err := r.readQuery(req)
	if err != nil {
		return web.Reply{}, err
	}
	if err := r.scope(ctx, req, &q); err != nil {
		return web.Reply{}, err
	}
	found, err := r.many(ctx, q)
	if err != nil {
		return web.Reply{}, r.queryFault(err, q)
	}
	return r.answer(req, q, found), nil
}

func (r *resource[T]) answer(req *web.Request, q store.Query, found []T) web.Reply {
	show := r.view
	if r.listed != nil {
		show = r.listed
	}
	items, ids := make([]view, len(found)), make([]string, len(found))
	for i, o := range found {
		items[i], ids[i] = show(o).only(req.Query["fields"]), o.Base().ID
	}
	answer := map[string]any{r.plural: items}
	if pages := links(req, q.Limit, ids, q.Reverse); pages != nil {
		answer[r.plural+"_links"] = pages
	}
	return web.Reply{Status: http.StatusOK, Body: answer}
}

// scope restricts a list to what the actor may see: what is below the object in the path, or of the actor's project, or all.
func (r *resource[T]) scope(ctx context.Context, req *web.Request, q *store.Query) error {
	if r.parent != nil {
		id := req.PathValue("parent")
		q.Filters = append(q.Filters, store.Filter{Attribute: r.parent.filter, Values: []string{id}})
		return r.parent.see(ctx, req.Actor, id)
	}
	if r.api.allowed(req.Actor, r.rule+":get_all-global", "") {
		return nil
	}
	project := req.Actor.ProjectID
	if project == "" || !r.api.allowed(req.Actor, r.rule+":get_all", project) {
		return disallowed(neutronRule("get_all", r.name))
	}
	q.Filters = append(q.Filters, store.Filter{Attribute: "project_id", Values: []string{project}})
	return nil
}

func (r *resource[T]) handleShow(ctx context.Context, req *web.Request) (web.Reply, error) {
	found, err := r.find(ctx, req)
	if err != nil {
		return web.Reply{}, err
	}
	return r.reply(http.StatusOK, r.view(found).only(req.Query["fields"]))
}

func (r *resource[T]) reply(status int, object any) (web.Reply, error) {
	return web.Reply{Status: status, Body: map[string]any{r.name: object}}, nil
}

func (r *resource[T]) handleCreate(ctx context.Context, req *web.Request) (web.Reply, error) {
	bodies, bulk, err := r.readCreate(req)
	if err != nil {
		return web.Reply{}, err
	}
	if r.parent != nil {
		if err := r.parent.see(ctx, req.Actor, req.PathValue("parent")); err != nil {
			return web.Reply{}, err
		}
	}
	made, err := r.makeAll(ctx, req, bodies)
	if err != nil {
		return web.Reply{}, err
	}
	views := make([]view, len(made))
	for i, o := range made {
		views[i] = r.view(o)
	}
	if bulk {
		return web.Reply{Status: http.StatusCreated, Body: map[string]any{r.plural: views}}, nil
	}
	return r.reply(http.StatusCreated, views[0])
}

// makeAll makes all of the objects, or none.
func (r *resource[T]) makeAll(ctx context.Context, req *web.Request, bodies []body) ([]T, error) {
	if len(bodies) > 1 {
		return r.createMany(ctx, req, bodies)
	}
	o, err := r.make(ctx, req, bodies[0])
	return []T{o}, err
}

func (r *resource[T]) make(ctx context.Context, req *web.Request, b body) (T, error) {
	var none T
	call, err := r.create(ctx, req, b)
	if err != nil {
		return none, err
	}
	id, err := r.call(ctx, req, call, "post")
	if err != nil {
		return none, err
	}
	return r.one(ctx, id)
}

// call has Octavia's operation carried out.
func (r *resource[T]) call(ctx context.Context, req *web.Request, c web.Call, action string) (string, error) {
	c.On = req
	id, err := r.api.Octavia.Call(ctx, c)
	if err != nil {
		return "", told(err, neutronRule(action, r.name))
	}
	return id, nil
}

func (r *resource[T]) handleUpdate(ctx context.Context, req *web.Request) (web.Reply, error) {
	b, err := r.readUpdate(req)
	if err != nil {
		return web.Reply{}, err
	}
	old, err := r.find(ctx, req)
	if err != nil {
		return web.Reply{}, err
	}
	if err := r.may(req.Actor, "put", old.Base()); err != nil {
		return web.Reply{}, err
	}
	call, err := r.update(ctx, old, b)
	if err != nil {
		return web.Reply{}, err
	}
	if _, err := r.call(ctx, req, call, "put"); err != nil {
		return web.Reply{}, err
	}
	changed, err := r.one(ctx, old.Base().ID)
	if err != nil {
		return web.Reply{}, err
	}
	return r.reply(http.StatusOK, r.view(changed))
}

func (r *resource[T]) handleDelete(ctx context.Context, req *web.Request) (web.Reply, error) {
	old, err := r.find(ctx, req)
	if err != nil {
		return web.Reply{}, err
	}
	if err := r.may(req.Actor, "delete", old.Base()); err != nil {
		return web.Reply{}, err
	}
	if _, err := r.call(ctx, req, r.remove(old), "delete"); err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusNoContent}, nil
}

// on is a call of an operation on one object.
func (r *resource[T]) on(method string, o T, b body) web.Call {
	c := web.Call{Method: method, Path: r.path + "/{id}", Values: map[string]string{"id": o.Base().ID}}
	if r.parent != nil {
		c.Values[r.parent.value] = r.parent.of(o)
	}
	if b != nil {
		c.Body = map[string]any{r.name: b}
	}
	return c
}

// anew is a call of the operation that makes an object.
func (r *resource[T]) anew(b body) web.Call {
	return web.Call{Method: http.MethodPost, Path: r.path, Body: map[string]any{r.name: b}}
}
