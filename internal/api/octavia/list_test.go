package octavia_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// names lists a collection and returns the names in order, and the links by rel.
func (c *cloud) names(path, plural string) (names []string, links map[string]string) {
	c.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = c.server.URL + root + path
	}
	a := c.do("GET", path, nil)
	if a.code != 200 {
		c.t.Fatalf("GET %s: %d %s", path, a.code, a.raw)
	}
	for _, item := range a.body[plural].([]any) {
		names = append(names, item.(object)["name"].(string))
	}
	links = map[string]string{}
	for _, l := range a.body[plural+"_links"].([]any) {
		links[l.(object)["rel"].(string)] = l.(object)["href"].(string)
	}
	return names, links
}

func TestPages(t *testing.T) {
	c := newCloud(t)
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("lb-%d", i)
		want = append(want, name)
		c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID, "name": name, "description": fmt.Sprintf("d%d", i%2)})
	}
	all, links := c.names("/loadbalancers", "loadbalancers")
	if !slices.Equal(all, want) || len(links) != 0 {
		t.Errorf("all are %v, links %v", all, links)
	}
	for _, unlimited := range []string{"infinite", "0", "-1"} {
		if all, links := c.names("/loadbalancers?limit="+unlimited, "loadbalancers"); !slices.Equal(all, want) || len(links) != 0 {
			t.Errorf("limit %s: %v, links %v", unlimited, all, links)
		}
	}
	forward, pages := []string{}, [][]string{}
	for path := "/loadbalancers?limit=3"; path != ""; {
		names, links := c.names(path, "loadbalancers")
		forward, pages = append(forward, names...), append(pages, names)
		path = links["next"]
		if len(pages) > 1 && len(names) > 0 && links["previous"] == "" {
			t.Errorf("page %d has no previous", len(pages))
		}
	}
	both := c.do("GET", root+"/loadbalancers?limit=2&sort=name&marker="+c.do("GET", root+"/loadbalancers?limit=1&fields=id", nil).
		body["loadbalancers"].([]any)[0].(object)["id"].(string), nil).body["loadbalancers_links"].([]any)
	if len(both) != 2 || both[0].(object)["rel"] != "previous" || both[1].(object)["rel"] != "next" {
		t.Errorf("the links of a page in the middle: %v", both)
	}
	if !slices.Equal(forward, want) {
		t.Errorf("page by page: %v", forward)
	}
	_, links = c.names("/loadbalancers?limit=3", "loadbalancers")
	second, links := c.names(links["next"], "loadbalancers")
	back, _ := c.names(links["previous"], "loadbalancers")
	if !slices.Equal(second, want[3:6]) || !slices.Equal(back, want[:3]) {
		t.Errorf("second page %v, back from it %v", second, back)
	}
	// filters, sorts and fields stay in the links
	names, links := c.names("/loadbalancers?limit=2&sort=name:desc&description=d0&fields=name&fields=id", "loadbalancers")
	next, _ := c.names(links["next"], "loadbalancers")
	if got := slices.Concat(names, next); !slices.Equal(got, []string{"lb-6", "lb-4", "lb-2", "lb-0"}) {
		t.Errorf("filtered and sorted: %v", got)
	}
	u, err := url.Parse(links["next"])
	if err != nil || u.Path != root+"/loadbalancers" || !slices.Equal(u.Query()["fields"], []string{"name", "id"}) || u.Query().Get("limit") != "2" {
		t.Errorf("next is %s", links["next"])
	}
	a := c.do("GET", "/load-balancer/v2.0/lbaas/loadbalancers?limit=1", nil)
	if href := a.body["loadbalancers_links"].([]any)[0].(object)["href"].(string); !strings.HasPrefix(href, c.server.URL+"/load-balancer/v2.0/lbaas/loadbalancers?") {
		t.Errorf("under a prefix, next is %s", href)
	}
}

