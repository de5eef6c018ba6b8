package avitest

import (
	"fmt"
	"strings"
)

// checkPolicySet wants rules that do something, each at an index of its own, with criteria that have something to compare.
func checkPolicySet(o *object) error {
	for _, part := range []string{"http_request_policy", "http_security_policy"} {
		policy, _ := o.data[part].(map[string]any)
		seen := map[any]bool{}
		rules, _ := policy["rules"].([]any)
		for i, e := range rules {
			rule := e.(map[string]any)
			at := fmt.Sprintf("%s.rules[%d]", part, i)
			if seen[rule["index"]] {
				return bad("%s: index %v is twice there", at, rule["index"])
			}
			seen[rule["index"]] = true
			if err := checkRule(rule, at, part == "http_security_policy"); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkRule(rule map[string]any, at string, security bool) error {
	if match, ok := rule["match"].(map[string]any); ok {
		if err := checkMatch(match, at+".match"); err != nil {
			return err
		}
	}
	if security {
		return checkSecurity(rule, at)
	}
	switching, redirect := rule["switching_action"], rule["redirect_action"]
	switch {
	case switching != nil && redirect != nil:
		return bad("%s: only one of switching_action and redirect_action is allowed", at)
	case switching == nil && redirect == nil && rule["hdr_action"] == nil && rule["rewrite_url_action"] == nil:
		return bad("%s: an action is required", at)
	}
	if s, ok := switching.(map[string]any); ok {
		return checkSwitching(s, at+".switching_action")
	}
	if r, ok := redirect.(map[string]any); ok {
		return checkRedirect(r, at+".redirect_action")
	}
	return nil
}

// checkSwitching wants what the action selects.
func checkSwitching(s map[string]any, at string) error {
	needs := map[any]string{"HTTP_SWITCHING_SELECT_POOL": "pool_ref", "HTTP_SWITCHING_SELECT_POOLGROUP": "pool_group_ref", "HTTP_SWITCHING_SELECT_LOCAL": "status_code"}
	for action, field := range needs {
		if s["action"] == action && s[field] == nil {
			return wrong(at+"."+field, "This field is required.")
		}
		if s["action"] != action && s[field] != nil {
			return bad("%s: %s is not for %v", at, field, s["action"])
		}
	}
	return nil
}

// checkRedirect wants tokens that say something.
func checkRedirect(r map[string]any, at string) error {
	for _, part := range []string{"host", "path"} {
		param, ok := r[part].(map[string]any)
		if !ok {
			continue
		}
		tokens, _ := param["tokens"].([]any)
		if len(tokens) == 0 {
			return wrong(at+"."+part+".tokens", "At least one token is required.")
		}
		for _, e := range tokens {
			token, _ := e.(map[string]any)
			if token["type"] == "URI_TOKEN_TYPE_STRING" && (token["str_value"] == nil || token["str_value"] == "") {
				return wrong(at+"."+part+".tokens", "str_value is required.")
			}
		}
	}
	return nil
}

// checkSecurity wants a status where a response is sent.
func checkSecurity(rule map[string]any, at string) error {
	action, ok := rule["action"].(map[string]any)
	if !ok {
		return wrong(at+".action", "This field is required.")
	}
	if action["action"] == "HTTP_SECURITY_ACTION_SEND_RESPONSE" && action["status_code"] == nil {
		return wrong(at+".action.status_code", "This field is required.")
	}
	return nil
}

// checkMatch wants values for all criteria but those of mere existence.
func checkMatch(match map[string]any, at string) error {
	values := map[string][]string{"host_hdr": {"value"}, "hdrs": {"value", "string_group_refs"}, "cookie": {"value"}, "path": {"match_str", "string_group_refs"}, "query": {"match_str", "string_group_refs"}}
	for _, part := range sortedKeys(values) {
		for _, e := range entries(match[part]) {
			criterion, ok := e.(map[string]any)
			if !ok {
				continue
			}
			named, _ := criterion["match_criteria"].(string)
			exists := strings.HasSuffix(named, "_EXISTS") || strings.HasSuffix(named, "_EXIST")
			if !exists && !hasAny(criterion, values[part]) {
				return bad("%s.%s: a value to compare with is required for %s", at, part, named)
			}
		}
	}
	return nil
}

func hasAny(m map[string]any, fields []string) bool {
	for _, f := range fields {
		if m[f] != nil && m[f] != "" {
			return true
		}
	}
	return false
}
