package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// sortable are attributes with what lists have to be sorted by.
var sortable = map[string]func(lb *lbaas.LoadBalancer) string{
	"id":                  func(lb *lbaas.LoadBalancer) string { return lb.ID },
	"name":                func(lb *lbaas.LoadBalancer) string { return lb.Name },
	"project_id":          func(lb *lbaas.LoadBalancer) string { return lb.ProjectID },
	"description":         func(lb *lbaas.LoadBalancer) string { return lb.Description },
	"provider":            func(lb *lbaas.LoadBalancer) string { return lb.Provider },
	"vip_address":         func(lb *lbaas.LoadBalancer) string { return lb.VIPAddress.String() },
	"operating_status":    func(lb *lbaas.LoadBalancer) string { return string(lb.Operating) },
	"provisioning_status": func(lb *lbaas.LoadBalancer) string { return string(lb.Progress.Status()) },
	"admin_state_up":      func(lb *lbaas.LoadBalancer) string { return fmt.Sprint(lb.AdminStateUp) },
	"created_at":          func(lb *lbaas.LoadBalancer) string { return fmt.Sprintf("%020d", lb.CreatedAt.UnixMicro()) },
	"updated_at":          func(lb *lbaas.LoadBalancer) string { return fmt.Sprintf("%020d", lb.UpdatedAt.UnixMicro()) },
}

// asked is a question about load balancers, and which of them are to be the answer, in order.
type asked struct {
	query store.Query
	want  []string
}

// ask makes a question up: filters by what some load balancer has, and an order.
func ask(r *rand.Rand, all []*lbaas.LoadBalancer) asked {
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range sortable {
			if !yield(name) {
				return
			}
		}
	})
	var a asked
	some := slices.Clone(all)
	for range r.IntN(3) {
		name := names[r.IntN(len(names))]
		value := sortable[name](all[r.IntN(len(all))])
		if strings.HasSuffix(name, "_at") {
			continue
		}
		a.query.Filters = append(a.query.Filters, filter(name, value))
		some = slices.DeleteFunc(some, func(lb *lbaas.LoadBalancer) bool { return sortable[name](lb) != value })
	}
	for range r.IntN(4) {
		a.query.Sort = append(a.query.Sort, store.Order{Attribute: names[r.IntN(len(names))], Descending: r.IntN(2) == 0})
	}
	keys := append(slices.Clone(a.query.Sort), store.Order{Attribute: "created_at"}, store.Order{Attribute: "id"})
	slices.SortFunc(some, func(x, y *lbaas.LoadBalancer) int {
		for _, k := range keys {
			c := strings.Compare(sortable[k.Attribute](x), sortable[k.Attribute](y))
			if k.Descending {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	a.want = ids(some)
	return a
}

func ids(lbs []*lbaas.LoadBalancer) (all []string) {
	for _, lb := range lbs {
		all = append(all, lb.ID)
	}
	return all
}

// TestEveryRowOnce goes through lists of any order and with any filter, in pages of any size forth and back, and in pieces.
func TestEveryRowOnce(t *testing.T) {
	for _, engine := range storetest.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			connection := storetest.Connection(t, engine)
			s := storetest.Reopen(t, connection)
			storetest.Fill(t, s, connection, 200)
			all, err := s.LoadBalancers(t.Context(), store.Query{})
			if err != nil || len(all) != 200 {
				t.Fatal(len(all), err)
			}
			r := rand.New(rand.NewPCG(3, 4))
			for range 30 {
				a := ask(r, all)
				size := 1 + r.IntN(len(a.want)+20)
				for way, got := range map[string][]string{
					"at once":          read(t, s, a.query),
					"in pages":         pages(t, s, a.query, size),
					"in pages back":    pagesBack(t, s, a.query, size),
					"in pieces":        pieces(t, s, a.query, store.NewCursor(size)),
					"in smaller ones":  pieces(t, s, a.query, store.NewCursor(1+size/3).Small(size)),
					"in pieces before": before(t, s, a, size),
				} {
					if diff := cmp.Diff(a.want, got); diff != "" {
						t.Fatalf("%+v %s of %d (-want +got):\n%s", a.query, way, size, diff)
					}
				}
			}
		})
	}
}