func TestFiltersAndSorts(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	for i, name := range []string{"c", "a", "b"} {
		c.make("/listeners", "listener", object{
			"loadbalancer_id": lb, "protocol": []string{"HTTP", "TCP", "HTTP"}[i], "protocol_port": 80 + i, "name": name, "admin_state_up": i != 2,
		})
	}
	tests := map[string][]string{
		"":                                        {"c", "a", "b"},
		"?sort=name":                              {"a", "b", "c"},
		"?sort=protocol:desc,name:desc":           {"a", "c", "b"},
		"?sort_key=name&sort_dir=desc":            {"c", "b", "a"},
		"?sort_key=name&sort_dir=DESC":            {"c", "b", "a"},
		"?sort=name:Desc":                         {"c", "b", "a"},
		"?sort_key=protocol,name":                 {"b", "c", "a"},
		"?sort=protocol_port:desc&sort_key=name":  {"b", "a", "c"},
		"?protocol=HTTP":                          {"c", "b"},
		"?protocol=HTTP&protocol_port=82":         {"b"},
		"?admin_state_up=True":                    {"c", "a"},
		"?admin_state_up=nonsense":                {"b"},
		"?loadbalancer_id=" + lb:                  {"c", "a", "b"},
		"?load_balancer_id=" + lb:                 {"c", "a", "b"},
		"?load_balancer_id=x":                     nil,
		"?provisioning_status=PENDING_CREATE":     {"c", "a", "b"},
		"?provisioning_status=ACTIVE":             nil,
		"?project_id=" + mine + "&name=a":         {"a"},
		"?name=a&fields=name":                     {"a"},
		"?name=nobody":                            nil,
		"?name=%27%20OR%201=1%20--":               nil,
		"?sort=created_at:desc":                   {"b", "a", "c"},
		"?connection_limit=-1&sort=protocol_port": {"c", "a", "b"},
	}
	for query, want := range tests {
		if got, _ := c.names("/listeners"+query, "listeners"); !slices.Equal(got, want) {
			t.Errorf("GET /listeners%s: %v, want %v", query, got, want)
		}
	}
	const badFilter = "One or more arguments are either duplicate or invalid"
	faults := map[string]string{
		"/listeners?nonsense=1":                 badFilter,
		"/listeners?tenant_id=" + mine:          badFilter,
		"/listeners?name=a&name=b":              badFilter,
		"/listeners?l7policies=x":               badFilter,
		"/listeners?protocol_port=eighty":       badFilter,
		"/listeners?name=%00":                   badFilter,
		"/listeners?name=%ff":                   badFilter,
		"/listeners?tags=%00":                   badFilter, // and not the whole list
		"/listeners?tags-any=a,%ff":             badFilter,
		"/listeners?not-tags=%ff":               badFilter,
		"/listeners?not-tags-any=%00":           badFilter,
		"/listeners?sort=name,%00":              "Supplied sort key '\x00' is not valid.",
		"/pools?listener_id=x":                  badFilter,
		"/pools?members=x":                      badFilter,
		"/loadbalancers?listeners=x":            badFilter,
		"/loadbalancers?additional_vips=x":      badFilter,
		"/listeners?sort=nonsense":              "Supplied sort key 'nonsense' is not valid.",
		"/listeners?sort=name:up":               "Supplied sort direction 'up' is not valid.",
		"/listeners?sort=name:asc:x":            "Supplied sort key '['name', 'asc', 'x']' is not valid.",
		"/listeners?sort=tags":                  "Supplied sort key 'tags' is not valid.",
		"/listeners?sort=name:":                 "Supplied sort direction '' is not valid.",
		"/listeners?sort_key=name&sort_dir=x":   "Supplied sort direction 'x' is not valid.",
		"/listeners?limit=x":                    "Supplied pagination limit 'x' is not valid.",
		"/listeners?marker=x":                   "Supplied pagination marker 'x' is not valid.",
		"/listeners?marker=%00":                 "Supplied pagination marker '\x00' is not valid.",
		"/l7policies?limit=x":                   "Supplied pagination limit 'x' is not valid.",
		"/healthmonitors?pool_id=x&pool_id=y":   badFilter,
		"/loadbalancers?project_id=&name=a&x=y": "Policy does not allow this request to be performed.",
	}
	for path, want := range faults {
		code := 400
		if strings.HasPrefix(want, "Policy") {
			code = 403
		}
		c.do("GET", root+path, nil).fault(t, code, want)
	}
}

