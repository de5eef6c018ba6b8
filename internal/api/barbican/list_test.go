package barbican_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBadLists(t *testing.T) {
	f := newFixture(t)
	filter := func(name string) string { return "Unable to filter using the specified value of '" + name + "'." }
	f.refuse([]bad{
		{"bad type", "GET", "/v1/secrets?secret_type=key", nil, nil, 400, filter("secret_type")},
		{"bad time", "GET", "/v1/secrets?created=yesterday", nil, nil, 400, filter("created")},
		{"bad comparison", "GET", "/v1/secrets?updated=ne:2026-01-01", nil, nil, 400, filter("updated")},
		{"bad times", "GET", "/v1/secrets?expiration=gt:2026-01-01,", nil, nil, 400, filter("expiration")},
		{"bad times: many", "GET", "/v1/secrets?expiration=2026-01-01" + strings.Repeat(",2026-01-01", 10), nil, nil, 400, filter("expiration")},
		{"bad sort key", "GET", "/v1/secrets?sort=payload", nil, nil, 400, "Sort key supplied was not valid."},
		{"bad sort key: twice", "GET", "/v1/secrets?sort=name,name", nil, nil, 400, "Sort key supplied was not valid."},
		{"bad direction", "GET", "/v1/secrets?sort=name:up", nil, nil, 400, "Sort key supplied was not valid."},
		{"bad name", "GET", "/v1/secrets?name=%00", nil, nil, 400, "A filter is not a valid text."},
		{"bad name: no UTF-8", "GET", "/v1/containers?name=%ff", nil, nil, 400, "A filter is not a valid text."},
		{"bad container type", "GET", "/v1/containers?type=box", nil, nil, 400, filter("type")},
	})
}

