package neutronlbaas_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLists shows filters, fields, order and pages.
func TestLists(t *testing.T) {
	s := newSite(t)
	lb := s.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": s.subnet, "name": "lb"})["id"].(string)
	pool := s.make("/pools", "pool", object{"loadbalancer_id": lb, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"})["id"].(string)
	var all []string
	for i := range 5 {
		m := s.make("/pools/"+pool+"/members", "member", object{"subnet_id": s.subnet, "address": fmt.Sprintf("10.0.0.%d", 50-i), "protocol_port": 80, "weight": i % 2})
		all = append(all, m["id"].(string))
	}
	members := "/pools/" + pool + "/members"
	for _, test := range []struct {
		path, plural string
		want         []string
	}{
		{members, "members", all},
		{members + ".json?pool_id=" + pool, "members", all},
		{members + "?pool_id=" + lb, "members", nil},
		{members + "?weight=1", "members", []string{all[1], all[3]}},
		{members + "?id=" + all[4] + "&id=" + all[0], "members", []string{all[0], all[4]}},
		{members + "?address=10.0.0.50&address=10.0.0.49", "members", all[:2]},
		{members + "?sort_key=address&sort_dir=asc", "members", []string{all[4], all[3], all[2], all[1], all[0]}},
		{members + "?tenant_id=" + foreign, "members", nil},
		{"/loadbalancers?name=lb&admin_state_up=True", "loadbalancers", []string{lb}},
		{"/loadbalancers?verbose=True&admin_state_up=yes", "loadbalancers", []string{lb}},
		{"/loadbalancers?admin_state_up=off", "loadbalancers", nil},
		{"/loadbalancers?name=other", "loadbalancers", nil},
		{"/loadbalancers?provisioning_status=PENDING_CREATE&project_id=" + mine, "loadbalancers", []string{lb}},
		{"/pools?loadbalancer_id=" + lb, "pools", []string{pool}},
		{"/pools?healthmonitor_id=", "pools", []string{pool}},
	} {
		list := s.must(http.StatusOK, http.MethodGet, test.path, nil)
		if diff := cmp.Diff(test.want, ids(list[test.plural])); diff != "" || len(list) != 1 {
			t.Errorf("%s (-want +got):\n%s%v", test.path, diff, list)
		}
	}
	only := s.must(http.StatusOK, http.MethodGet, "/loadbalancers?fields=id&fields=name&fields=nothing", nil)
	if diff := cmp.Diff(object{"loadbalancers": []any{object{"id": lb, "name": "lb"}}}, only); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(object{"loadbalancer": object{"name": "lb"}}, s.must(http.StatusOK, http.MethodGet, "/loadbalancers/"+lb+".json?fields=name", nil)); diff != "" {
		t.Errorf("fields of one (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(all, s.pages(members+"?limit=2", "members")); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	back := s.must(http.StatusOK, http.MethodGet, members+"?limit=2&page_reverse=True&marker="+all[4], nil)
	if diff := cmp.Diff(all[2:4], ids(back["members"])); diff != "" {
		t.Errorf("the page before (-want +got):\n%s", diff)
	}
}

// pages follows the links to the next page, as clients do.
func (s *site) pages(path, plural string) []string {
	s.t.Helper()
	var all []string
	for range 10 {
		list := s.must(http.StatusOK, http.MethodGet, path, nil)
		all = append(all, ids(list[plural])...)
		next := ""
		for _, link := range list[plural+"_links"].([]any) {
			if link := link.(object); link["rel"] == "next" {
				next = link["href"].(string)
			}
		}
		if next == "" {
			return all
		}
		u, err := url.Parse(next)
		if err != nil {
			s.t.Fatal(err)
		}
		path = strings.TrimPrefix(u.RequestURI(), "/networking/v2.0/lbaas")
	}
	s.t.Fatal("pages have no end")
	return nil
}

// TestMany shows that members and rules may be made many at once: all, in their order, or none.
func TestMany(t *testing.T) {
	s := newSite(t)
	made := s.tree()
	member := func(last int) object {
		return object{"subnet_id": s.subnet, "address": fmt.Sprintf("10.0.0.%d", last), "protocol_port": "8080", "weight": last}
	}
	members := "/pools/" + made.pool + "/members"
	got := s.must(http.StatusCreated, http.MethodPost, members, object{"members": []any{member(23), object{"member": member(22)}, member(21)}})
	list := s.must(http.StatusOK, http.MethodGet, members, nil)
	want := append([]string{made.member}, ids(got["members"])...)
	if diff := cmp.Diff(want, ids(list["members"])); diff != "" || len(want) != 4 {
		t.Errorf("members (-made +listed):\n%s", diff)
	}
	rule := func(value string) object {
		return object{"type": "PATH", "compare_type": "EQUAL_TO", "value": value, "invert": "True", "admin_state_up": false}
	}
	rules := "/l7policies/" + made.policy + "/rules"
	got = s.must(http.StatusCreated, http.MethodPost, rules, object{"rules": []any{rule("/a"), rule("/b"), rule("/c")}})
	list = s.must(http.StatusOK, http.MethodGet, rules, nil)
	if diff := cmp.Diff(list["rules"].([]any)[1:], got["rules"]); diff != "" || len(ids(got["rules"])) != 3 {
		t.Errorf("rules (-listed +made):\n%s", diff)
	}
	for _, bad := range []struct {
		path string
		body object
		want string
	}{
		{members, object{"members": []any{member(24), member(24)}}, "MemberExists"},
		{members, object{"members": []any{member(24), member(23)}}, "MemberExists"},
		{members, object{"members": []any{member(24), object{}}}, "HTTPBadRequest"},
		{rules, object{"rules": []any{rule("/d"), rule("e f")}}, "L7RuleInvalidHeaderValue"},
		{rules, object{"rules": []any{rule("g h"), rule("/d")}}, "L7RuleInvalidHeaderValue"},
	} {
		before := s.must(http.StatusOK, http.MethodGet, bad.path, nil)
		if a := s.old(http.MethodPost, bad.path, bad.body); a.fault()[0] != bad.want {
			t.Errorf("%v: %d %s, want %s", bad.body, a.code, a.raw, bad.want)
		}
		if diff := cmp.Diff(before, s.must(http.StatusOK, http.MethodGet, bad.path, nil)); diff != "" {
			t.Errorf("%v changed something:\n%s", bad.body, diff)
		}
	}
	if a := s.old(http.MethodPost, "/listeners", object{"listeners": []any{object{}}}); a.code != http.StatusBadRequest {
		t.Errorf("many listeners: %d %s", a.code, a.raw)
	}
}
