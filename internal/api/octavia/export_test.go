package octavia

import "strings"

// RouteTable names every route that a policy rule guards, as "METHOD path"; amphorae stand below /octavia.
func RouteTable() []string {
	var out []string
	a := &API{}
	for _, r := range a.table() {
		if r.rule != "" {
			out = append(out, r.method+" "+r.path)
		}
	}
	for _, r := range a.amphoraRows() {
		out = append(out, r.method+" /octavia"+strings.TrimPrefix(r.path, "/octavia"))
	}
	return out
}
