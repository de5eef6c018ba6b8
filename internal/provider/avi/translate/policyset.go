package translate

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"plimsoll/lbaas"
)

// groups is the order in which Octavia's users know policies to work: first what rejects, then what redirects, then what chooses a
// pool, each by position.
var groups = [...][]lbaas.L7Action{
	{lbaas.Reject}, {lbaas.RedirectToURL, lbaas.RedirectPrefix}, {lbaas.RedirectToPool},
}

// policySet is an owner's copy of the L7 policies of its listener, if there are any.
func (t *translation) policySet(o owner) []Object {
	all := t.policiesInOrder(o.listener)
	if len(all) == 0 {
		return nil
	}
	var list []any
	for i, p := range all {
		list = append(list, httpRule(p, int64(i+1), o))
	}
	uuid := o.uuid(PolicySet)
	return []Object{{
		Kind: PolicySet, UUID: uuid, Alias: alias(uuid, o.id), For: policyParts(o.listener, all),
		Owned: map[string]any{
			"name":                uuid,
			"description":         "",
			"http_request_policy": map[string]any{"rules": list},
		},
	}}
}

// policiesInOrder are the policies of a listener that are in force, in the order in which Avi is to try them: those that are up and have a
// rule that is up. What leads to a pool that is switched off is passed over, as Octavia does: the next policy or the default pool has
// the request.
func (t *translation) policiesInOrder(l *lbaas.Listener) []*lbaas.L7Policy {
	if !speaksHTTP(l) {
		return nil
	}
	all := slices.DeleteFunc(slices.Clone(l.L7Policies), func(p *lbaas.L7Policy) bool {
		pool := t.lb.Pool(p.RedirectPoolID)
		nowhere := p.Action == lbaas.RedirectToPool && (pool == nil || !pool.AdminStateUp)
		return !p.AdminStateUp || len(rules(p)) == 0 || nowhere
	})
	group := func(p *lbaas.L7Policy) int {
		return slices.IndexFunc(groups[:], func(g []lbaas.L7Action) bool { return slices.Contains(g, p.Action) })
	}
	slices.SortFunc(all, func(a, b *lbaas.L7Policy) int {
		return cmp.Or(cmp.Compare(group(a), group(b)), cmp.Compare(a.Position, b.Position), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// policyParts are what the set stands for. Only one policy can be blamed with certainty.
func policyParts(l *lbaas.Listener, all []*lbaas.L7Policy) []string {
	parts := []string{l.ID}
	for _, p := range all {
		parts = append(parts, p.ID)
	}
	if len(all) == 1 {
		slices.Reverse(parts)
	}
	return parts
}

// httpRule is an L7 policy. What it does not do is unset: the rule that had its index before may have done it.
func httpRule(p *lbaas.L7Policy, index int64, o owner) map[string]any {
	name := p.ID
	if p.Name != "" {
		name = alias(p.Name, p.ID)
	}
	rule := map[string]any{
		"index": index, "name": name, "enable": true, "match": match(p), "switching_action": nil, "redirect_action": nil,
	}
	switch p.Action {
	case lbaas.Reject:
		rule["switching_action"] = map[string]any{
			"action": "HTTP_SWITCHING_SELECT_LOCAL", "status_code": "HTTP_LOCAL_RESPONSE_STATUS_CODE_403", "pool_ref": nil,
		}
	case lbaas.RedirectToPool:
		rule["switching_action"] = map[string]any{
			"action": "HTTP_SWITCHING_SELECT_POOL", "status_code": nil, "pool_ref": Ref(Pool, PoolUUID(p.RedirectPoolID, o.id)),
		}
	case lbaas.RedirectToURL:
		rule["redirect_action"] = redirect(p, p.RedirectURL)
	case lbaas.RedirectPrefix:
		rule["redirect_action"] = redirect(p, p.RedirectPrefix)
	}
	return rule
}

// redirect sends the client to a URL. Behind a prefix comes what the client asked for.
func redirect(p *lbaas.L7Policy, target string) any {
	u, err := url.Parse(target)
	if err != nil {
		return nil
	}
	path := []any{stringToken(orElse(requestTarget(u), "/"))}
	prefix := p.Action == lbaas.RedirectPrefix
	if prefix {
		path = prefixed(u.EscapedPath())
	}
	return map[string]any{
		"protocol":    strings.ToUpper(u.Scheme),
		"host":        tokens(stringToken(strings.TrimSuffix(u.Host, ":"+u.Port()))),
		"port":        port(u),
		"path":        tokens(path...),
		"keep_query":  prefix,
		"status_code": fmt.Sprintf("HTTP_REDIRECT_STATUS_CODE_%d", cmp.Or(p.RedirectHTTPCode, lbaas.DefaultRedirectCode)),
	}
}

// port is the port of a URL. Without one, Avi would keep that of the request.
func port(u *url.URL) int64 {
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return int64(n)
	}
	if strings.EqualFold(u.Scheme, "https") {
		return 443
	}
	return 80
}

// requestTarget is the path of a URL and its query, without the slash that Avi begins all paths with.
func requestTarget(u *url.URL) string {
	target := strings.TrimPrefix(u.EscapedPath(), "/")
	if u.RawQuery != "" {
		target += "?" + u.RawQuery
	}
	return target
}

// prefixed is a path and behind it that of the request. Avi puts slashes before both.
func prefixed(path string) []any {
	all := map[string]any{"type": "URI_TOKEN_TYPE_PATH", "start_index": int64(0), "end_index": int64(65535)}
	if path = strings.Trim(path, "/"); path == "" {
		return []any{all}
	}
	return []any{stringToken(path), all}
}

func stringToken(text string) map[string]any {
	return map[string]any{"type": "URI_TOKEN_TYPE_STRING", "str_value": text}
}

// tokens are what a part of a URL is put together from.
func tokens(all ...any) map[string]any {
	return map[string]any{"type": "URI_PARAM_TYPE_TOKENIZED", "tokens": all}
}
