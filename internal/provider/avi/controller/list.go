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
	passes   = 2     // through a list that changes meanwhile
)

// page is a part of a list.
type page struct {
	Count   int      `json:"count"` // of the whole list
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

// Each is List for one object after the other, so that no more than a page of them is there at the same time. What is deleted meanwhile makes
// others move to a page that was read before. So a list whose length changed is read once more, for what was not seen.
func (c *Client) Each(ctx context.Context, t Tenant, kind string, query url.Values, take func(Object)) error {
	seen := map[string]bool{}
	for pass := 1; ; pass++ {
		q := url.Values{"page_size": {pageSize}}
		maps.Copy(q, named)
		maps.Copy(q, query)
		moved, err := c.pass(ctx, &request{tenant: t, method: http.MethodGet, path: pathOf(kind), query: q}, func(o Object) {
			if isNew(o, seen) {
				take(o)
			}
		})
		if !moved || pass == passes {
			return err
		}
	}
}

// pass reads all pages of a list. It tells whether the list changed meanwhile, so that there may be objects on none of them.
func (c *Client) pass(ctx context.Context, r *request, take func(Object)) (moved bool, err error) {
	length := 0
	for n := 1; n <= maxPages; {
		p, err := c.page(ctx, r)
		if err != nil {
			return n > 1 && Absent(err), err
		}
		for _, o := range p.Results {
			take(o)
		}
		if n == 1 {
			length = p.Count
		}
		moved = moved || p.Count != length
		if p.Next == "" {
			return moved, nil
		}
		n = next(p.Next, n)
		r.query.Set("page", strconv.Itoa(n))
	}
	return false, fmt.Errorf("%s: more than %d pages", r, maxPages)
}

// page reads a page. An answer that is no list says nothing: it does not say that there is nothing.
func (c *Client) page(ctx context.Context, r *request) (page, error) {
	var p page
	a, err := c.do(ctx, r)
	if err != nil {
		return p, err
	}
	if err = a.decode(&p); err == nil && p.Results == nil {
		err = fmt.Errorf("read the answer to %s: it is no list", r)
	}
	return p, err
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

// isNew tells whether an object was not seen before, as far as it says which it is.
func isNew(o Object, seen map[string]bool) bool {
	uuid, _ := o["uuid"].(string)
	if uuid == "" {
		uuid, _ = o["url"].(string)
	}
	if uuid == "" {
		return true
	}
	was := seen[uuid]
	seen[uuid] = true
	return !was
}
