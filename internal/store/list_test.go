package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// named lists the names of what a query finds.
func named[P lbaas.Part](list []P, err error) ([]string, error) {
	var names []string
	for _, p := range list {
		names = append(names, p.Base().Name)
	}
	return names, err
}

func filter(attribute string, values ...string) store.Filter {
	return store.Filter{Attribute: attribute, Values: values}
}

func TestBadQueries(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		many := slices.Repeat([]string{"tag"}, 500)
		if _, err := s.Listeners(context.Background(), store.Query{Tags: store.Tags{Any: many}}); err != nil {
			t.Errorf("as many tags as there may be: %v", err)
		}
		for name, tc := range map[string]struct {
			query store.Query
			want  store.BadQuery
		}{
			"filter":          {store.Query{Filters: []store.Filter{filter("nonsense", "x")}}, store.BadQuery{Part: "filter", Value: "nonsense"}},
			"column":          {store.Query{Filters: []store.Filter{filter("load_balancer_id", "x")}}, store.BadQuery{Part: "filter", Value: "load_balancer_id"}},
			"number":          {store.Query{Filters: []store.Filter{filter("protocol_port", "x")}}, store.BadQuery{Part: "filter", Value: "protocol_port"}},
			"time":            {store.Query{Filters: []store.Filter{filter("created_at", "now")}}, store.BadQuery{Part: "filter", Value: "created_at"}},
			"sort":            {store.Query{Sort: []store.Order{{Attribute: "id; DROP TABLE"}}}, store.BadQuery{Part: "sort", Value: "id; DROP TABLE"}},
			"tags":            {store.Query{Tags: store.Tags{Any: many, NotAll: many[:1]}}, store.BadQuery{Part: "filter", Value: "tags"}},
			"marker":          {store.Query{Marker: "nothing"}, store.BadQuery{Part: "marker", Value: "nothing"}},
			"marker with NUL": {store.Query{Marker: "\x00"}, store.BadQuery{Part: "marker", Value: "\x00"}},
		} {
			_, err := s.Listeners(context.Background(), tc.query)
			var got *store.BadQuery
			if !errors.As(err, &got) || *got != tc.want {
				t.Errorf("bad %s: %v, want %v", name, err, &tc.want)
			}
		}
	})
}

// manyListeners makes listeners of two load balancers: names of three sorts, descriptions by number.
func manyListeners(t testing.TB, s *store.Store, n int) {
	t.Helper()
	var lbs [2]lbaas.LoadBalancer
	for i := range n {
		lb := &lbs[i%2]
		lb.Name, lb.ProjectID, lb.Host = fmt.Sprint("lb ", i%2), fmt.Sprint("project ", i%2), "h"
		lb.Listeners = append(lb.Listeners, &lbaas.Listener{
			Object:   lbaas.Object{Name: []string{"a", "B", "b "}[i%3], Description: strconv.Itoa(i), AdminStateUp: i%2 == 0},
			Protocol: lbaas.HTTP, ProtocolPort: i + 1,
		})
	}
	for i := range lbs {
		create(t, s, &lbs[i])
	}
	achieve(t, s, &lbs[1])
}

func TestFilters(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		manyListeners(t, s, 6)
		lbs, err := s.LoadBalancers(ctx, store.Query{Filters: []store.Filter{filter("name", "lb 1")}})
		if err != nil || len(lbs) != 1 {
			t.Fatal(len(lbs), err)
		}
		made, err := s.Listener(ctx, lbs[0].Listeners[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, tc := range []struct {
			filters []store.Filter
			want    []string // descriptions
		}{
			{nil, []string{"0", "1", "2", "3", "4", "5"}},
			{[]store.Filter{filter("name", "a")}, []string{"0", "3"}},
			{[]store.Filter{filter("name", "A")}, nil},
			{[]store.Filter{filter("name", "b")}, nil},
			{[]store.Filter{filter("name", "b ", "B")}, []string{"1", "2", "4", "5"}},
			{[]store.Filter{filter("name", "a"), filter("project_id", "project 1")}, []string{"3"}},
			{[]store.Filter{filter("loadbalancer_id", lbs[0].ID)}, []string{"1", "3", "5"}},
			{[]store.Filter{filter("admin_state_up", "Yes")}, []string{"0", "2", "4"}},
			{[]store.Filter{filter("admin_state_up", "nonsense")}, []string{"1", "3", "5"}},
			{[]store.Filter{filter("protocol_port", "3", "4", "99")}, []string{"2", "3"}},
			{[]store.Filter{filter("provisioning_status", "ACTIVE")}, []string{"1", "3", "5"}},
			{[]store.Filter{filter("provisioning_status", "PENDING_CREATE", "ERROR")}, []string{"0", "2", "4"}},
			{[]store.Filter{filter("operating_status", "ONLINE")}, nil},
			{[]store.Filter{filter("created_at", made.CreatedAt.Format("2006-01-02T15:04:05.000000Z07:00"))}, []string{made.Description}},
			{[]store.Filter{filter("name", "' OR 1=1 --")}, nil},
		} {
			list, err := s.Listeners(ctx, store.Query{Filters: tc.filters, Sort: []store.Order{{Attribute: "description"}}})
			var got []string
			for _, l := range list {
				got = append(got, l.Description)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("%v: %v (-want +got):\n%s", tc.filters, err, diff)
			}
		}
	})
}

