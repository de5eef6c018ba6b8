package octavia_test

import (
	"net/http"
	"testing"
)

// TestForeignMarkers asks for what comes after another project's row, which would tell what that has of the sort key.
func TestForeignMarkers(t *testing.T) {
	f := newForest(t)
	own, other := f.trees[mine], f.trees[foreign]
	for _, l := range []struct{ path, marker, own string }{
		{"/loadbalancers?sort=name", other["lb"], own["lb"]},
		{"/loadbalancers?sort=name&limit=infinite", other["lb"], own["lb"]},
		{"/loadbalancers?project_id=" + mine, other["lb"], own["lb"]},
		{"/listeners?sort=name", other["listener"], own["listener"]},
		{"/pools?sort=name", other["pool"], own["pool"]},
		{"/healthmonitors?sort=url_path", other["healthmonitor"], own["healthmonitor"]},
		{"/l7policies?sort=redirect_url", other["l7policy"], own["l7policy"]},
		{"/ratelimitpolicies?sort=name", other["ratelimitpolicy"], own["ratelimitpolicy"]},
		{"/pools/" + own["pool"] + "/members?sort=address", other["member"], own["member"]},
		{"/l7policies/" + own["l7policy"] + "/rules?sort=value", other["l7rule"], own["l7rule"]},
		{"/ratelimitpolicies/" + own["ratelimitpolicy"] + "/rules?sort=name", other["ratelimitrule"], own["ratelimitrule"]},
		{"/quotas?sort=pool", foreign, mine},
	} {
		with := func(who, marker string) answer {
			return f.as(who).do(http.MethodGet, root+l.path+"&marker="+marker, nil)
		}
		with("member", l.marker).fault(t, http.StatusBadRequest, "Supplied pagination marker '"+l.marker+"' is not valid.")
		with("member", nobodysID).fault(t, http.StatusBadRequest, "Supplied pagination marker '"+nobodysID+"' is not valid.")
		if a := with("member", l.own); a.code != http.StatusOK {
			t.Errorf("GET %s after an own row: %d %s", l.path, a.code, a.raw)
		}
	}
	if a := f.as("admin").do(http.MethodGet, root+"/loadbalancers?marker="+other["lb"], nil); a.code != http.StatusOK {
		t.Errorf("an admin's list after any row: %d %s", a.code, a.raw)
	}
}
