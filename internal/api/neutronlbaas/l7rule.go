package neutronlbaas

import (
	"context"
	"errors"
	"net/http"
	"regexp"

	"github.com/google/uuid"

	"plimsoll/internal/identity"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

func l7RuleSchema() schema {
	return schema{name: "rule", plural: "rules", bulk: true, attributes: ownerAttributes(map[string]attribute{
		"type": {
			access: postAndPut, required: true, filter: "type",
			read: oneOf(lbaas.RuleHostName, lbaas.RulePath, lbaas.RuleFileType, lbaas.RuleHeader, lbaas.RuleCookie),
		},
		"compare_type": {
			access: postAndPut, required: true, filter: "compare_type",
			read: oneOf(lbaas.CompareRegex, lbaas.CompareStartsWith, lbaas.CompareEndsWith, lbaas.CompareContains, lbaas.CompareEqualTo),
		},
		"invert":      {access: postAndPut, read: boolean, filter: "invert", asked: boolean},
		"key":         {access: postAndPut, read: orNone(text(maxName)), filter: "key"},
		"value":       {access: postAndPut, required: true, read: text(maxName), filter: "value"},
		"l7policy_id": {filter: "l7policy_id"}, // as clients ask, beside the policy in the path
	})}
}

func (a *api) l7Rules() *resource[*lbaas.L7Rule] {
	r := &ruleResource{resource[*lbaas.L7Rule]{
		schema: l7RuleSchema(), api: a, path: "/l7policies/{policy}/rules", rule: "l7rule",
		one: a.Store.L7Rule, many: a.Store.L7Rules, view: l7RuleView,
		parent: &parent[*lbaas.L7Rule]{
			filter: "l7policy_id", value: "policy", of: func(r *lbaas.L7Rule) string { return r.L7PolicyID },
			see: func(ctx context.Context, by *identity.Actor, id string) error {
				_, err := a.l7Policies().see(ctx, by, id)
				return err
			},
			astray: func(policy, id string) error {
				return failure(lbaas.NotFound, "RuleNotFoundForL7Policy", "Rule %s could not be found in l7 policy %s.", id, policy)
			},
		},
	}}
	r.create = func(_ context.Context, req *web.Request, b body) (web.Call, error) {
		c := r.anew(b)
		c.Values = map[string]string{"policy": req.PathValue("parent")}
		return c, checkRule(merged(&lbaas.L7Rule{}, b))
	}
	r.update = func(_ context.Context, old *lbaas.L7Rule, b body) (web.Call, error) {
		return r.on(http.MethodPut, old, b), checkRule(merged(old, b))
	}
	r.remove = func(old *lbaas.L7Rule) web.Call { return r.on(http.MethodDelete, old, nil) }
	r.createMany = r.several
	return &r.resource
}

// ruleResource is that of L7 rules.
type ruleResource struct{ resource[*lbaas.L7Rule] }

// several makes rules in the transaction that makes the last one of them, in their order.
func (r *ruleResource) several(ctx context.Context, req *web.Request, bodies []body) ([]*lbaas.L7Rule, error) {
	policy, last := req.PathValue("parent"), len(bodies)-1
	ids := make([]string, last, len(bodies))
	for i, b := range bodies[:last] {
		ids[i] = uuid.NewString()
		rule := newRule(ids[i], policy, b)
		if err := errors.Join(checkRule(*rule), rule.Validate()); err != nil {
			return nil, told(err, neutronRule("post", r.name))
		}
	}
	c, err := r.create(ctx, req, bodies[last])
	if err != nil {
		return nil, err
	}
	c.Before = func(_ *lbaas.LoadBalancer, put func(...lbaas.Part) error) error {
		for i, id := range ids[:last] {
			if err := put(newRule(id, policy, bodies[i])); err != nil {
				return err
			}
		}
		return nil
	}
	id, err := r.call(ctx, req, c, "post")
	if err != nil {
		return nil, err
	}
	made := make([]*lbaas.L7Rule, len(bodies))
	for i, id := range append(ids, id) {
		if made[i], err = r.one(ctx, id); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// newRule is the rule that a body asks for.
func newRule(id, policy string, b body) *lbaas.L7Rule {
	r := merged(lbaas.NewL7Rule(), b)
	r.ID, r.L7PolicyID = id, policy
	if up, ok := b["admin_state_up"].(bool); ok {
		r.AdminStateUp = up
	}
	r.Invert, _ = b["invert"].(bool)
	return &r
}

func l7RuleView(r *lbaas.L7Rule) view {
	v := common(&r.Object)
	v["type"], v["compare_type"], v["invert"] = r.Type, r.CompareType, r.Invert
	v["key"], v["value"] = orNull(r.Key), r.Value
	return v
}

// merged is a rule as a request makes it.
func merged(old *lbaas.L7Rule, b body) lbaas.L7Rule {
	r := *old
	if b.has("type") {
		r.Type = lbaas.L7RuleType(b.text("type"))
	}
	if b.has("compare_type") {
		r.CompareType = lbaas.CompareType(b.text("compare_type"))
	}
	if b.has("key") {
		r.Key = b.text("key")
	}
	if b.has("value") {
		r.Value = b.text("value")
	}
	return r
}

// What keys and values may be: RFC 7230's tokens and header values, RFC 6265's cookie values.
var (
	token       = regexp.MustCompile("^[a-zA-Z0-9!#$%&'*+.^_`|~-]+$")
	headerValue = regexp.MustCompile(`^[!-~]+$|^"[ \t!-~]*"$`)
	cookieValue = regexp.MustCompile("^[a-zA-Z0-9!#$%&'()*+./:<=>?@\\[\\]^_`{|}~-]+$")
)

// checkRule keeps the order of neutron-lbaas' checks.
func checkRule(r lbaas.L7Rule) error {
	if r.CompareType == lbaas.CompareRegex {
		if err := lbaas.CheckRegex(r.Value); err != nil {
			return failure(lbaas.Invalid, "L7RuleInvalidRegex", "Unable to parse regular expression: %s.", err)
		}
	}
	if r.Type == lbaas.RuleHeader || r.Type == lbaas.RuleCookie {
		if r.Key == "" {
			return failure(lbaas.NotFound, "L7RuleKeyMissing", "Rule key is missing. Key should be specified for rules of HEADER and COOKIE types.")
		}
		if !token.MatchString(r.Key) {
			return failure(lbaas.Invalid, "L7RuleInvalidKey", "Invalid characters in key. See RFCs 2616, 2965, 6265, 7230.")
		}
	}
	if r.CompareType == lbaas.CompareRegex {
		return nil
	}
	return checkRuleValue(r)
}

func checkRuleValue(r lbaas.L7Rule) error {
	switch {
	case r.Type == lbaas.RuleCookie && !cookieValue.MatchString(r.Value):
		return failure(lbaas.Invalid, "L7RuleInvalidCookieValue", "Invalid characters in value. See RFCs 2616, 2965, 6265.")
	case r.Type == lbaas.RuleFileType && r.CompareType != lbaas.CompareEqualTo:
		return failure(lbaas.Invalid, "L7RuleUnsupportedCompareType", "Unsupported compare type for rule of %s type.", r.Type)
	case r.Type != lbaas.RuleCookie && !headerValue.MatchString(r.Value):
		return failure(lbaas.Invalid, "L7RuleInvalidHeaderValue", "Invalid characters in value. See RFC 7230.")
	}
	return nil
}
