package octavia

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// readNewRateLimitRule reads what a POST of a rate-limit rule says: its attributes, and the listener, which the specification has here
// beside the policy that the path names.
func readNewRateLimitRule(f *form, r *lbaas.RateLimitRule, listenerID *string) {
	f.id("listener_id", listenerID)
	readRateLimitRule(f, r)
}

// readRateLimitRule reads a rate-limit rule's attributes.
func readRateLimitRule(f *form, r *lbaas.RateLimitRule) {
	f.text("name", &r.Name)
	f.tags(&r.Tags)
	f.anyProject()
	if f.create {
		f.require("metric", "threshold")
	} else {
		f.notNull("metric", "threshold")
	}
	word(f, "metric", &r.Metric)
	f.integer("threshold", &r.Threshold, 0)
	f.integer("interval", &r.Interval, lbaas.DefaultInterval)
	f.texts("urls", &r.URLs, nil)
}

type rateLimitRuleJSON struct {
	basicJSON
	Name      string                `json:"name"`
	Metric    lbaas.RateLimitMetric `json:"metric"`
	Threshold int                   `json:"threshold"`
	Interval  int                   `json:"interval"`
	URLs      []string              `json:"urls"`
}

func rateLimitRuleOf(r *lbaas.RateLimitRule, v view) rateLimitRuleJSON {
	return rateLimitRuleJSON{basicOf(&r.Object, v), r.Name, r.Metric, r.Threshold, r.Interval, list(r.URLs)}
}

func (a *API) listRateLimitRules(ctx context.Context, r *request) (web.Reply, error) {
	p, err := a.rateLimitPolicy(ctx, r, "policy")
	if err != nil {
		return web.Reply{}, err
	}
	q, err := readQuery(r.Query, a.MaxPage)
	if err != nil {
		return web.Reply{}, err
	}
	q.Filters = append(q.Filters, store.Filter{Attribute: "ratelimitpolicy_id", Values: []string{p.ID}})
	return listParts(ctx, r, "rules", q, warning(a, viewOf(r.Request), a.Store.RateLimitRules), rateLimitRuleOf)
}

// rateLimitRule returns the rule that the path names, if it is that policy's and the actor may do what the route does.
// As in the whole tree, what is not there is so for everybody.
func (a *API) rateLimitRule(ctx context.Context, r *request) (*lbaas.RateLimitRule, error) {
	p, err := a.findRateLimitPolicy(ctx, r, "policy")
	if err != nil {
		return nil, err
	}
	id, err := r.id("id", lbaas.NounRateLimitRule)
	if err != nil {
		return nil, err
	}
	rule, err := a.Store.RateLimitRule(ctx, id)
	if err != nil {
		return nil, err
	}
	if rule.RateLimitPolicyID != p.ID {
		return nil, lbaas.Missing(lbaas.NounRateLimitRule, id)
	}
	return rule, r.allow(rule.ProjectID)
}

func (a *API) showRateLimitRule(ctx context.Context, r *request) (web.Reply, error) {
	rule, err := a.rateLimitRule(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	v := viewOf(r.Request)
	if err := warn(ctx, a, v, rule); err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "rule", v.of(rateLimitRuleOf(rule, v)))
}

func (a *API) createRateLimitRule(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "rule_", "rule", true)
	if err != nil {
		return web.Reply{}, err
	}
	rule, listenerID := lbaas.NewRateLimitRule(), ""
	if readNewRateLimitRule(f, rule, &listenerID); f.done() != nil {
		return web.Reply{}, f.done()
	}
	p, err := a.rateLimitPolicy(ctx, r, "policy")
	if err != nil {
		return web.Reply{}, err
	}
	if listenerID != "" && listenerID != p.ListenerID {
		return web.Reply{}, lbaas.ValidationFailure("A rate limit rule is for the listener of its policy: listener_id must be %s, or left out.", p.ListenerID)
	}
	rule.ID, rule.RateLimitPolicyID = uuid.NewString(), p.ID
	if err := rule.Validate(); err != nil {
		return web.Reply{}, err
	}
	err = a.change(ctx, p.LoadBalancerID, func(c *store.Change) error {
		p := c.LB.RateLimitPolicy(rule.RateLimitPolicyID)
		if p == nil {
			return immutable(lbaas.NounRateLimitPolicy, rule.RateLimitPolicyID)
		}
		return putRateLimitRule(c, p, rule)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusCreated, "rule", rateLimitRuleOf(rule, viewOf(r.Request)))
}

// putRateLimitRule puts a rule into the tree and makes its policy pending, and the listener.
func putRateLimitRule(c *store.Change, p *lbaas.RateLimitPolicy, rule *lbaas.RateLimitRule) error {
	if err := c.Put(rule); err != nil {
		return err
	}
	return c.Touch(c.LB.Listener(p.ListenerID), p)
}

func (a *API) updateRateLimitRule(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "rule_", "rule", false)
	if err != nil {
		return web.Reply{}, err
	}
	if readRateLimitRule(f, lbaas.NewRateLimitRule()); f.done() != nil {
		return web.Reply{}, f.done()
	}
	old, err := a.rateLimitRule(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	var rule *lbaas.RateLimitRule
	err = a.changeRateLimitRule(ctx, old, func(c *store.Change, p *lbaas.RateLimitPolicy, found *lbaas.RateLimitRule) error {
		rule = found
		readRateLimitRule(f, rule)
		if err := rule.Validate(); err != nil {
			return err
		}
		return putRateLimitRule(c, p, rule)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "rule", rateLimitRuleOf(rule, viewOf(r.Request)))
}

func (a *API) deleteRateLimitRule(ctx context.Context, r *request) (web.Reply, error) {
	old, err := a.rateLimitRule(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	err = a.changeRateLimitRule(ctx, old, func(c *store.Change, p *lbaas.RateLimitPolicy, rule *lbaas.RateLimitRule) error {
		if err := c.Delete(rule); err != nil {
			return err
		}
		return c.Touch(c.LB.Listener(p.ListenerID), p)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return noContent()
}

// changeRateLimitRule runs fn on a rule of the tree.
func (a *API) changeRateLimitRule(
	ctx context.Context, old *lbaas.RateLimitRule, fn func(*store.Change, *lbaas.RateLimitPolicy, *lbaas.RateLimitRule) error,
) error {
	return a.change(ctx, old.LoadBalancerID, func(c *store.Change) error {
		p := c.LB.RateLimitPolicy(old.RateLimitPolicyID)
		if p == nil {
			return immutable(lbaas.NounRateLimitPolicy, old.RateLimitPolicyID)
		}
		rule := p.Rule(old.ID)
		if rule == nil {
			return immutable(lbaas.NounRateLimitRule, old.ID)
		}
		return fn(c, p, rule)
	})
}
