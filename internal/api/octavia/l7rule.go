package octavia

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// readL7Rule reads an L7 rule's attributes. Those that only a POST takes are read where the form is of one.
func readL7Rule(f *form, r *lbaas.L7Rule) {
	f.flag("admin_state_up", &r.AdminStateUp)
	f.texts("tags", &r.Tags, nil)
	f.ownProject()
	if f.create {
		f.require("type", "compare_type")
		f.present("value")
	}
	word(f, "type", &r.Type)
	word(f, "compare_type", &r.CompareType)
	f.text("key", &r.Key)
	f.text("value", &r.Value)
	f.flag("invert", &r.Invert)
	f.check(r.CheckKey())
	r.Tidy()
}

// present notes an error unless the attribute is there; null is for others to judge.
func (f *form) present(attribute string) {
	if f.doc != nil {
		f.require(attribute)
	} else if !f.has(attribute) {
		f.fail(lbaas.Required(attribute))
	}
}

// l7RuleJSON is an L7 rule, which has no name.
type l7RuleJSON struct {
	basicJSON
	AdminStateUp bool              `json:"admin_state_up"`
	Type         lbaas.L7RuleType  `json:"type"`
	CompareType  lbaas.CompareType `json:"compare_type"`
	Key          *string           `json:"key"`
	Value        string            `json:"value"`
	Invert       bool              `json:"invert"`
}

func l7RuleOf(r *lbaas.L7Rule, v view) l7RuleJSON {
	return l7RuleJSON{
		basicJSON: basicOf(&r.Object, v), AdminStateUp: r.AdminStateUp, Type: r.Type, CompareType: r.CompareType,
		Key: orNull(r.Key), Value: r.Value, Invert: r.Invert,
	}
}

// policyOfRules is how Octavia's code spells the noun in the path of its rules.
const policyOfRules lbaas.Noun = "L7Policy"

// l7PolicyOfRules returns the policy in the path of its rules.
func (a *API) l7PolicyOfRules(ctx context.Context, r *request) (*lbaas.L7Policy, error) {
	id, err := r.id("policy", policyOfRules)
	if err != nil {
		return nil, err
	}
	p, err := a.Store.L7Policy(ctx, id)
	if errors.Is(err, lbaas.NotFound) {
		return nil, lbaas.Missing(policyOfRules, id)
	}
	return p, err
}

// l7Rule returns the rule that the path names, if the actor may do what the route does. The policy in the path has to be
// there and need not be the rule's.
func (a *API) l7Rule(ctx context.Context, r *request) (*lbaas.L7Rule, error) {
	if _, err := a.l7PolicyOfRules(ctx, r); err != nil {
		return nil, err
	}
	id, err := r.id("id", lbaas.NounL7Rule)
	if err != nil {
		return nil, err
	}
	rule, err := a.Store.L7Rule(ctx, id)
	if err != nil {
		return nil, err
	}
	return rule, r.allow(rule.ProjectID)
}

func (a *API) listL7Rules(ctx context.Context, r *request) (web.Reply, error) {
	p, err := a.l7PolicyOfRules(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	if err := r.allow(p.ProjectID); err != nil {
		return web.Reply{}, err
	}
	q, err := readQuery(r.Query, a.MaxPage)
	if err != nil {
		return web.Reply{}, err
	}
	q.Filters = append(q.Filters, store.Filter{Attribute: "l7policy_id", Values: []string{p.ID}})
	return listParts(ctx, r, "rules", q, warning(a, viewOf(r.Request), a.Store.L7Rules), l7RuleOf)
}

func (a *API) showL7Rule(ctx context.Context, r *request) (web.Reply, error) {
	rule, err := a.l7Rule(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	v := viewOf(r.Request)
	if err := warn(ctx, a, v, rule); err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "rule", v.of(l7RuleOf(rule, v)))
}

func (a *API) createL7Rule(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "rule_", "rule", true)
	if err != nil {
		return web.Reply{}, err
	}
	rule := lbaas.NewL7Rule()
	if readL7Rule(f, rule); f.done() != nil {
		return web.Reply{}, f.done()
	}
	p, err := a.l7PolicyOfRules(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	if err := r.allow(p.ProjectID); err != nil {
		return web.Reply{}, err
	}
	rule.ID, rule.L7PolicyID = uuid.NewString(), p.ID
	if err := rule.Validate(); err != nil {
		return web.Reply{}, err
	}
	err = a.change(ctx, p.LoadBalancerID, func(c *store.Change) error {
		p := c.LB.L7Policy(rule.L7PolicyID)
		if p == nil {
			return immutable(policyOfRules, rule.L7PolicyID)
		}
		if err := c.Put(rule); err != nil {
			return err
		}
		return touchL7Policy(c, p)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusCreated, "rule", l7RuleOf(rule, viewOf(r.Request)))
}

// touchL7Policy makes a policy pending, its listener and the pool that it redirects to.
func touchL7Policy(c *store.Change, p *lbaas.L7Policy) error {
	return c.Touch(append(besideL7Policy(c.LB, p.ListenerID, p.RedirectPoolID), p)...)
}

func (a *API) updateL7Rule(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "l7rule_", "rule", false)
	if err != nil {
		return web.Reply{}, err
	}
	if readL7Rule(f, lbaas.NewL7Rule()); f.done() != nil {
		return web.Reply{}, f.done()
	}
	old, err := a.l7Rule(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	var rule *lbaas.L7Rule
	err = a.changeL7Rule(ctx, old, func(c *store.Change, found *lbaas.L7Rule) error {
		rule = found
		readL7Rule(f, rule)
		if err := rule.Validate(); err != nil {
			return err
		}
		return c.Put(rule)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "rule", l7RuleOf(rule, viewOf(r.Request)))
}

func (a *API) deleteL7Rule(ctx context.Context, r *request) (web.Reply, error) {
	old, err := a.l7Rule(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	err = a.changeL7Rule(ctx, old, func(c *store.Change, rule *lbaas.L7Rule) error { return c.Delete(rule) })
	if err != nil {
		return web.Reply{}, err
	}
	return noContent()
}

// changeL7Rule runs fn on a rule of the tree and makes its policy pending.
func (a *API) changeL7Rule(ctx context.Context, old *lbaas.L7Rule, fn func(*store.Change, *lbaas.L7Rule) error) error {
	return a.change(ctx, old.LoadBalancerID, func(c *store.Change) error {
		p := c.LB.L7Policy(old.L7PolicyID)
		if p == nil {
			return immutable(policyOfRules, old.L7PolicyID)
		}
		rule := p.Rule(old.ID)
		if rule == nil {
			return immutable(lbaas.NounL7Rule, old.ID)
		}
		if err := fn(c, rule); err != nil {
			return err
		}
		return touchL7Policy(c, p)
	})
}