func TestFiltersOfEveryNoun(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb := create(t, s, fullTree())
		create(t, s, bareTree())
		pool, listener := lb.Pools[0], lb.Listeners[0]
		for _, tc := range []struct {
			noun      lbaas.Noun
			attribute string
			value     string
			want      int
		}{
			{lbaas.NounLoadBalancer, "vip_address", "2001:DB8:0::7", 1},
			{lbaas.NounLoadBalancer, "vip_address", "no address", 0},
			{lbaas.NounLoadBalancer, "vip_port_id", lb.VIPPortID, 1},
			{lbaas.NounLoadBalancer, "vip_subnet_id", lb.VIPSubnetID, 1},
			{lbaas.NounLoadBalancer, "vip_network_id", lb.VIPNetworkID, 1},
			{lbaas.NounLoadBalancer, "vip_qos_policy_id", lb.VIPQoSPolicyID, 1},
			{lbaas.NounLoadBalancer, "provider", "haproxy", 1},
			{lbaas.NounLoadBalancer, "flavor_id", lb.FlavorID, 1},
			{lbaas.NounLoadBalancer, "availability_zone", "zone", 1},
			{lbaas.NounListener, "default_pool_id", pool.ID, 1},
			{lbaas.NounListener, "connection_limit", "100", 1},
			{lbaas.NounListener, "protocol", "HTTP", 1},
			{lbaas.NounListener, "timeout_client_data", "1", 1},
			{lbaas.NounListener, "timeout_member_connect", "2", 1},
			{lbaas.NounListener, "timeout_member_data", "3", 1},
			{lbaas.NounListener, "timeout_tcp_inspect", "4", 1},
			{lbaas.NounListener, "default_tls_container_ref", "http://keys/1", 1},
			{lbaas.NounListener, "client_ca_tls_container_ref", "http://keys/4", 1},
			{lbaas.NounListener, "client_authentication", "OPTIONAL", 1},
			{lbaas.NounListener, "client_crl_container_ref", "http://keys/5", 1},
			{lbaas.NounListener, "tls_ciphers", "A:B", 1},
			{lbaas.NounListener, "hsts_max_age", "0", 1},
			{lbaas.NounListener, "hsts_include_subdomains", "true", 1},
			{lbaas.NounListener, "hsts_preload", "true", 1},
			{lbaas.NounPool, "loadbalancer_id", lb.ID, 1},
			{lbaas.NounPool, "protocol", "HTTP", 2},
			{lbaas.NounPool, "lb_algorithm", "SOURCE_IP", 1},
			{lbaas.NounPool, "healthmonitor_id", pool.HealthMonitor.ID, 1},
			{lbaas.NounPool, "healthmonitor_id", "", 0},
			{lbaas.NounPool, "tls_enabled", "true", 1},
			{lbaas.NounPool, "tls_container_ref", "http://keys/6", 1},
			{lbaas.NounPool, "ca_tls_container_ref", "http://keys/7", 1},
			{lbaas.NounPool, "crl_container_ref", "http://keys/8", 1},
			{lbaas.NounPool, "tls_ciphers", "C", 1},
			{lbaas.NounMember, "loadbalancer_id", lb.ID, 3},
			{lbaas.NounMember, "pool_id", pool.ID, 3},
			{lbaas.NounMember, "address", "10.0.0.2", 1},
			{lbaas.NounMember, "protocol_port", "8080", 3},
			{lbaas.NounMember, "weight", "7", 3},
			{lbaas.NounMember, "backup", "true", 3},
			{lbaas.NounMember, "subnet_id", pool.Members[0].SubnetID, 1},
			{lbaas.NounMember, "monitor_address", "10.1.0.1", 3},
			{lbaas.NounMember, "monitor_port", "9090", 3},
			{lbaas.NounMember, "vnic_type", "normal", 3},
			{lbaas.NounHealthMonitor, "loadbalancer_id", lb.ID, 1},
			{lbaas.NounHealthMonitor, "pool_id", pool.ID, 1},
			{lbaas.NounHealthMonitor, "type", "HTTP", 1},
			{lbaas.NounHealthMonitor, "delay", "5", 1},
			{lbaas.NounHealthMonitor, "timeout", "3", 1},
			{lbaas.NounHealthMonitor, "max_retries", "2", 1},
			{lbaas.NounHealthMonitor, "max_retries_down", "4", 1},
			{lbaas.NounHealthMonitor, "http_method", "HEAD", 1},
			{lbaas.NounHealthMonitor, "url_path", "/up", 1},
			{lbaas.NounHealthMonitor, "expected_codes", "200-299", 1},
			{lbaas.NounHealthMonitor, "http_version", "1.1", 1},
			{lbaas.NounHealthMonitor, "domain_name", "example.org", 1},
			{lbaas.NounLoadBalancer, "vip_vnic_type", "direct", 1},
			{lbaas.NounL7Policy, "loadbalancer_id", lb.ID, 2},
			{lbaas.NounL7Policy, "listener_id", listener.ID, 2},
			{lbaas.NounL7Policy, "action", "REJECT", 1},
			{lbaas.NounL7Policy, "redirect_pool_id", pool.ID, 2},
			{lbaas.NounL7Policy, "redirect_url", "http://example.org/", 2},
			{lbaas.NounL7Policy, "redirect_prefix", "https://example.org", 2},
			{lbaas.NounL7Policy, "redirect_http_code", "303", 2},
			{lbaas.NounL7Policy, "position", "1", 2},
			{lbaas.NounL7Rule, "loadbalancer_id", lb.ID, 4},
			{lbaas.NounL7Rule, "l7policy_id", listener.L7Policies[0].ID, 2},
			{lbaas.NounL7Rule, "type", "HEADER", 4},
			{lbaas.NounL7Rule, "compare_type", "REGEX", 4},
			{lbaas.NounL7Rule, "key", "X-Key", 4},
			{lbaas.NounL7Rule, "key", "x-key", 0},
			{lbaas.NounL7Rule, "value", "^v$", 4},
			{lbaas.NounL7Rule, "invert", "true", 4},
			{lbaas.NounRateLimitPolicy, "loadbalancer_id", lb.ID, 1},
			{lbaas.NounRateLimitPolicy, "listener_id", listener.ID, 1},
			{lbaas.NounRateLimitPolicy, "action", "DENY", 1},
			{lbaas.NounRateLimitPolicy, "enabled", "true", 1},
			{lbaas.NounRateLimitRule, "loadbalancer_id", lb.ID, 1},
			{lbaas.NounRateLimitRule, "ratelimitpolicy_id", listener.RateLimitPolicies[0].ID, 1},
			{lbaas.NounRateLimitRule, "metric", "REQUESTS_PER_URL", 1},
			{lbaas.NounRateLimitRule, "threshold", "100", 1},
			{lbaas.NounRateLimitRule, "interval", "10", 1},
			{lbaas.NounRateLimitRule, "enabled", "true", 1},
		} {
			q := store.Query{Filters: []store.Filter{filter(tc.attribute, tc.value)}, Sort: []store.Order{{Attribute: tc.attribute}}}
			got, err := count(ctx, s, tc.noun, q)
			if err != nil || got != tc.want {
				t.Errorf("%s with the %s %q: %d, %v; want %d", tc.noun, tc.attribute, tc.value, got, err, tc.want)
			}
		}
	})
}

