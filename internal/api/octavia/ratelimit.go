package octavia

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// Rate-limit policies and their rules have the shape of the specification that Octavia accepted and has not built
// (specs/version15.0/rate_limiting). Where it is silent they behave as L7 policies do.

// readRateLimitPolicy reads a policy's attributes. The specification lets an update name the listener and the project; neither can
// change.
func readRateLimitPolicy(f *form, p *lbaas.RateLimitPolicy) {
	f.text("name", &p.Name)
	f.text("description", &p.Description)
	f.flag("enabled", &p.AdminStateUp)
	f.tags(&p.Tags)
	f.anyProject()
	if f.create {
		f.require("listener_id", "action")
	} else {
		f.notNull("listener_id", "action")
	}
	listener := p.ListenerID
	f.id("listener_id", &p.ListenerID)
	if listener != "" && p.ListenerID != listener {
		f.fail(lbaas.ValidationFailure("A rate limit policy cannot move to another listener."))
	}
	word(f, "action", &p.Action)
}

type rateLimitPolicyJSON struct {
	basicJSON
	Name        string                `json:"name"`
	Description string                `json:"description"`
	ListenerID  string                `json:"listener_id"`
	Action      lbaas.RateLimitAction `json:"action"`
	Enabled     bool                  `json:"enabled"`
	Rules       []ref                 `json:"rules"`
}

func rateLimitPolicyOf(p *lbaas.RateLimitPolicy, v view) rateLimitPolicyJSON {
	return rateLimitPolicyJSON{basicOf(&p.Object, v), p.Name, p.Description, p.ListenerID, p.Action, p.AdminStateUp, partRefs(p.Rules)}
}

// rateLimitPolicy returns the policy that the path names, if the actor may do what the route does.
func (a *API) rateLimitPolicy(ctx context.Context, r *request, name string) (*lbaas.RateLimitPolicy, error) {
	p, err := a.findRateLimitPolicy(ctx, r, name)
	if err != nil {
		return nil, err
	}
	return p, r.allow(p.ProjectID)
}

func (a *API) findRateLimitPolicy(ctx context.Context, r *request, name string) (*lbaas.RateLimitPolicy, error) {
	id, err := r.id(name, lbaas.NounRateLimitPolicy)
	if err != nil {
		return nil, err
	}
	return a.Store.RateLimitPolicy(ctx, id)
}

func (a *API) showRateLimitPolicy(ctx context.Context, r *request) (web.Reply, error) {
	p, err := a.rateLimitPolicy(ctx, r, "id")
	if err != nil {
		return web.Reply{}, err
	}
	v := viewOf(r.Request)
	if err := warn(ctx, a, v, p); err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "ratelimitpolicy", v.of(rateLimitPolicyOf(p, v)))
}

func (a *API) createRateLimitPolicy(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "ratelimitpolicy_", "ratelimitpolicy", true)
	if err != nil {
		return web.Reply{}, err
	}
	p := lbaas.NewRateLimitPolicy()
	if readRateLimitPolicy(f, p); f.done() != nil {
		return web.Reply{}, f.done()
	}
	l, err := a.Store.Listener(ctx, p.ListenerID)
	if err != nil {
		return web.Reply{}, err
	}
	if err := r.allow(l.ProjectID); err != nil {
		return web.Reply{}, err
	}
	p.ID = uuid.NewString()
	if err := p.Validate(); err != nil {
		return web.Reply{}, err
	}
	err = a.change(ctx, l.LoadBalancerID, func(c *store.Change) error {
		if err := openListener(c.LB, p.ListenerID); err != nil {
			return err
		}
		return putRateLimitPolicy(c, p)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusCreated, "ratelimitpolicy", rateLimitPolicyOf(p, viewOf(r.Request)))
}

// putRateLimitPolicy puts a policy into the tree and makes its listener pending.
func putRateLimitPolicy(c *store.Change, p *lbaas.RateLimitPolicy) error {
	if err := c.Put(p); err != nil {
		return err
	}
	return c.Touch(c.LB.Listener(p.ListenerID))
}

func (a *API) updateRateLimitPolicy(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "ratelimitpolicy_", "ratelimitpolicy", false)
	if err != nil {
		return web.Reply{}, err
	}
	if readRateLimitPolicy(f, lbaas.NewRateLimitPolicy()); f.done() != nil {
		return web.Reply{}, f.done()
	}
	old, err := a.rateLimitPolicy(ctx, r, "id")
	if err != nil {
		return web.Reply{}, err
	}
	var p *lbaas.RateLimitPolicy
	err = a.change(ctx, old.LoadBalancerID, func(c *store.Change) error {
		if p = c.LB.RateLimitPolicy(old.ID); p == nil {
			return immutable(lbaas.NounRateLimitPolicy, old.ID)
		}
		readRateLimitPolicy(f, p)
		if err := first(f.done(), p.Validate()); err != nil {
			return err
		}
		return putRateLimitPolicy(c, p)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "ratelimitpolicy", rateLimitPolicyOf(p, viewOf(r.Request)))
}

func (a *API) deleteRateLimitPolicy(ctx context.Context, r *request) (web.Reply, error) {
	old, err := a.rateLimitPolicy(ctx, r, "id")
	if err != nil {
		return web.Reply{}, err
	}
	err = a.change(ctx, old.LoadBalancerID, func(c *store.Change) error {
		p := c.LB.RateLimitPolicy(old.ID)
		if p == nil {
			return immutable(lbaas.NounRateLimitPolicy, old.ID)
		}
		if err := c.Delete(p); err != nil {
			return err
		}
		return c.Touch(c.LB.Listener(p.ListenerID))
	})
	if err != nil {
		return web.Reply{}, err
	}
	return noContent()
}
