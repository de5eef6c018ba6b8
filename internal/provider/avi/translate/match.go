package translate

import (
	"strings"

	"plimsoll/lbaas"
)

// match is what a request must be for all rules of a policy to hold. Avi looks at one path, one host and one cookie at most;
// PolicyLacks says where that is not enough. What no rule asks for is unset: the rule that had the place before may have asked for it.
func match(p *lbaas.L7Policy) map[string]any {
	all := map[string]any{"path": nil, "host_hdr": nil, "cookie": nil, "hdrs": nil}
	var headers []any
	for _, r := range rules(p) {
		value := unquoted(r)
		switch r.Type {
		case lbaas.RulePath:
			all["path"] = pathMatch(r, value)
		case lbaas.RuleFileType:
			all["path"] = fileType(r, value)
		case lbaas.RuleHostName:
			all["host_hdr"] = map[string]any{"match_criteria": header(r), "match_case": "INSENSITIVE", "value": []any{value}}
		case lbaas.RuleHeader:
			headers = append(headers, map[string]any{
				"hdr": r.Key, "match_criteria": header(r), "match_case": "SENSITIVE", "value": []any{value},
			})
		case lbaas.RuleCookie:
			all["cookie"] = map[string]any{"name": r.Key, "match_criteria": header(r), "match_case": "SENSITIVE", "value": value}
		}
	}
	if headers != nil {
		all["hdrs"] = headers
	}
	return all
}

// unquoted is a rule's value without the double quotes in which the API wants values with spaces.
func unquoted(r *lbaas.L7Rule) string {
	v := r.Value
	if r.CompareType != lbaas.CompareRegex && len(v) > 2 && strings.HasPrefix(v, `"`) && strings.HasSuffix(v, `"`) {
		return v[1 : len(v)-1]
	}
	return v
}

// criteria are Avi's words for comparisons, and for their opposites.
var criteria = map[lbaas.CompareType][2]string{
	lbaas.CompareRegex:      {"REGEX_MATCH", "REGEX_DOES_NOT_MATCH"},
	lbaas.CompareStartsWith: {"BEGINS_WITH", "DOES_NOT_BEGIN_WITH"},
	lbaas.CompareEndsWith:   {"ENDS_WITH", "DOES_NOT_END_WITH"},
	lbaas.CompareContains:   {"CONTAINS", "DOES_NOT_CONTAIN"},
	lbaas.CompareEqualTo:    {"EQUALS", "DOES_NOT_EQUAL"},
}

// criterion is how a rule compares.
func criterion(c lbaas.CompareType, invert bool) string {
	if invert {
		return criteria[c][1]
	}
	return criteria[c][0]
}

// header is how a rule compares headers, hosts and cookies.
func header(r *lbaas.L7Rule) string { return "HDR_" + criterion(r.CompareType, r.Invert) }

func pathMatch(r *lbaas.L7Rule, value string) map[string]any {
	return map[string]any{
		"match_criteria": criterion(r.CompareType, r.Invert), "match_case": "SENSITIVE", "match_str": []any{value},
	}
}

// fileType finds a value at the end of the path, behind a dot. An expression is tried on the whole path.
func fileType(r *lbaas.L7Rule, value string) map[string]any {
	if r.CompareType == lbaas.CompareRegex {
		return pathMatch(r, value)
	}
	return map[string]any{
		"match_criteria": criterion(lbaas.CompareEndsWith, r.Invert), "match_case": "SENSITIVE",
		"match_str": []any{"." + strings.TrimPrefix(value, ".")},
	}
}
