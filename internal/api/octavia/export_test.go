package octavia

import (
	"maps"
	"slices"
)

// RouteTable names every route that a policy rule guards, as "METHOD path"; amphorae stand below /octavia.
func RouteTable() []string { return slices.Sorted(maps.Keys(RouteRules())) }

// RouteRules are the rules of those routes, without policy.Prefix.
func RouteRules() map[string]string {
	rules := map[string]string{}
	a := &API{}
	for _, r := range a.table() {
		if r.rule != "" {
			rules[r.method+" "+r.path] = r.rule
		}
	}
	for _, r := range a.amphoraRows() {
		rules[r.method+" /octavia"+r.path] = r.rule
	}
	return rules
}
