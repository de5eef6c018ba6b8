package neutronlbaas

import (
	"context"
	"net/http"
	"regexp"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// redirectURL is what Neutron takes for a URL.
var redirectURL = regexp.MustCompile(`^https?://[^\s/?#"<>]+[^\s"<>]*$`)

func l7PolicySchema() schema {
	return schema{name: "l7policy", plural: "l7policies", attributes: namedAttributes(true, map[string]attribute{
		"listener_id": {access: postOnly, required: true, read: id, filter: "listener_id"},
		"action": {
			access: postAndPut, required: true, filter: "action",
			read: oneOf(lbaas.Reject, lbaas.RedirectToPool, lbaas.RedirectToURL),
		},
		"redirect_pool_id": {access: postAndPut, read: orNone(id), filter: "redirect_pool_id"},
		"redirect_url":     {access: postAndPut, read: orNone(matching(redirectURL)), filter: "redirect_url"},
		"position":         {access: postAndPut, read: between(1, lbaas.MaxPosition), filter: "position", asked: number},
		"rules":            {},
	})}
}

func (a *api) l7Policies() *resource[*lbaas.L7Policy] {
	r := &resource[*lbaas.L7Policy]{
		schema: l7PolicySchema(), api: a, path: "/l7policies", rule: "l7policy",
		one: a.Store.L7Policy, many: a.Store.L7Policies, view: l7PolicyView, listed: listedL7Policy,
	}
	r.create = func(ctx context.Context, req *web.Request, b body) (web.Call, error) {
		l, err := a.listeners().see(ctx, req.Actor, b.text("listener_id"))
		if err != nil {
			return web.Call{}, err
		}
		if err := lead(b, &lbaas.L7Policy{}); err != nil {
			return web.Call{}, err
		}
		return redirecting(r.anew(b), l.ID, b), a.checkPool(ctx, b.text("redirect_pool_id"), l.LoadBalancerID, l.ProjectID)
	}
	r.update = func(ctx context.Context, old *lbaas.L7Policy, b body) (web.Call, error) {
		if b.number("position") == lbaas.MaxPosition { // which leaves it where it is
			b.without("position")
		}
		if err := lead(b, old); err != nil {
			return web.Call{}, err
		}
		if len(b) == 0 { // which Octavia would refuse
			b["name"] = old.Name
		}
		call := redirecting(r.on(http.MethodPut, old, b), old.ListenerID, b)
		return call, a.checkPool(ctx, b.text("redirect_pool_id"), old.LoadBalancerID, old.ProjectID)
	}
	r.remove = func(old *lbaas.L7Policy) web.Call { return r.on(http.MethodDelete, old, nil) }
	return r
}

// lead makes of what a request says of an action and its targets what Octavia takes: an action with its own target and no other. Where the
// request leaves a target out, it is the one that the policy has.
func lead(b body, old *lbaas.L7Policy) error {
	if !b.has("action") && !b.has("redirect_pool_id") && !b.has("redirect_url") {
		return nil
	}
	action := lbaas.L7Action(b.text("action"))
	if action == "" {
		action = old.Action
	}
	pool, to := b.text("redirect_pool_id"), b.text("redirect_url")
	if !b.has("redirect_pool_id") {
		pool = old.RedirectPoolID
	}
	if !b.has("redirect_url") {
		to = old.RedirectURL
	}
	b.without("action", "redirect_pool_id", "redirect_url")
	switch {
	case action == lbaas.RedirectToPool && pool == "":
		return failure(lbaas.Conflict, "L7PolicyRedirectPoolIdMissing", "Redirect pool id is missing for L7 Policy with pool redirect action.")
	case action == lbaas.RedirectToURL && to == "":
		return failure(lbaas.Conflict, "L7PolicyRedirectUrlMissing", "Redirect URL is missing for L7 Policy with URL redirect action.")
	case action == lbaas.RedirectToPool:
		b["action"], b["redirect_pool_id"] = action, pool
	case action == lbaas.RedirectToURL:
		b["action"], b["redirect_url"] = action, to
		if action == old.Action && old.RedirectHTTPCode != 0 { // which this face has no name for, and Octavia would forget
			b["redirect_http_code"] = old.RedirectHTTPCode
		}
	case action == lbaas.Reject:
		b["action"] = action
	}
	return nil
}

// redirecting has a call look at the pool that a policy of the listener is to redirect to.
func redirecting(c web.Call, listenerID string, b body) web.Call {
	pool := b.text("redirect_pool_id")
	c.Before = func(lb *lbaas.LoadBalancer, _ func(...lbaas.Part) error) error {
		if l := lb.Listener(listenerID); l != nil {
			return mayUse(lb, l.Protocol, pool)
		}
		return nil
	}
	return c
}

// listedL7Policy has the URL always: the neutron shell takes the columns of a table from its first row, and fails on another one that lacks any.
func listedL7Policy(p *lbaas.L7Policy) view {
	v := l7PolicyView(p)
	v["redirect_url"] = orNull(p.RedirectURL)
	return v
}

// l7PolicyView leaves out the URL of a policy that redirects to a pool, as neutron-lbaas does.
func l7PolicyView(p *lbaas.L7Policy) view {
	v := common(&p.Object)
	v["name"], v["description"], v["listener_id"] = p.Name, p.Description, p.ListenerID
	v["action"], v["position"], v["rules"] = p.Action, p.Position, refs(p.Rules)
	v["redirect_pool_id"] = orNull(p.RedirectPoolID)
	if p.Action != lbaas.RedirectToPool {
		v["redirect_url"] = orNull(p.RedirectURL)
	}
	return v
}