func count(ctx context.Context, s *store.Store, noun lbaas.Noun, q store.Query) (int, error) {
	switch noun {
	case lbaas.NounLoadBalancer:
		l, err := s.LoadBalancers(ctx, q)
		return len(l), err
	case lbaas.NounListener:
		l, err := s.Listeners(ctx, q)
		return len(l), err
	case lbaas.NounPool:
		l, err := s.Pools(ctx, q)
		return len(l), err
	case lbaas.NounMember:
		l, err := s.Members(ctx, q)
		return len(l), err
	case lbaas.NounHealthMonitor:
		l, err := s.HealthMonitors(ctx, q)
		return len(l), err
	case lbaas.NounL7Policy:
		l, err := s.L7Policies(ctx, q)
		return len(l), err
	case lbaas.NounL7Rule:
		l, err := s.L7Rules(ctx, q)
		return len(l), err
	case lbaas.NounRateLimitPolicy:
		l, err := s.RateLimitPolicies(ctx, q)
		return len(l), err
	default:
		l, err := s.RateLimitRules(ctx, q)
		return len(l), err
	}
}

// TestPages goes through every order forth and back, over rows that are equal in all but their ids.
func TestPages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		manyListeners(t, s, 13)
		for _, order := range [][]store.Order{
			nil,
			{{Attribute: "name"}},
			{{Attribute: "name", Descending: true}},
			{{Attribute: "admin_state_up"}, {Attribute: "name", Descending: true}},
			{{Attribute: "provisioning_status", Descending: true}, {Attribute: "admin_state_up"}},
			{{Attribute: "protocol_port", Descending: true}},
			{{Attribute: "operating_status"}, {Attribute: "created_at", Descending: true}},
			{{Attribute: "id", Descending: true}},
			{{Attribute: "updated_at"}},
			{{Attribute: "connection_limit"}, {Attribute: "name"}, {Attribute: "name", Descending: true}},
		} {
			want, err := s.Listeners(ctx, store.Query{Sort: order})
			if err != nil || len(want) != 13 {
				t.Fatalf("%v: %d, %v", order, len(want), err)
			}
			for _, limit := range []int{1, 2, 5, 13, 20} {
				if diff := cmp.Diff(want, forth(t, s, order, limit), compare); diff != "" {
					t.Errorf("by %v, %d at a time (-want +got):\n%s", order, limit, diff)
				}
				if diff := cmp.Diff(want[:12], back(t, s, order, limit, want[12].ID), compare); diff != "" {
					t.Errorf("back by %v, %d at a time (-want +got):\n%s", order, limit, diff)
				}
			}
		}
	})
}

