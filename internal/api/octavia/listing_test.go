package octavia_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
)

// filled is a cloud with many load balancers, seen by an administrator.
func filled(t *testing.T, n, maxPage int) *cloud {
	t.Helper()
	connection := "sqlite:///" + filepath.Join(t.TempDir(), "plimsoll.db")
	s, err := store.Open(t.Context(), connection, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	storetest.Fill(t, s, connection, n)
	c := &cloud{t: t, store: s, token: "admin"}
	c.serve(octavia.Config{Store: s, Networks: s, Auth: everybody(), MaxPage: maxPage})
	return c
}

// listed returns the ids of a list, and where its links lead.
func (c *cloud) listed(path, plural string) (ids []string, next map[string]string) {
	c.t.Helper()
	a := c.must(http.StatusOK, http.MethodGet, path, nil)
	for _, one := range a.body[plural].([]any) {
		ids = append(ids, one.(object)["id"].(string))
	}
	next = map[string]string{}
	for _, link := range a.body[plural+"_links"].([]any) {
		_, next[link.(object)["rel"].(string)], _ = strings.Cut(link.(object)["href"].(string), root)
	}
	return ids, next
}

// TestLongLists reads lists that are written in many pieces, and compares them with their pages.
func TestLongLists(t *testing.T) {
	c := filled(t, 2600, 1000)
	unbound := *c
	unbound.serve(octavia.Config{Store: c.store, Networks: c.store, Auth: everybody(), MaxPage: -1})
	for plural, queries := range map[string][]string{
		"loadbalancers": {"", "sort=provisioning_status,updated_at:desc", "provisioning_status=ACTIVE&fields=id&sort=name"},
		"pools":         {"fields=id&sort=admin_state_up"},
	} {
		for _, query := range queries {
			var want []string
			for path := "/" + plural + "?" + query; path != ""; {
				page, links := c.listed(path, plural)
				want, path = append(want, page...), links["next"]
			}
			for name, get := range map[string]func() ([]string, map[string]string){
				"infinite":       func() ([]string, map[string]string) { return c.listed("/"+plural+"?limit=infinite&"+query, plural) },
				"unbound":        func() ([]string, map[string]string) { return unbound.listed("/"+plural+"?"+query, plural) },
				"a longer limit": func() ([]string, map[string]string) { return unbound.listed("/"+plural+"?limit=10000&"+query, plural) },
			} {
				got, links := get()
				if diff := cmp.Diff(want, got); diff != "" || len(links) != 0 {
					t.Errorf("%s, %s, %s: links %v (-pages +at once):\n%s", plural, query, name, links, diff)
				}
			}
		}
	}
	got, links := unbound.listed("/loadbalancers?limit=2000", "loadbalancers")
	rest, last := unbound.listed(links["next"], "loadbalancers")
	if all, _ := unbound.listed("/loadbalancers", "loadbalancers"); !slices.Equal(all, append(got, rest...)) || len(got) != 2000 || last["next"] != "" {
		t.Errorf("pages of 2000 have %d and %d of %d rows", len(got), len(rest), len(all))
	}
	back, _ := unbound.listed(last["previous"], "loadbalancers")
	if !slices.Equal(back, got) {
		t.Errorf("the page back of 2000 has %d rows", len(back))
	}
}

// TestFieldsOfLists asks each list for each attribute by itself: the same as of the one object.
func TestFieldsOfLists(t *testing.T) {
	c := newCloud(t)
	tree := c.make("/loadbalancers", "loadbalancer", fullTree(c))
	p := tree["pools"].([]any)[0].(object)["id"].(string)
	for path, keys := range map[string][2]string{
		"/loadbalancers": {"loadbalancer", "loadbalancers"}, "/listeners": {"listener", "listeners"}, "/pools": {"pool", "pools"},
		"/pools/" + p + "/members": {"member", "members"}, "/healthmonitors": {"healthmonitor", "healthmonitors"},
	} {
		first := c.must(http.StatusOK, http.MethodGet, path, nil).body[keys[1]].([]any)[0].(object)
		for attribute := range first {
			for _, query := range []string{attribute, attribute + "&fields=id", "nothing"} {
				list := c.must(http.StatusOK, http.MethodGet, path+"?fields="+query, nil).body[keys[1]].([]any)[0]
				one := c.show(fmt.Sprint(path, "/", first["id"], "?fields=", query), keys[0])
				if diff := cmp.Diff(any(one), list); diff != "" {
					t.Errorf("%s?fields=%s (-one +list):\n%s", path, query, diff)
				}
			}
		}
	}
}

// TestListFaults has the database fail before the first byte is written: that is a fault like any other.
func TestListFaults(t *testing.T) {
	c := filled(t, 10, 0)
	if err := c.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/loadbalancers", "/loadbalancers?limit=infinite"} {
		c.do(http.MethodGet, root+path, nil).fault(t, http.StatusInternalServerError,
			"An unexpected error occurred. Its request id is in the header x-openstack-request-id.")
	}
}
