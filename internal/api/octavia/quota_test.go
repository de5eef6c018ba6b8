package octavia_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/lbaas"
)

// quotaAttributes are the attributes of a quota, each with the other spelling that it has.
var quotaAttributes = map[string]string{
	"loadbalancer": "load_balancer", "load_balancer": "loadbalancer", "healthmonitor": "health_monitor", "health_monitor": "healthmonitor",
	"listener": "listener", "pool": "pool", "member": "member", "l7policy": "l7policy", "l7rule": "l7rule",
}

// limits is a quota in which everything has the limit all but what is given.
func limits(project string, all int, given object) object {
	q := object{}
	for name := range quotaAttributes {
		q[name] = float64(all)
	}
	for name, n := range given {
		q[name], q[quotaAttributes[name]] = n, n
	}
	if project != "" {
		q["project_id"], q["tenant_id"] = project, project
	}
	return q
}

func (c *cloud) quota(t *testing.T, path string) object {
	t.Helper()
	return c.show(path, "quota")
}

// putQuota sends a PUT, which answers what a GET does then.
func (c *cloud) putQuota(t *testing.T, project string, body object) object {
	t.Helper()
	got := c.must(http.StatusAccepted, http.MethodPut, "/quotas/"+project, object{"quota": body}).body["quota"].(object)
	if diff := cmp.Diff(got, c.quota(t, "/quotas/"+project)); diff != "" {
		t.Errorf("GET differs from PUT (-PUT +GET):\n%s", diff)
	}
	return got
}

func TestQuotaAttributes(t *testing.T) {
	c := newCloud(t).as("admin")
	for name, other := range quotaAttributes {
		for value, why := range map[string]string{
			`"x"`: notInteger, `1.5`: notInteger, `[]`: notInteger, `true`: notInteger, `99999999999999999999`: notInteger,
			`-2`: "Value should be greater or equal to -1", `2000000001`: "Value should be lower or equal to 2000000000",
		} {
			c.do(http.MethodPut, root+"/quotas/"+mine, `{"quota":{"`+name+`":`+value+`}}`).
				fault(t, 400, invalid(name, strings.Trim(value, `"`), why))
		}
		for _, value := range []any{-1, 0, 7, "8", 2000000000} {
			got := c.putQuota(t, mine, object{name: value})
			want := c.must(202, "PUT", "/quotas/"+mine, object{"quota": object{other: value}}).body["quota"]
			if diff := cmp.Diff(want, any(got)); diff != "" || got[name] != got[other] || got[name] == float64(-1) && value != -1 {
				t.Errorf("%s = %v: %v", name, value, got)
			}
		}
		got := c.putQuota(t, mine, object{name: nil})
		if got[name] != float64(-1) || got[other] != float64(-1) {
			t.Errorf("%s = null: %v", name, got)
		}
	}
	for _, name := range []string{"project_id", "tenant_id", "usage", "l7_policy"} {
		c.do(http.MethodPut, root+"/quotas/"+mine, object{"quota": object{name: nil}}).
			fault(t, 400, "Unknown attribute for argument quotas.quota: "+name)
	}
}

