package octavia

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// readL7Policy reads an L7 policy's attributes and makes it lead where they say. Those that only a POST takes are read where the
// form is of one.
func readL7Policy(f *form, p *lbaas.L7Policy) {
	if f.create {
		f.require("listener_id", "action")
		f.id("listener_id", &p.ListenerID)
	}
	to := readL7Common(f, p)
	f.id("redirect_pool_id", &p.RedirectPoolID)
	f.id("redirect_pool_id", &to.PoolID)
	f.check(p.Redirect(to))
}

// readL7Common reads all attributes but the pool, which a policy within a load balancer's POST names otherwise. A target that is null
// goes away at once, so that Validate misses it where it is needed; the others wait for lbaas.L7Policy.Redirect.
func readL7Common(f *form, p *lbaas.L7Policy) lbaas.L7Redirect {
	var to lbaas.L7Redirect
	f.text("name", &p.Name)
	f.text("description", &p.Description)
	f.flag("admin_state_up", &p.AdminStateUp)
	f.texts("tags", &p.Tags, nil)
	f.ownProject()
	f.l7Action(&to.Action)
	f.url("redirect_url", &p.RedirectURL, &to.URL)
	f.url("redirect_prefix", &p.RedirectPrefix, &to.Prefix)
	f.redirectCode(p, &to)
	f.position(&p.Position)
	return to
}

// l7Action reads the action, which an update need not name but must not take away.
func (f *form) l7Action(into *lbaas.L7Action) {
	word(f, "action", into)
	raw, given := f.value("action")
	switch {
	case !given:
	case raw == nil:
		f.fail(lbaas.InvalidL7Action("None"))
	case f.err == nil:
		f.check(lbaas.OneOf("action", *into, lbaas.L7Actions()))
	}
}

// url reads a URL twice: into what was there before and into what the request asks for.
func (f *form) url(attribute string, before, asked *string) {
	f.text(attribute, before)
	f.text(attribute, asked)
	if raw, _ := f.value(attribute); raw != nil {
		f.check(lbaas.ValidURL(attribute, *asked))
	}
}

// redirectCode reads the status of a redirect; null brings the default back.
func (f *form) redirectCode(p *lbaas.L7Policy, to *lbaas.L7Redirect) {
	const attribute = "redirect_http_code"
	f.integer(attribute, &p.RedirectHTTPCode, 0)
	f.integer(attribute, &to.RedirectHTTPCode, 0)
	if raw, _ := f.value(attribute); raw != nil && f.err == nil {
		f.check(lbaas.ValidRedirectCode(to.RedirectHTTPCode))
	}
}

// position reads a place in the list; null leaves it, which for a new policy is the end.
func (f *form) position(into *int) {
	f.integer("position", into, *into)
	if raw, _ := f.value("position"); raw != nil && f.err == nil {
		f.check(lbaas.Between("position", *into, 1, lbaas.MaxPosition))
	}
}

// l7PolicyJSON is a policy but for its rules.
type l7PolicyJSON struct {
	objectJSON
	Description      string         `json:"description"`
	ListenerID       string         `json:"listener_id"`
	Action           lbaas.L7Action `json:"action"`
	RedirectPoolID   *string        `json:"redirect_pool_id"`
	RedirectURL      *string        `json:"redirect_url"`
	RedirectPrefix   *string        `json:"redirect_prefix"`
	RedirectHTTPCode *int           `json:"redirect_http_code"`
	Position         int            `json:"position"`
}

// flatL7PolicyJSON is a policy by itself: its rules are ids.
type flatL7PolicyJSON struct {
	l7PolicyJSON
	Rules []ref `json:"rules"`
}

// nestedL7PolicyJSON is a policy within its load balancer, with its rules.
type nestedL7PolicyJSON struct {
	l7PolicyJSON
	Rules []l7RuleJSON `json:"rules"`
}

func basicL7PolicyOf(p *lbaas.L7Policy, v view) l7PolicyJSON {
	return l7PolicyJSON{
		objectJSON: objectOf(&p.Object, v), Description: p.Description, ListenerID: p.ListenerID, Action: p.Action,
		RedirectPoolID: orNull(p.RedirectPoolID), RedirectURL: orNull(p.RedirectURL), RedirectPrefix: orNull(p.RedirectPrefix),
		RedirectHTTPCode: orNullInt(p.RedirectHTTPCode), Position: p.Position,
	}
}

