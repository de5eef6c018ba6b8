package neutron_test

import (
	"fmt"
	"testing"

	"plimsoll/internal/web/webtest"
)

// conditionally sends a request with an If-Match, and returns the answer's code.
func (f *fixture) conditionally(match, method, path, body string) int {
	f.t.Helper()
	return webtest.Send(f.t, webtest.Request{Method: method, URL: f.url + path, Token: "alice", Body: body, Headers: []string{"If-Match", match}}).Code
}

// TestIfMatch changes and deletes objects on condition of their revision.
func TestIfMatch(t *testing.T) {
	f := newRouted(t)
	made := f.want(201, "alice", "POST", "/v2.0/security-groups", object{"security_group": object{"name": "g"}})["security_group"].(object)
	group, rule := made["id"].(string), made["security_group_rules"].([]any)[0].(object)["id"].(string)
	float := f.add("alice", "floatingip", object{"floating_network_id": f.outside})["id"].(string)
	for _, c := range []struct{ noun, path string }{
		{"floatingip", "floatingips/" + float}, {"security_group_rule", "security-group-rules/" + rule}, {"security_group", "security-groups/" + group},
		{"port", "ports/" + f.port}, {"router", "routers/" + f.router}, {"subnet", "subnets/" + f.subnet}, {"network", "networks/" + f.inside},
	} {
		path, body := "/v2.0/"+c.path, `{"`+c.noun+`": {"description": "x"}}`
		for _, step := range []struct {
			match, method, body string
			want                int
		}{
			{"revision_number=x", "PUT", body, 400},
			{"revision_number=1, revision_number=2", "PUT", body, 400},
			{"revision_number=99", "PUT", body, 412},
			{"revision_number=99", "DELETE", "", 412},
			{`"another tag"`, "PUT", body, 200},
		} {
			if got := f.conditionally(step.match, step.method, path, step.body); got != step.want {
				t.Errorf("%s %s with If-Match: %s answers %d, want %d", step.method, c.path, step.match, got, step.want)
			}
		}
		if got := f.conditionally("revision_number=99", "PUT", path+"/tags/x", ""); got != 412 && c.noun != "security_group_rule" { // which has none
			t.Errorf("a tag more for another revision of %s answers %d, want 412", c.path, got)
		}
		before := f.want(200, "alice", "GET", path, nil)[c.noun].(object)["revision_number"].(float64)
		if got := f.conditionally(revision(before), "PUT", path, body); got != 200 {
			t.Errorf("PUT %s of its own revision answers %d", c.path, got)
		}
		if got := f.conditionally(revision(before), "DELETE", path, ""); got != 412 {
			t.Errorf("DELETE %s of the revision before answers %d", c.path, got)
		}
		if after := f.want(200, "alice", "GET", path, nil)[c.noun].(object)["revision_number"]; after != before+1 {
			t.Errorf("the revision of %s is %v after one change of %v", c.path, after, before)
		}
	}
}

// TestIfMatchOfInterfaces: what becomes of a router's interfaces may be on condition of its revision, too.
func TestIfMatchOfInterfaces(t *testing.T) {
	f := newRouted(t)
	_, second := f.lan("alice", object{"name": "second"}, "10.1.0.0/24")
	router, body := "/v2.0/routers/"+f.router, `{"subnet_id": "`+second+`"}`
	for _, action := range []string{"/add_router_interface", "/remove_router_interface"} {
		if got := f.conditionally("revision_number=99", "PUT", router+action, body); got != 412 {
			t.Errorf("%s of another revision answers %d, want 412", action, got)
		}
		now := f.want(200, "alice", "GET", router, nil)["router"].(object)["revision_number"].(float64)
		if got := f.conditionally(revision(now), "PUT", router+action, body); got != 200 {
			t.Errorf("%s of the router's revision answers %d, want 200", action, got)
		}
	}
}

// TestBadIfMatch sends what is no revision, or is of an object that has none.
func TestBadIfMatch(t *testing.T) {
	f := newFixture(t)
	lan, _ := f.lan("alice", object{}, "10.0.0.0/24")
	flavor := f.flavor(object{"name": "f"})
	for _, c := range []struct{ who, match, path, want string }{
		{"alice", "revision_number=x", "networks/" + lan, "Bad if-match request: Revision number etag must be in the format of revision_number=<int>."},
		{"alice", `"revision_number=1", "revision_number=2"`, "networks/" + lan, "Bad if-match request: Multiple revision_number etags are not supported."},
		{"admin", "revision_number=1", "flavors/" + flavor, "Bad flavors request: Revision matching not supported for this resource."},
		{"bob", "revision_number=x", "networks/" + lan, "Network " + lan + " could not be found."},
	} {
		a := webtest.Send(t, webtest.Request{Method: "DELETE", URL: f.url + "/v2.0/" + c.path, Token: c.who, Headers: []string{"If-Match", c.match}})
		if got := a.Body["NeutronError"].(object); got["message"] != c.want {
			t.Errorf("If-Match: %s by %s answers %d %v, want %q", c.match, c.who, a.Code, got, c.want)
		}
	}
}

func revision(n float64) string { return fmt.Sprintf("revision_number=%.0f", n) }
