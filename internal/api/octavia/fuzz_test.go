package octavia_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// FuzzRequest sends any body to any route that takes one, and good bodies in which any attribute has any value: the first attribute stands
// for the whole body. No request makes the server fail, and what is refused has changed nothing.
func FuzzRequest(f *testing.F) {
	w := newSandbox(f)
	routes := w.routes(f, http.MethodPost, http.MethodPut)
	attributes := make([][][]string, len(routes))
	values := hostile()
	for i, r := range routes {
		attributes[i] = append([][]string{nil}, attributesOf(r.schema)...)
		f.Add(uint8(i), uint8(0), w.text(w.good(r.method, r.template)))
		for n := range attributes[i] {
			f.Add(uint8(i), uint8(n), values[(i+n)%len(values)])
		}
	}
	f.Fuzz(func(t *testing.T, route, attribute uint8, value string) {
		w.t = t
		i := int(route) % len(routes)
		r, body := routes[i], value
		if keys := attributes[i][int(attribute)%len(attributes[i])]; keys != nil {
			body = strings.Replace(w.text(placed(w.good(r.method, r.template), keys, here)), `"`+here+`"`, value, 1)
		}
		a := w.send(r.method, r.path, body)
		w.judge(t, what(r, body), a, mayChangeNothing(r, a))
	})
}

// hostileQueries are query strings of lists, most of which make no sense.
func hostileQueries() []string {
	return []string{
		"", "&", "=", "?", "a", "=a", "%", "%zz", "a=%00", "a=%ff", "name=%00", "name=%ff", "name=a&name=b", "nonsense=1", "name=", "id=", "id=x", "id=" + nobody,
		"limit=0", "limit=-1", "limit=1", "limit=x", "limit=99999999999999999999", "limit=infinite", "limit=1&limit=2", "limit=+1", "limit=%201",
		"marker=x", "marker=" + nobody, "marker=%00", "marker=%ff", "marker=", "marker=x&page_reverse=True", "page_reverse=x", "page_reverse=True",
		"sort=name", "sort=name:desc", "sort=name:down", "sort=:", "sort=,", "sort=name,name", "sort=nonsense", "sort=tags", "sort=%00", "sort=" + strings.Repeat("name,", 300),
		"sort_key=name", "sort_key=nonsense", "sort_key=name&sort_dir=desc", "sort_dir=desc", "sort_key=name&sort_dir=x", "sort_key=id'--", "sort=id;DROP TABLE pools",
		"fields=id", "fields=nonsense", "fields=", "fields=%00", "fields=id&fields=id", "tags=a", "tags=a,b&not-tags-any=c", "tags=,", "tags=%00", "tags=%25_\\", "tags-any='",
		"not-tags=%22", "not-tags=" + strings.Repeat("t,", 2000), "name='%22\\%25_", "name=" + strings.Repeat("x", 5000), "name=%F0%9F%98%80",
		"project_id=x", "project_id=%00", "tenant_id=x", "project_id=a&project_id=b", "admin_state_up=true", "admin_state_up=7", "admin_state_up=None",
		"created_at=2026-01-01T00:00:00", "created_at=x", "updated_at=None", "provisioning_status=ACTIVE", "provisioning_status=x", "operating_status=ONLINE", "operating_status=",
		"protocol_port=80", "protocol_port=x", "protocol_port=99999999999999999999", "protocol_port=-1", "protocol_port=1.5", "protocol_port=0x50", "position=1e3",
		"vip_address=10.0.0.1", "vip_address=::1", "vip_address=x", "address=10.0.0.300", "weight=", "delay=None", "enabled=t", "listeners=x", "members=x", "rules=x", "l7policies=[]",
		"session_persistence=x", "insert_headers={}", "allowed_cidrs=0.0.0.0/0", "cascade=true", "additive_only=1", "usage=x", "threshold=9223372036854775808",
	}
}

// get sends a GET with a query that may be anything.
func (w *sandbox) get(path, query string) answer {
	return w.sendTo(&url.URL{Path: path, RawQuery: query}, http.MethodGet, "")
}

// lists are the paths of all lists.
func (w *sandbox) lists(t testing.TB) []string {
	t.Helper()
	var paths []string
	for _, r := range w.routes(t, http.MethodGet) {
		last := r.template[strings.LastIndexByte(r.template, '/')+1:]
		if !strings.HasPrefix(last, "{") && !strings.HasPrefix(last, "stat") && last != "default" {
			paths = append(paths, r.path)
		}
	}
	return paths
}

// listed looks at the answer to a GET of a list: it is one, or a fault of the user's.
func (w *sandbox) listed(t *testing.T, path, query string, a answer) {
	t.Helper()
	switch {
	case a.code == http.StatusOK && len(a.body) > 0:
		for key, value := range a.body {
			if _, ok := value.([]any); !ok {
				t.Errorf("GET %s?%q: %s is %v", path, query, key, value)
			}
		}
	case a.code != http.StatusBadRequest || a.body["faultstring"] == "":
		t.Errorf("GET %s?%q: %d %s", path, query, a.code, a.raw)
	}
}

// FuzzListQuery sends any query to any list.
func FuzzListQuery(f *testing.F) {
	w := newSandbox(f)
	paths := w.lists(f)
	for i, query := range hostileQueries() {
		f.Add(uint8(i), query)
	}
	f.Fuzz(func(t *testing.T, n uint8, query string) {
		w.t = t
		path := paths[int(n)%len(paths)]
		a := w.get(path, query)
		w.listed(t, path, query, a)
		if diff := w.image.Diff(t); diff != "" {
			t.Errorf("GET %s?%q has changed\n%s", path, query, diff)
			w.image.Restore(t)
		}
	})
}
