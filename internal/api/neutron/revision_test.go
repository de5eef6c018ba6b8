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

func revision(n float64) string { return fmt.Sprintf("revision_number=%.0f", n) }
