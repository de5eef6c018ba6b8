package keystone

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"plimsoll/internal/identity"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// listQuery reads the filters of the names given, limit and marker. Other parameters are ignored, as Keystone does.
func listQuery(r *web.Request, filters ...string) (store.Query, error) {
	q := store.Query{Marker: r.Query.Get("marker")}
	for _, name := range filters {
		if !r.Query.Has(name) {
			continue
		}
		value := r.Query.Get(name)
		if name == "enabled" {
			value = strconv.FormatBool(!slices.Contains([]string{"0", "false"}, strings.ToLower(value)))
		}
		q.Filters = append(q.Filters, store.Filter{Attribute: name, Values: []string{value}})
	}
	if text := r.Query.Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 {
			return q, lbaas.Errorf(lbaas.Invalid, "Invalid input for field 'limit': %q is not a number above 0", text)
		}
		q.Limit = limit
	}
	return q, nil
}

// tags reads the filters of tags, each a list with commas.
func tags(r *web.Request) store.Tags {
	return store.Tags{
		All: split(r, "tags"), Any: split(r, "tags-any"), NotAll: split(r, "not-tags"), NotAny: split(r, "not-tags-any"),
	}
}

func split(r *web.Request, key string) []string {
	if text := r.Query.Get(key); text != "" {
		return strings.Split(text, ",")
	}
	return nil
}

// list answers a collection. The link to the next page is there when this one is full.
func (s *Service) list(r *web.Request, key string, limit int, items []map[string]any) web.Reply {
	if items == nil {
		items = []map[string]any{}
	}
	self := s.base(r) + r.URL.Path
	links := map[string]any{"self": withQuery(self, r.URL.RawQuery), "previous": nil, "next": nil}
	if limit > 0 && len(items) == limit {
		next := url.Values{}
		for k, v := range r.Query {
			next[k] = v
		}
		next.Set("marker", items[len(items)-1]["id"].(string))
		links["next"] = withQuery(self, next.Encode())
	}
	return web.Reply{Status: 200, Body: map[string]any{key: items, "links": links}}
}

func withQuery(u, query string) string {
	if query == "" {
		return u
	}
	return u + "?" + query
}

// base is the URL of the API's root as the client knows it.
func (s *Service) base(r *web.Request) string {
	return s.host(r) + strings.TrimSuffix(prefix(r), "/")
}

// host is the scheme and host of the URLs in answers.
func (s *Service) host(r *web.Request) string {
	if s.publicURL != "" {
		return s.publicURL
	}
	return web.BaseURL(r.Request)
}

// prefix is the part of the path that was stripped before the request came here.
func prefix(r *web.Request) string {
	path := requestPath(r)
	if i := strings.LastIndex(path, r.URL.Path); i >= 0 && r.URL.Path != "/" {
		return path[:i]
	}
	return path
}

func requestPath(r *web.Request) string {
	u, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		return r.URL.Path
	}
	return u.Path
}

// resource answers one object.
func resource(status int, key string, object map[string]any) web.Reply {
	return web.Reply{Status: status, Body: map[string]any{key: object}}
}

// self is the links of one object.
func (s *Service) self(r *web.Request, path string) map[string]any {
	return map[string]any{"self": s.base(r) + path}
}

// extended starts an object with the attributes that are kept without being known.
func extended(extra identity.Extra) map[string]any {
	m := map[string]any{}
	for key, raw := range extra {
		m[key] = raw
	}
	return m
}

// orNil makes null of what is empty.
func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}
