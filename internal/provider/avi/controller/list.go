package controller

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
)

const (
	pageSize = "200" // the most that a controller takes
	maxPages = 1000  // of one list
)

// page is a part of a list.
type page struct {
	Results []Object `json:"results"`
	Next    string   `json:"next"`
}

// List returns all objects of a kind that the query finds, whatever the number of pages. References carry names.
func (c *Client) List(ctx context.Context, t Tenant, kind string, query url.Values) ([]Object, error) {
	var all []Object
	err := c.Each(ctx, t, kind, query, func(o Object) { all = append(all, o) })
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Each is List for one object after the other, so that no more than a page of them is there at the same time.
func (c *Client) Each(ctx context.Context, t Tenant, kind string, query url.Values, take func(Object)) error {
	q := url.Values{"page_size": {pageSize}}
	maps.Copy(q, named)
	maps.Copy(q, query)
	seen := map[string]bool{}
	for n := 1; n <= maxPages; {
		p, err := c.page(ctx, &request{tenant: t, method: http.MethodGet, path: pathOf(kind), query: q})
		if err != nil {
			return err
		}
		for _, o := range unseen(p.Results, seen) {
			take(o)
		}
		if p.Next == "" {
			return nil
		}
		n = next(p.Next, n)
		q.Set("page", strconv.Itoa(n))
	}
	return fmt.Errorf("list %s: more than %d pages", kind, maxPages)
}

func (c *Client) page(ctx context.Context, r *request) (page, error) {
	var p page
	a, err := c.do(ctx, r)
	if err != nil {
		return p, err
	}
	return p, a.decode(&p)
}

// next is the number of the page that an address names. All else of it is not believed: the query is ours, and so is the host.
func next(address string, now int) int {
	u, err := url.Parse(address)
	if err != nil {
		return now + 1
	}
	n, err := strconv.Atoi(u.Query().Get("page"))
	if err != nil || n <= now {
		return now + 1
	}
	return n
}

// unseen are the objects of a page, but for those that moved to it while the earlier ones were read.
func unseen(page []Object, seen map[string]bool) []Object {
	var all []Object
	for _, o := range page {
		uuid, _ := o["uuid"].(string)
		if uuid == "" || !seen[uuid] {
			all = append(all, o)
		}
		seen[uuid] = true
	}
	return all
}
