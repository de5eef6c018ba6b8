package controller

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// paged answers lists of n objects, and tells the queries. The address of the next page is that of another host.
func paged(f *fake, n int) *[]string {
	var queries []string
	f.on(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/api/pool" {
			return false
		}
		queries = append(queries, r.URL.Query().Encode())
		size, _ := strconv.Atoi(r.URL.Query().Get("page_size"))
		page := max(1, atoi(r.URL.Query().Get("page")))
		p := map[string]any{"count": n}
		results := []Object{}
		for i := (page - 1) * size; i < min(n, page*size); i++ {
			results = append(results, Object{"uuid": fmt.Sprint("pool-", i)})
		}
		p["results"] = results
		if page*size < n {
			p["next"] = fmt.Sprintf("https://192.0.2.1/api/pool?page=%d&page_size=%d", page+1, size)
		}
		writeJSON(w, p)
		return true
	})
	return &queries
}

func TestListReadsAllPages(t *testing.T) {
	for _, n := range []int{0, 1, 200, 201, 650} {
		f := newFake(t)
		c, _ := client(t, nil, f)
		queries := paged(f, n)
		all, err := c.List(t.Context(), AllTenants, "pool", url.Values{"created_by": {"a b&c"}})
		if err != nil {
			t.Fatal(err)
		}
		var want []Object
		for i := range n {
			want = append(want, Object{"uuid": fmt.Sprint("pool-", i)})
		}
		if diff := cmp.Diff(want, all); diff != "" {
			t.Errorf("List of %d (-want +got):\n%s", n, diff)
		}
		wanted := []string{"created_by=a+b%26c&include_name=true&page_size=200"}
		for page := 2; page <= (n+199)/200; page++ {
			wanted = append(wanted, fmt.Sprintf("created_by=a+b%%26c&include_name=true&page=%d&page_size=200", page))
		}
		if diff := cmp.Diff(wanted, *queries); diff != "" {
			t.Errorf("queries of %d (-want +got):\n%s", n, diff)
		}
	}
}

func TestListKeepsTheCallersQuery(t *testing.T) {
	f := newFake(t)
	c, _ := client(t, nil, f)
	queries := paged(f, 3)
	query := url.Values{"page_size": {"2"}}
	if _, err := c.List(t.Context(), tenant, "pool", query); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"include_name=true&page_size=2", "include_name=true&page=2&page_size=2"}, *queries); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(url.Values{"page_size": {"2"}}, query); diff != "" {
		t.Errorf("the caller's query was changed (-want +got):\n%s", diff)
	}
}

func TestAListWithoutAnEnd(t *testing.T) {
	f := newFake(t)
	c, _ := client(t, nil, f)
	f.times(5000, "/api/pool", answering(200, `{"results": [{"uuid": "pool-1"}], "next": "?page=1"}`))
	if _, err := c.List(t.Context(), tenant, "pool", nil); err == nil {
		t.Error("List ended well")
	}
	if n := count(f.called(), "GET /api/pool"); n != maxPages {
		t.Errorf("%d pages were read, want %d", n, maxPages)
	}
}

func TestAPageThatCannotBeRead(t *testing.T) {
	f := newFake(t)
	c, _ := client(t, nil, f)
	f.times(2, "/api/pool", answering(400, `{"error": "Unknown filter"}`))
	if all, err := c.List(t.Context(), tenant, "pool", nil); !Refused(err) || all != nil {
		t.Errorf("List: %v, %v", all, err)
	}
}

// TestListThatShrinks has objects deleted while a list of them is read, so that others move to the page before: each that stays is listed
// once all the same, also where the last page is gone.
func TestListThatShrinks(t *testing.T) {
	for _, n := range []int{401, 450, 601} {
		f := newFake(t)
		c, _ := client(t, nil, f)
		var left []Object
		for i := range n {
			left = append(left, Object{"uuid": fmt.Sprint("pool-", i)})
		}
		requests := 0
		f.on(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/api/pool" {
				return false
			}
			page := max(1, atoi(r.URL.Query().Get("page")))
			first, last := (page-1)*200, min(page*200, len(left))
			if first >= len(left) {
				tell(w, 404, `{"detail": "Invalid page."}`)
				return true
			}
			answer := map[string]any{"count": len(left), "results": left[first:last]}
			if last < len(left) {
				answer["next"] = fmt.Sprint("?page=", page+1)
			}
			writeJSON(w, answer)
			if requests++; requests <= 2 {
				left = left[1:]
			}
			return true
		})
		all, err := c.List(t.Context(), tenant, "pool", nil)
		if err != nil {
			t.Fatal(err)
		}
		times := map[any]int{}
		for _, o := range all {
			times[o["uuid"]]++
		}
		for _, o := range left {
			if times[o["uuid"]] != 1 {
				t.Errorf("of %d objects %v was listed %d times", n, o["uuid"], times[o["uuid"]])
			}
		}
	}
}

// TestAnswersThatSayNothing: what is no list and no object is not taken for that there is none.
func TestAnswersThatSayNothing(t *testing.T) {
	for _, body := range []string{"", " ", "null", "{}", `{"count": 0}`, `{"results": null}`} {
		f := newFake(t)
		c, _ := client(t, nil, f)
		f.times(1, "/api/pool", answering(200, body))
		if all, err := c.List(t.Context(), tenant, "pool", nil); err == nil {
			t.Errorf("List of %q: %v", body, all)
		}
	}
	for _, body := range []string{"", " ", "null"} {
		f := newFake(t)
		c, _ := client(t, nil, f)
		f.times(1, "/api/pool/pool-1", answering(200, body))
		if o, err := c.Get(t.Context(), tenant, "pool", "pool-1"); err == nil || Absent(err) {
			t.Errorf("Get of %q: %v, %v", body, o, err)
		}
	}
	f := newFake(t)
	c, _ := client(t, nil, f)
	f.times(1, "/api/pool/pool-1", answering(404, "<html><body>404 Not Found</body></html>"))
	if o, err := c.Get(t.Context(), tenant, "pool", "pool-1"); err == nil || Absent(err) {
		t.Errorf("Get of a page: %v, %v", o, err)
	}
}

func TestNextPage(t *testing.T) {
	for address, want := range map[string]int{
		"https://h/api/pool?page=3&page_size=1": 3, "?page=7": 7, // what was left out is not ours to know
		"%": 3, "": 3, "?page=x": 3, "?page=2": 3, "?page=-1": 3, "?page=99999999999999999999": 3,
	} {
		if got := next(address, 2); got != want {
			t.Errorf("next(%q, 2) = %d, want %d", address, got, want)
		}
	}
}

func FuzzNext(f *testing.F) {
	f.Add("https://h/api/pool?page=3&page_size=1", 2)
	f.Fuzz(func(t *testing.T, address string, now int) {
		now = max(1, min(now, maxPages))
		if got := next(address, now); got <= now {
			t.Errorf("next(%q, %d) = %d", address, now, got)
		}
	})
}

func atoi(s string) int { n, _ := strconv.Atoi(s); return n }

func writeJSON(w http.ResponseWriter, v any) {
	b, err := marshal(v)
	if err != nil {
		panic(err)
	}
	tell(w, 200, b)
}