func TestQuotaSpellings(t *testing.T) {
	c := newCloud(t).as("admin")
	for _, tc := range []struct {
		name       string
		body, want object
	}{
		{"the correct one wins", object{"load_balancer": 1, "loadbalancer": 2, "health_monitor": 3, "healthmonitor": 4},
			object{"loadbalancer": 2.0, "healthmonitor": 4.0}},
		{"the correct null wins", object{"load_balancer": 1, "loadbalancer": nil}, object{"healthmonitor": 4.0}},
		{"the other alone", object{"load_balancer": 5}, object{"loadbalancer": 5.0, "healthmonitor": 4.0}},
		{"nothing", object{}, object{"loadbalancer": 5.0, "healthmonitor": 4.0}},
	} {
		if diff := cmp.Diff(limits(mine, -1, tc.want), c.putQuota(t, mine, tc.body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestQuotaDefaults(t *testing.T) {
	c := newCloud(t)
	c.store.SetQuotaDefaults(map[lbaas.Noun]int{lbaas.NounLoadBalancer: 3, lbaas.NounL7Rule: 0})
	given := object{"loadbalancer": 3.0, "l7rule": 0.0}
	for path, project := range map[string]string{"/quotas/defaults": "", "/quotas/" + mine + "/default": mine, "/quotas/" + mine: mine} {
		if diff := cmp.Diff(limits(project, -1, given), c.as("reader").quota(t, path)); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", path, diff)
		}
	}
	admin := c.as("admin")
	admin.putQuota(t, mine, object{"loadbalancer": 1, "pool": 2})
	if diff := cmp.Diff(limits(mine, -1, object{"loadbalancer": 1.0, "pool": 2.0, "l7rule": 0.0}), c.quota(t, "/quotas/"+mine)); diff != "" {
		t.Errorf("a quota of its own (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(limits(mine, -1, given), c.quota(t, "/quotas/"+mine+"/default")); diff != "" {
		t.Errorf("the default beside it (-want +got):\n%s", diff)
	}
	if a := admin.must(http.StatusAccepted, http.MethodDelete, "/quotas/"+mine, nil); a.raw != "" {
		t.Errorf("DELETE answers %s", a.raw)
	}
	admin.do(http.MethodDelete, root+"/quotas/"+mine, nil).fault(t, 404, "Quotas "+mine+" not found.")
	if diff := cmp.Diff(limits(mine, -1, given), c.quota(t, "/quotas/"+mine)); diff != "" {
		t.Errorf("after the DELETE (-want +got):\n%s", diff)
	}
}

func TestQuotaFaults(t *testing.T) {
	c := newCloud(t).as("admin")
	long := strings.Repeat("p", 37)
	notProject := func(id string) string { return invalid("project_id", id, "Value should be a project's id") }
	quota := object{"quota": object{}}
	c.attempts(t, []attempt{
		{"bad: no body", "PUT", "/quotas/" + mine, nil, 400, `Missing argument: "quotas"`},
		{"bad: no envelope", "PUT", "/quotas/" + mine, object{}, 400, `Missing argument: "quotas.quota"`},
		{"bad envelope", "PUT", "/quotas/" + mine, object{"quota": 7}, 400, invalid("quota", "7", "Value should be object")},
		{"bad project", "PUT", "/quotas/" + long, quota, 400, notProject(long)},
		{"bad: the defaults", "PUT", "/quotas/defaults", quota, 400, notProject("defaults")},
		{"bad method", "POST", "/quotas", quota, 405, "The method is not allowed for this resource."},
		{"bad method of a default", "PUT", "/quotas/" + mine + "/default", quota, 405, "The method is not allowed for this resource."},
		{"bad PUT of all", "PUT", "/quotas", quota, 400, `Missing argument: "project_id"`},
		{"bad argument", "PUT", "/quotas/" + mine + "?usage=true", quota, 400, `Unknown argument: "usage"`},
		{"DELETE without a row", "DELETE", "/quotas/" + mine, nil, 404, "Quotas " + mine + " not found."},
		{"DELETE of no project", "DELETE", "/quotas/" + long, nil, 404, "Quotas " + long + " not found."},
		{"GET of no project", "GET", "/quotas/" + long, nil, 200, ""},
		{"GET of nonsense", "GET", "/quotas/%00%ff", nil, 200, ""},
		{"bad filter", "GET", "/quotas?color=1", nil, 400, "One or more arguments are either duplicate or invalid"},
		{"bad marker", "GET", "/quotas?marker=x", nil, 400, "Supplied pagination marker 'x' is not valid."},
	})
}

func TestQuotaIsMet(t *testing.T) {
	c := newCloud(t)
	c.as("admin").putQuota(t, mine, object{"loadbalancer": 1, "listener": 1})
	lb := c.loadBalancer()
	c.do(http.MethodPost, root+"/loadbalancers", object{"loadbalancer": object{"vip_subnet_id": c.subnet.ID}}).
		fault(t, 403, "Quota has been met for resources: Load Balancer")
	l := c.listener(lb, 80)
	c.do(http.MethodPost, root+"/listeners", object{"listener": object{"loadbalancer_id": lb, "protocol": "HTTP", "protocol_port": 81}}).
		fault(t, 403, "Quota has been met for resources: Listener")
	c.must(204, "DELETE", "/listeners/"+l, nil)
	c.listener(lb, 81) // what is wanted deleted does not count
}

func TestQuotaUsage(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	c.listener(lb, 80)
	p := c.pool(lb)
	for _, address := range []string{"10.0.0.50", "10.0.0.51"} {
		c.make("/pools/"+p+"/members", "member", object{"address": address, "protocol_port": 80})
	}
	want := object{"loadbalancer": 1.0, "listener": 1.0, "pool": 1.0, "healthmonitor": 0.0, "member": 2.0, "l7policy": 0.0, "l7rule": 0.0}
	header := []string{"X-Plimsoll-Extensions", "status_reason, quota_usage"}
	for _, ask := range []struct {
		query   string
		headers []string
		want    any
	}{
		{"", nil, nil}, {"?usage=false", nil, nil}, {"?fields=usage", nil, nil}, {"", []string{"X-Plimsoll-Extensions", "status_reason"}, nil},
		{"?usage=true", nil, want}, {"?usage=1", nil, want}, {"", header, want},
	} {
		one := c.do(http.MethodGet, root+"/quotas/"+mine+ask.query, nil, ask.headers...).body["quota"].(object)
		all := c.do(http.MethodGet, root+"/quotas"+ask.query, nil, ask.headers...).body["quotas"].([]any)
		if len(all) != 1 {
			t.Fatalf("the list has %v", all)
		}
		for _, got := range []object{one, all[0].(object)} {
			if got["project_id"] != mine || len(got) != 11 && ask.want == nil {
				t.Errorf("%s: %v", ask.query, got)
			}
			if diff := cmp.Diff(ask.want, got["usage"]); diff != "" {
				t.Errorf("usage by %q, %v (-want +got):\n%s", ask.query, ask.headers, diff)
			}
		}
	}
	if got := c.must(200, "GET", "/quotas/defaults?usage=true", nil).body["quota"].(object)["usage"]; got != nil {
		t.Errorf("the defaults are used by %v", got)
	}
}

func TestQuotaLists(t *testing.T) {
	c := newCloud(t)
	admin := c.as("admin")
	ids := func(who *cloud, query string) []string {
		t.Helper()
		out := []string{}
		for _, q := range who.must(200, "GET", "/quotas"+query, nil).body["quotas"].([]any) {
			out = append(out, q.(object)["project_id"].(string))
		}
		return out
	}
	if got := ids(admin, ""); len(got) != 0 {
		t.Errorf("at first there are %v", got)
	}
	c.loadBalancer()
	admin.putQuota(t, foreign, object{"pool": 4})
	both := []string{mine, foreign}
	for _, tc := range []struct {
		who   *cloud
		query string
		want  []string
	}{
		{c, "", both[:1]}, {admin, "", both}, {c.as("system"), "", both}, {c.as("stranger"), "", both[1:]},
		{admin, "?project_id=" + foreign, both[1:]}, {admin, "?pool=4", both[1:]}, {admin, "?limit=1", both[:1]},
		{admin, "?limit=1&marker=" + mine, both[1:]}, {admin, "?limit=1&page_reverse=True&marker=" + foreign, both[:1]},
		{admin, "?fields=pool", both}, {admin, "?sort=project_id:desc", []string{foreign, mine}},
	} {
		if diff := cmp.Diff(tc.want, ids(tc.who, tc.query)); diff != "" {
			t.Errorf("%s GET /quotas%s (-want +got):\n%s", tc.who.token, tc.query, diff)
		}
	}
	links := admin.must(200, "GET", "/quotas?limit=1&usage=true", nil).body["quotas_links"].([]any)
	if len(links) != 1 || !strings.Contains(links[0].(object)["href"].(string), "marker="+mine) || !strings.Contains(links[0].(object)["href"].(string), "usage=true") {
		t.Errorf("links are %v", links)
	}
	c.do(http.MethodGet, root+"/quotas?project_id="+foreign, nil).fault(t, 403, notAllowed)
	for _, bad := range []string{"id", "created_at", "name"} {
		admin.do(http.MethodGet, root+"/quotas?"+bad+"="+mine, nil).fault(t, 400, "One or more arguments are either duplicate or invalid")
		admin.do(http.MethodGet, root+"/quotas?sort="+bad, nil).fault(t, 400, "Supplied sort key '"+bad+"' is not valid.")
	}
}