func TestPages(t *testing.T) {
	f := newFixture(t)
	var all []string
	for i := range 12 {
		name := fmt.Sprintf("s%02d", i)
		f.secret("alice", object{"name": name})
		f.secret("bob", object{"name": "not alice's"})
		all = append(all, name)
	}
	for query, want := range map[string][]string{
		"":                   all[:10],
		"?limit=100":         all,
		"?limit=1000":        all,
		"?limit=x&offset=x":  all[:10],
		"?limit=0":           all[:1],
		"?limit=-5":          all[:1],
		"?offset=11":         all[11:],
		"?offset=12":         {},
		"?offset=99999999":   {},
		"?offset=-1&limit=2": all[:2],
	} {
		if diff := cmp.Diff(want, f.names("alice", "/v1/secrets"+query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	for _, rel := range []string{"next", "previous"} {
		for _, limit := range []int{1, 5, 12} {
			start := map[string]string{"next": "offset=0", "previous": "offset=12"}[rel]
			got := f.follow(rel, fmt.Sprintf("/v1/secrets?limit=%d&%s&name=&sort=created:asc", limit, start))
			slices.Sort(got)
			if diff := cmp.Diff(all, slices.Compact(got)); diff != "" {
				t.Errorf("%s by %d (-want +got):\n%s", rel, limit, diff)
			}
		}
	}
	a := f.want(200, "alice", "GET", "/v1/secrets?limit=2&offset=4&sort=name", nil).body
	delete(a, "secrets")
	want := object{"total": 12.0, "next": f.url + "/v1/secrets?limit=2&offset=6&sort=name", "previous": f.url + "/v1/secrets?limit=2&offset=2&sort=name"}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

// follow reads all pages and returns the names.
func (f *fixture) follow(rel, path string) []string {
	f.t.Helper()
	var found []string
	for path != "" {
		found = append(found, f.names("alice", path)...)
		path, _ = f.want(200, "alice", "GET", path, nil).body[rel].(string)
		if path != "" && !strings.HasPrefix(path, f.url+"/v1/secrets?") {
			f.t.Fatalf("the link %s does not have the client's own prefix", path)
		}
	}
	return found
}

func TestFilters(t *testing.T) {
	f := newFixture(t)
	f.secret("alice", object{"name": "a", "algorithm": "aes", "bit_length": 256, "mode": "cbc", "secret_type": "symmetric"})
	f.secret("alice", object{"name": "b", "algorithm": "rsa", "bit_length": 2048, "secret_type": "private", "expiration": "2090-01-01T00:00:00"})
	f.secret("alice", object{"name": "c", "mode": "cbc", "expiration": "2095-01-01T00:00:00Z"})
	for query, want := range map[string][]string{
		"name=a":                                {"a"},
		"name=nobody":                           {},
		"name=":                                 {"a", "b", "c"},
		"alg=rsa":                               {"b"},
		"mode=cbc":                              {"a", "c"},
		"mode=cbc&alg=aes":                      {"a"},
		"bits=256":                              {"a"},
		"bits=x":                                {"a", "b", "c"},
		"bits=0":                                {"a", "b", "c"},
		"secret_type=private":                   {"b"},
		"acl_only=false":                        {"a", "b", "c"},
		"acl_only=true":                         {},
		"created=gt:2020-01-01T00:00:00":        {"a", "b", "c"},
		"created=lt:2020-01-01":                 {},
		"updated=gte:2020-01-01,lte:2020-01-02": {},
		"expiration=gte:2090-01-01T00:00:00,lt:2095-01-01":       {"b"},
		"expiration=2095-01-01T00:00:00":                         {"c"},
		"expiration=gt:2090-01-01T02:00:00%2B02:00&secret_type=": {"c"},
		"sort=name:desc":      {"c", "b", "a"},
		"sort=mode,name:desc": {"b", "c", "a"},
		"unknown=1":           {"a", "b", "c"},
	} {
		if !strings.Contains(query, "sort=") {
			query += "&sort=name"
		}
		if diff := cmp.Diff(want, f.names("alice", "/v1/secrets?"+query)); diff != "" {
			t.Errorf("?%s (-want +got):\n%s", query, diff)
		}
	}
	f.container("alice", object{"name": "g", "type": "generic"})
	f.container("alice", object{"name": "g2", "type": "generic"})
	for query, want := range map[string][]string{"": {"g", "g2"}, "name=g": {"g"}, "type=generic": {"g", "g2"}, "type=rsa": {}, "limit=1&offset=1": {"g2"}} {
		if diff := cmp.Diff(want, f.names("alice", "/v1/containers?"+query)); diff != "" {
			t.Errorf("containers?%s (-want +got):\n%s", query, diff)
		}
	}
}

// TestListStatements shows that a long list takes as many statements as a short one, and that each object has its own consumers.
func TestListStatements(t *testing.T) {
	f := newFixture(t)
	for _, noun := range []string{"secrets", "containers"} {
		statements := map[int]int{}
		for made := range 9 {
			var path string
			consumer := object{"service": "s", "resource_type": "t", "resource_id": fmt.Sprint(made)}
			if noun == "secrets" {
				path = f.secret("alice", object{"name": "x"})
			} else {
				path = f.container("alice", object{"type": "generic"})
				consumer = object{"name": fmt.Sprint(made), "URL": "http://x"}
			}
			f.want(200, "alice", "POST", path+"/consumers", consumer)
			before := f.store.Queries()
			list := f.want(200, "alice", "GET", "/v1/"+noun, nil, "OpenStack-API-Version", "key-manager 1.1").body[noun].([]any)
			statements[f.store.Queries()-before]++
			for i, item := range list {
				consumers := item.(object)["consumers"].([]any)
				if len(consumers) != 1 || !strings.Contains(fmt.Sprint(consumers), fmt.Sprint(i)) {
					t.Errorf("number %d of the %s has the consumers %v", i, noun, consumers)
				}
			}
		}
		if len(statements) != 1 {
			t.Errorf("lists of %s take so many statements, so often: %v", noun, statements)
		}
	}
}