func forth(t *testing.T, s *store.Store, order []store.Order, limit int) []*lbaas.Listener {
	t.Helper()
	var got []*lbaas.Listener
	q := store.Query{Sort: order, Limit: limit}
	for range 20 {
		page, err := s.Listeners(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return got
		}
		got = append(got, page...)
		q.Marker = page[len(page)-1].ID
	}
	t.Fatal("the pages have no end")
	return nil
}

func back(t *testing.T, s *store.Store, order []store.Order, limit int, from string) []*lbaas.Listener {
	t.Helper()
	var got []*lbaas.Listener
	q := store.Query{Sort: order, Limit: limit, Reverse: true, Marker: from}
	for range 20 {
		page, err := s.Listeners(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return got
		}
		got = append(page, got...)
		q.Marker = page[0].ID
	}
	t.Fatal("the pages have no end")
	return nil
}

func TestOrderIsTheSameEverywhere(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		names := []string{"B", "a", "", "Z", "b ", "b", "é", "10", "9", "_"}
		for _, name := range names {
			create(t, s, &lbaas.LoadBalancer{Object: lbaas.Object{Name: name}})
		}
		slices.Sort(names)
		got, err := named(s.LoadBalancers(context.Background(), store.Query{Sort: []store.Order{{Attribute: "name"}}}))
		if diff := cmp.Diff(names, got); diff != "" || err != nil {
			t.Errorf("by name: %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestTags(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for name, tags := range map[string][]string{"0": nil, "1": {"a"}, "2": {"a", "b"}, "3": {"B", "%"}, "4": {`a"`, "b\\"}, "5": {"a b"}} {
			create(t, s, &lbaas.LoadBalancer{Object: lbaas.Object{Name: name, Tags: tags}})
		}
		for _, tc := range []struct {
			tags store.Tags
			want []string
		}{
			{store.Tags{All: []string{"a"}}, []string{"1", "2"}},
			{store.Tags{All: []string{"a", "b"}}, []string{"2"}},
			{store.Tags{All: []string{"%"}}, []string{"3"}},
			{store.Tags{All: []string{`a"`}}, []string{"4"}},
			{store.Tags{All: []string{`b\`}}, []string{"4"}},
			{store.Tags{Any: []string{"b", "B"}}, []string{"2", "3"}},
			{store.Tags{NotAll: []string{"a", "b"}}, []string{"0", "1", "3", "4", "5"}},
			{store.Tags{NotAny: []string{"a", "b"}}, []string{"0", "3", "4", "5"}},
			{store.Tags{Any: []string{"a"}, NotAny: []string{"b"}}, []string{"1"}},
		} {
			got, err := named(s.LoadBalancers(context.Background(), store.Query{Tags: tc.tags, Sort: []store.Order{{Attribute: "name"}}}))
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("%+v: %v (-want +got):\n%s", tc.tags, err, diff)
			}
		}
	})
}

// TestOddTags asks for each tag of lists whose texts are hard to tell apart.
func TestOddTags(t *testing.T) {
	lists := [][]string{
		{"a", "b"}, {",", "a"}, {"a,", ",b"}, {"a,b"}, {`a","b`}, {`x"y`}, {"y"}, {`"`}, {`\`}, {`\"`}, {`\u002c`}, {`a\`, "b"}, {`,",`}, {"", "z"},
		{"a,", "b"}, {"é,", "<&>"}, {`\\`, `","`},
	}
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		holders := map[string][]string{}
		for i, tags := range lists {
			name := fmt.Sprintf("%02d", i)
			create(t, s, &lbaas.LoadBalancer{Object: lbaas.Object{Name: name, Tags: tags}})
			for _, tag := range tags {
				holders[tag] = append(holders[tag], name)
			}
		}
		for _, none := range []string{`","`, `b"`, `"a`, `y"`, ",,", `,"b`} {
			if holders[none] == nil {
				holders[none] = nil
			}
		}
		for tag, want := range holders {
			got, err := named(s.LoadBalancers(context.Background(), store.Query{
				Tags: store.Tags{All: []string{tag}}, Sort: []store.Order{{Attribute: "name"}},
			}))
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("tag %q: %v, %v, want %v", tag, got, err, want)
			}
		}
	})
}

// TestQueriesDoNotGrow counts statements: however many rows there are, there are as many.
func TestQueriesDoNotGrow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		pool := &lbaas.Pool{Protocol: lbaas.HTTP}
		big := create(t, s, &lbaas.LoadBalancer{Host: "h", Pools: []*lbaas.Pool{pool}})
		deep := create(t, s, withPolicies("first"))
		grow := func(n int) {
			manyListeners(t, s, 2*n)
			for range n {
				lb := bareTree()
				lb.Host = "h"
				create(t, s, lb)
			}
			change(t, s, big.ID, func(c *store.Change) error {
				for range n {
					i := len(c.LB.Pools[0].Members)
					if err := c.Put(fullMemberOf(c.LB.Pools[0], i)); err != nil {
						return err
					}
				}
				return nil
			})
			change(t, s, deep.ID, func(c *store.Change) error { return deepen(c, n) })
		}
		marker := store.Query{Sort: []store.Order{{Attribute: "name"}}, Limit: 100}
		measured := map[string]func() error{
			"load balancers":   func() error { _, err := s.LoadBalancers(ctx, store.Query{}); return err },
			"a page of them":   func() error { marker.Marker = big.ID; _, err := s.LoadBalancers(ctx, marker); return err },
			"listeners":        func() error { _, err := s.Listeners(ctx, store.Query{}); return err },
			"pools":            func() error { _, err := s.Pools(ctx, store.Query{}); return err },
			"members":          func() error { _, err := s.Members(ctx, store.Query{}); return err },
			"health monitors":  func() error { _, err := s.HealthMonitors(ctx, store.Query{}); return err },
			"a load balancer":  func() error { _, err := s.LoadBalancer(ctx, big.ID); return err },
			"a pool":           func() error { _, err := s.Pool(ctx, pool.ID); return err },
			"a tree":           func() error { _, err := s.Tree(ctx, big.ID); return err },
			"a status tree":    func() error { _, err := s.StatusTree(ctx, big.ID); return err },
			"pending":          func() error { _, err := s.Pending(ctx, "host/h", 0); return err },
			"statistics":       func() error { _, err := s.Statistics(ctx, big.ID); return err },
			"an empty change":  func() error { return s.ChangeLoadBalancer(ctx, big.ID, func(*store.Change) error { return nil }) },
			"a touch of all":   func() error { return s.ChangeLoadBalancer(ctx, big.ID, touchAll) },
			"a put of nothing": func() error { return s.ChangeLoadBalancer(ctx, big.ID, putAll) },
			"a replacement":    func() error { return s.ChangeLoadBalancer(ctx, big.ID, replaceAll) },

			"L7 policies":         func() error { _, err := s.L7Policies(ctx, store.Query{}); return err },
			"L7 rules":            func() error { _, err := s.L7Rules(ctx, store.Query{}); return err },
			"rate-limit policies": func() error { _, err := s.RateLimitPolicies(ctx, store.Query{}); return err },
			"rate-limit rules":    func() error { _, err := s.RateLimitRules(ctx, store.Query{}); return err },
			"a listener":          func() error { _, err := s.Listener(ctx, deep.Listeners[0].ID); return err },
			"a deep tree":         func() error { _, err := s.Tree(ctx, deep.ID); return err },
			"a policy in front":   func() error { return s.ChangeLoadBalancer(ctx, deep.ID, putInFront) },
			"a policy less":       func() error { return s.ChangeLoadBalancer(ctx, deep.ID, deleteFront) },
		}
		want := map[string]int{
			"load balancers": 3, "a page of them": 4, "listeners": 2, "pools": 4, "members": 1, "health monitors": 1,
			"a load balancer": 3, "a pool": 4, "a tree": 7, "a status tree": 7, "pending": 1, "statistics": 1,
			"an empty change": 8, "a touch of all": 10, "a put of nothing": 10, "a replacement": 11,
			"L7 policies": 2, "L7 rules": 1, "rate-limit policies": 2, "rate-limit rules": 1, "a listener": 2,
			"a deep tree": 11, "a policy in front": 17, "a policy less": 16,
		}
		for range 2 {
			grow(10)
			got := map[string]int{}
			for what, fn := range measured {
				got[what] = s.Statements(func() {
					if err := fn(); err != nil {
						t.Error(what, err)
					}
				})
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("statements (-want +got):\n%s", diff)
			}
		}
		lease := leaseOf(t, s, big)
		generation := tree(t, s, big.ID).Progress.Generation
		n := s.Statements(func() {
			if err := s.Achieved(ctx, lease, big.ID, generation, nil, nil); err != nil {
				t.Error(err)
			}
		})
		if n != 9 {
			t.Errorf("Achieved took %d statements, want 9", n)
		}
	})
}

// deepen puts n L7 policies with two rules each in front of the others, and n rate-limit policies.
func deepen(c *store.Change, n int) error {
	l := c.LB.Listeners[0]
	for range n {
		policy, limit := &lbaas.L7Policy{ListenerID: l.ID, Position: 1}, &lbaas.RateLimitPolicy{ListenerID: l.ID}
		if err := c.Put(policy, limit); err != nil {
			return err
		}
		err := c.Put(&lbaas.L7Rule{L7PolicyID: policy.ID}, &lbaas.L7Rule{L7PolicyID: policy.ID}, &lbaas.RateLimitRule{RateLimitPolicyID: limit.ID})
		if err != nil {
			return err
		}
	}
	return nil
}

func putInFront(c *store.Change) error {
	policy := &lbaas.L7Policy{ListenerID: c.LB.Listeners[0].ID, Position: 1}
	return errors.Join(c.Put(policy), c.Put(&lbaas.L7Rule{L7PolicyID: policy.ID}))
}

func deleteFront(c *store.Change) error { return c.Delete(c.LB.Listeners[0].L7Policies[0]) }

func touchAll(c *store.Change) error {
	for _, part := range c.LB.Parts() { // one by one is as cheap as all at once
		if err := c.Touch(part); err != nil {
			return err
		}
	}
	return nil
}

func putAll(c *store.Change) error {
	for _, part := range c.LB.Parts()[1:] {
		if err := c.Put(part); err != nil {
			return err
		}
	}
	return nil
}

func replaceAll(c *store.Change) error {
	pool := c.LB.Pools[0]
	n := len(pool.Members)
	for _, m := range pool.Members {
		if err := c.Delete(m); err != nil {
			return err
		}
	}
	for i := range n {
		if err := c.Put(fullMemberOf(pool, i)); err != nil {
			return err
		}
	}
	return nil
}