func l7PolicyOf(p *lbaas.L7Policy, v view) flatL7PolicyJSON {
	return flatL7PolicyJSON{basicL7PolicyOf(p, v), partRefs(p.Rules)}
}

func nestedL7PolicyOf(p *lbaas.L7Policy, v view) nestedL7PolicyJSON {
	j := nestedL7PolicyJSON{basicL7PolicyOf(p, v), []l7RuleJSON{}}
	for _, r := range p.Rules {
		j.Rules = append(j.Rules, l7RuleOf(r, v))
	}
	return j
}

// l7Policy returns the policy that the path names, if the actor may do what the route does.
func (a *API) l7Policy(ctx context.Context, r *request) (*lbaas.L7Policy, error) {
	id, err := r.id("id", lbaas.NounL7Policy)
	if err != nil {
		return nil, err
	}
	p, err := a.Store.L7Policy(ctx, id)
	if err != nil {
		return nil, err
	}
	return p, r.allow(p.ProjectID)
}

func (a *API) showL7Policy(ctx context.Context, r *request) (web.Reply, error) {
	p, err := a.l7Policy(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	v := viewOf(r.Request)
	if err := warn(ctx, a, v, p); err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "l7policy", v.of(l7PolicyOf(p, v)))
}

func (a *API) createL7Policy(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "l7policy_", "l7policy", true)
	if err != nil {
		return web.Reply{}, err
	}
	p := lbaas.NewL7Policy()
	if readL7Policy(f, p); f.done() != nil {
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
	position := p.Position
	err = a.change(ctx, l.LoadBalancerID, func(c *store.Change) error {
		p.Position = position // what an attempt before this one made of it does not count
		if err := openListener(c.LB, p.ListenerID); err != nil {
			return err
		}
		if err := c.Put(p); err != nil {
			return err
		}
		return c.Touch(besideL7Policy(c.LB, p.ListenerID, p.RedirectPoolID)...)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusCreated, "l7policy", l7PolicyOf(p, viewOf(r.Request)))
}

// openListener refuses changes below a listener that is going away.
func openListener(lb *lbaas.LoadBalancer, id string) error {
	if lb.Listener(id) == nil {
		return immutable(lbaas.NounListener, id)
	}
	return nil
}

// besideL7Policy are the parts that a change of a policy concerns: its listener, and the pools that it redirects to or did.
func besideL7Policy(lb *lbaas.LoadBalancer, listenerID string, pools ...string) []lbaas.Part {
	var parts []lbaas.Part
	if l := lb.Listener(listenerID); l != nil {
		parts = append(parts, l)
	}
	for i, id := range pools {
		if p := lb.Pool(id); p != nil && (i == 0 || id != pools[0]) {
			parts = append(parts, p)
		}
	}
	return parts
}

func (a *API) updateL7Policy(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "l7policy_", "l7policy", false)
	if err != nil {
		return web.Reply{}, err
	}
	if len(f.given) == 0 {
		return web.Reply{}, lbaas.EmptyL7Update()
	}
	if readL7Policy(f, lbaas.NewL7Policy()); f.done() != nil {
		return web.Reply{}, f.done()
	}
	old, err := a.l7Policy(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	var p *lbaas.L7Policy
	err = a.change(ctx, old.LoadBalancerID, func(c *store.Change) error {
		if p = c.LB.L7Policy(old.ID); p == nil {
			return immutable(lbaas.NounL7Policy, old.ID)
		}
		before := p.RedirectPoolID
		readL7Policy(f, p)
		if err := p.Validate(); err != nil {
			return err
		}
		if err := c.Put(p); err != nil {
			return err
		}
		return c.Touch(besideL7Policy(c.LB, p.ListenerID, p.RedirectPoolID, before)...)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "l7policy", l7PolicyOf(p, viewOf(r.Request)))
}

func (a *API) deleteL7Policy(ctx context.Context, r *request) (web.Reply, error) {
	old, err := a.l7Policy(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	err = a.change(ctx, old.LoadBalancerID, func(c *store.Change) error {
		p := c.LB.L7Policy(old.ID)
		if p == nil {
			return immutable(lbaas.NounL7Policy, old.ID)
		}
		if err := c.Delete(p); err != nil {
			return err
		}
		return c.Touch(besideL7Policy(c.LB, p.ListenerID, p.RedirectPoolID)...)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return noContent()
}