func read(t *testing.T, s *store.Store, q store.Query) []string {
	t.Helper()
	lbs, err := s.LoadBalancers(t.Context(), q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	return ids(lbs)
}

func pages(t *testing.T, s *store.Store, q store.Query, size int) (all []string) {
	t.Helper()
	q.Limit = size
	for {
		page := read(t, s, q)
		all = append(all, page...)
		if len(page) == 0 {
			return all
		}
		q.Marker = page[len(page)-1]
	}
}

// pagesBack begins with the last row, which has none after it.
func pagesBack(t *testing.T, s *store.Store, q store.Query, size int) []string {
	t.Helper()
	all := read(t, s, q)
	if len(all) == 0 {
		return nil
	}
	all = all[len(all)-1:]
	q.Limit, q.Reverse = size, true
	for {
		q.Marker = all[0]
		page := read(t, s, q)
		if len(page) == 0 {
			return all
		}
		all = append(page, all...)
	}
}

func pieces(t *testing.T, s *store.Store, q store.Query, c *store.Cursor) (all []string) {
	t.Helper()
	q.Cursor = c
	for c.More() {
		all = append(all, read(t, s, q)...)
	}
	if full := q.Limit > 0 && len(all) >= q.Limit; c.Full() != full {
		t.Errorf("%+v: %d rows, and Full is %v", q, len(all), c.Full())
	}
	return all
}

// before reads in pieces, but for the last row: what comes before it, all of it or with a limit that is no bound.
func before(t *testing.T, s *store.Store, a asked, size int) []string {
	t.Helper()
	if len(a.want) == 0 {
		return nil
	}
	q, last := a.query, a.want[len(a.want)-1]
	q.Reverse, q.Marker, q.Limit = true, last, (size%2)*(len(a.want)+1)
	return append(pieces(t, s, q, store.NewCursor(size).Small(5)), last)
}

// TestListWhileItChanges takes rows away between the pieces of a list: those that were read are as they were, those that are gone do
// not come, and all the others come once.
func TestListWhileItChanges(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		var made []*lbaas.LoadBalancer
		for i := range 10 {
			made = append(made, create(t, s, &lbaas.LoadBalancer{Object: lbaas.Object{Name: fmt.Sprint(i)}, Host: "h"}))
		}
		want := ids(made)
		for _, tc := range []struct {
			name string
			gone int
			come bool // since it was read before
		}{{"the last of a piece", 1, true}, {"the next", 3, false}, {"the last", 9, false}} {
			q := store.Query{Cursor: store.NewCursor(2).Small(4)}
			got := read(t, s, q)
			remove(t, s, made[tc.gone])
			for q.Cursor.More() {
				got = append(got, read(t, s, q)...)
			}
			rest := slices.DeleteFunc(slices.Clone(want), func(id string) bool { return id == made[tc.gone].ID })
			if !tc.come {
				want = rest
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("without %s (-want +got):\n%s", tc.name, diff)
			}
			want = rest
		}
	})
}

// remove makes a load balancer vanish.
func remove(t *testing.T, s *store.Store, lb *lbaas.LoadBalancer) {
	t.Helper()
	change(t, s, lb.ID, func(c *store.Change) error { return c.Delete(c.LB) })
	now, err := s.LoadBalancer(context.Background(), lb.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Gone(context.Background(), leaseOf(t, s, lb), lb.ID, now.Progress.Generation); err != nil {
		t.Fatal(err)
	}
}

// TestListsFollowIndexes looks at how SQLite goes about lists: where most rows are wanted along an index of their order, without
// sorting more than rows that are alike, and else not along it.
func TestListsFollowIndexes(t *testing.T) {
	s := storetest.Open(t, store.SQLite)
	lb := create(t, s, fullTree())
	achieve(t, s, lb)
	marker := lb.ID
	by := func(attribute string, descending bool) []store.Order {
		return []store.Order{{Attribute: attribute, Descending: descending}}
	}
	some := []store.Filter{filter("provisioning_status", "ERROR")}
	most := []store.Filter{filter("provisioning_status", "ACTIVE"), filter("admin_state_up", "yes")}
	mine := []store.Filter{filter("project_id", "project")}
	const created, name, project = "INDEX load_balancers_created", "INDEX load_balancers_name", "INDEX load_balancers_owned (project_id=?"
	for what, tc := range map[string]struct {
		query store.Query
		want  string
		sorts string // what of it is sorted
	}{
		"all":                      {store.Query{}, "SCAN load_balancers USING " + created, ""},
		"the next":                 {store.Query{Marker: marker}, "SEARCH load_balancers USING " + created + " (created_at>?)", ""},
		"those before":             {store.Query{Marker: marker, Reverse: true}, "SEARCH load_balancers USING " + created + " (created_at<?)", ""},
		"the newest":               {store.Query{Sort: by("created_at", true)}, "USING " + created + " (created_at>?)", "LAST TERM"},
		"mine":                     {store.Query{Filters: mine}, project + ")", ""},
		"my next":                  {store.Query{Filters: mine, Marker: marker}, project + " AND created_at>?)", ""},
		"mine by name":             {store.Query{Filters: mine, Sort: by("name", false)}, project + ")", "ORDER BY"},
		"most by name":             {store.Query{Filters: most, Sort: by("name", false)}, "SCAN load_balancers USING " + name, ""},
		"the next of them":         {store.Query{Filters: most, Sort: by("name", false), Marker: marker}, name + " (name>?)", ""},
		"most by name, backwards":  {store.Query{Filters: most, Sort: by("name", true)}, name + " (name>?)", "LAST 2 TERMS"},
		"few by name":              {store.Query{Filters: some, Sort: by("name", false)}, "SCAN load_balancers;", "ORDER BY"},
		"few":                      {store.Query{Filters: some}, "SCAN load_balancers;", "ORDER BY"},
		"one name":                 {store.Query{Filters: []store.Filter{filter("name", "lb")}}, name + " (name=?)", "ORDER BY"},
		"by what has no index":     {store.Query{Sort: by("vip_address", false)}, "SCAN load_balancers;", "ORDER BY"},
		"tagged":                   {store.Query{Tags: store.Tags{All: []string{"a"}}}, "SCAN load_balancers;", "ORDER BY"},
		"not tagged, the next few": {store.Query{Tags: store.Tags{NotAny: []string{"a"}}, Marker: marker}, created + " (created_at>?)", ""},
	} {
		tc.query.Limit = 1 // for which there is a last row
		found := slices.ContainsFunc(s.Plans(t, func() { read(t, s, tc.query) }), func(plan string) bool {
			sorts := strings.Contains(plan, "TEMP B-TREE")
			return strings.Contains(plan+";", tc.want) && sorts == (tc.sorts != "") && strings.Contains(plan, tc.sorts)
		})
		if !found {
			t.Errorf("%s: %q, want %s, sorting %q", what, s.Plans(t, func() { read(t, s, tc.query) }), tc.want, tc.sorts)
		}
	}
}