// TestFilterByAnyAttribute asks each list for each scalar attribute that its objects show, by the value that is shown.
func TestFilterByAnyAttribute(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	l := c.listener(lb, 80)
	p := c.make("/pools", "pool", object{"listener_id": l, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"})["id"].(string)
	m := c.make("/pools/"+p+"/members", "member", object{"address": "10.0.0.9", "protocol_port": 80, "subnet_id": c.subnet.ID})["id"].(string)
	h := c.make("/healthmonitors", "healthmonitor", object{"pool_id": p, "type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 2})["id"].(string)
	c.achieve()
	lists := []struct{ collection, key, id string }{
		{"/loadbalancers", "loadbalancer", lb}, {"/listeners", "listener", l}, {"/pools", "pool", p},
		{"/pools/" + p + "/members", "member", m}, {"/healthmonitors", "healthmonitor", h},
	}
	for _, list := range lists {
		c.must(200, "GET", list.collection+"?sort=created_at,updated_at", nil)
		for attribute, value := range c.show(list.collection+"/"+list.id, list.key) {
			text := fmt.Sprint(value)
			switch value.(type) {
			case string, bool, float64:
			default:
				continue
			}
			path := root + list.collection + "?" + url.Values{attribute: {text}}.Encode()
			if attribute == "tenant_id" { // which is not kept
				c.do("GET", path, nil).fault(t, 400, "One or more arguments are either duplicate or invalid")
				continue
			}
			if a := c.do("GET", path, nil); a.code != 200 || !strings.Contains(a.raw, list.id) {
				t.Errorf("GET %s: %d %s", path, a.code, a.raw)
			}
			if a := c.do("GET", root+list.collection+"?sort="+attribute, nil); a.code != 200 {
				t.Errorf("sort by %s: %d %s", attribute, a.code, a.raw)
			}
		}
	}
	for path, want := range map[string]int{
		"/pools?loadbalancer_id=" + lb: 1, "/pools?healthmonitor_id=" + h: 1, "/healthmonitors?pool_id=" + p: 1, "/listeners?default_pool_id=" + p: 1,
	} {
		plural := strings.Split(strings.TrimPrefix(path, "/"), "?")[0]
		if names, _ := c.names(path, plural); len(names) != want {
			t.Errorf("GET %s: %d", path, len(names))
		}
	}
}

func TestFields(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	for query, want := range map[string]object{
		"?fields=id":                             {"id": lb},
		"?fields=id&fields=name":                 {"id": lb, "name": ""},
		"?fields=id,name":                        {},
		"?fields=project_id":                     {"project_id": mine},
		"?fields=nonsense&fields=admin_state_up": {"admin_state_up": true},
	} {
		if diff := cmp.Diff(want, c.show("/loadbalancers/"+lb+query, "loadbalancer")); diff != "" {
			t.Errorf("one%s (-want +got):\n%s", query, diff)
		}
		if diff := cmp.Diff([]any{want}, c.must(200, "GET", "/loadbalancers"+query, nil).body["loadbalancers"]); diff != "" {
			t.Errorf("list%s (-want +got):\n%s", query, diff)
		}
	}
	c.must(200, "GET", "/loadbalancers/"+lb+"?anything=goes", nil)
}

func TestTags(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	for name, tags := range map[string][]string{
		"none": nil, "x": {"x"}, "xy": {"x", "y"}, "y": {"y"}, "odd": {`a"b%_\`, "X", "é"},
	} {
		c.make("/pools", "pool", object{"loadbalancer_id": lb, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "name": name, "tags": tags})
	}
	for query, want := range map[string][]string{
		"tags=x":                            {"x", "xy"},
		"tags=x,y":                          {"xy"},
		"tags=x&tags=y":                     {"xy"},
		"tags-any=x,y":                      {"x", "xy", "y"},
		"not-tags=x,y":                      {"none", "odd", "x", "y"},
		"not-tags-any=x,y":                  {"none", "odd"},
		"tags=x&not-tags-any=y":             {"x"},
		"tags=X":                            {"odd"},
		"tags=" + url.QueryEscape("é"):      {"odd"},
		"tags=" + url.QueryEscape(`a"b%_\`): {"odd"},
		"tags=%25":                          nil,
		"tags=":                             {"none", "odd", "x", "xy", "y"},
	} {
		got, _ := c.names("/pools?"+query+"&sort=name", "pools")
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	if got, links := c.names("/pools?tags-any=x,y&sort=name&limit=2", "pools"); !slices.Equal(got, []string{"x", "xy"}) || links["next"] == "" {
		t.Errorf("first page %v, links %v", got, links)
	} else if next, _ := c.names(links["next"], "pools"); !slices.Equal(next, []string{"y"}) {
		t.Errorf("second page %v", next)
	}
}
