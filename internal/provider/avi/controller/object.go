package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// named asks that references in answers carry the names of what they refer to.
var named = url.Values{"include_name": {"true"}}

// Get returns an object. References in it carry the names of what they refer to (include_name). An answer without one says nothing: it does
// not say that there is none.
func (c *Client) Get(ctx context.Context, t Tenant, kind, uuid string) (Object, error) {
	r := &request{tenant: t, method: http.MethodGet, path: pathOf(kind, uuid), query: named}
	o, err := c.object(ctx, r, nil)
	if err == nil && o == nil {
		err = fmt.Errorf("read the answer to %s: it is empty", r)
	}
	return o, err
}

// Create makes an object with a UUID of our choice (the header Slug), and returns it as the controller has it.
func (c *Client) Create(ctx context.Context, t Tenant, kind, uuid string, o Object) (Object, error) {
	r := &request{tenant: t, method: http.MethodPost, path: pathOf(kind), query: named, slug: uuid}
	return c.written(ctx, r, o, kind, uuid)
}

// Put replaces an object, and returns it as the controller has it. One that changed since it was read (_last_modified) is Stale.
func (c *Client) Put(ctx context.Context, t Tenant, kind, uuid string, o Object) (Object, error) {
	r := &request{tenant: t, method: http.MethodPut, path: pathOf(kind, uuid), query: named}
	return c.written(ctx, r, o, kind, uuid)
}

// Patch changes an object: {"add": {…}}, {"replace": {…}} or {"delete": {…}}. It returns it as the controller has it.
func (c *Client) Patch(ctx context.Context, t Tenant, kind, uuid string, patch Object) (Object, error) {
	r := &request{tenant: t, method: http.MethodPatch, path: pathOf(kind, uuid), query: named}
	return c.written(ctx, r, patch, kind, uuid)
}

// Delete deletes an object. One that is not there is Absent.
func (c *Client) Delete(ctx context.Context, t Tenant, kind, uuid string) error {
	_, err := c.do(ctx, &request{tenant: t, method: http.MethodDelete, path: pathOf(kind, uuid)})
	return err
}

// Call makes any other request below /api, as Call(ctx, t, "GET", "cluster/runtime", …). A body and into may be nil.
func (c *Client) Call(ctx context.Context, t Tenant, method, path string, query url.Values, body, into any) error {
	r := &request{tenant: t, method: method, path: "/api/" + strings.TrimPrefix(strings.TrimPrefix(path, "/"), "api/"), query: query}
	if err := r.carry(body); err != nil {
		return err
	}
	a, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	return a.decode(into)
}

// written makes a request that writes. Some kinds answer a write with nothing; these are read.
func (c *Client) written(ctx context.Context, r *request, body Object, kind, uuid string) (Object, error) {
	o, err := c.object(ctx, r, body)
	if err != nil || o != nil {
		return o, err
	}
	return c.Get(ctx, r.tenant, kind, uuid)
}

// object makes a request that is answered with an object, or nil where it is answered with nothing.
func (c *Client) object(ctx context.Context, r *request, body Object) (Object, error) {
	if body != nil {
		if err := r.carry(body); err != nil {
			return nil, err
		}
	}
	a, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	var o Object
	return o, a.decode(&o)
}

// carry gives a request a body.
func (r *request) carry(body any) error {
	if body == nil {
		return nil
	}
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("write the body of %s %s: %w", r.method, r.path, err)
	}
	r.body = b
	return nil
}

// pathOf is /api/ and segments, none of which can be more than one.
func pathOf(segments ...string) string {
	path := "/api"
	for _, s := range segments {
		path += "/" + url.PathEscape(s)
	}
	return path
}
