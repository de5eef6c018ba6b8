package octavia

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// readQuery reads a list's query string. Everything that is not one of the words below is a filter.
func readQuery(values url.Values, bound int) (store.Query, error) {
	q := store.Query{Tags: store.Tags{
		All: commaList(values["tags"]), Any: commaList(values["tags-any"]),
		NotAll: commaList(values["not-tags"]), NotAny: commaList(values["not-tags-any"]),
	}}
	for _, name := range []string{"tags", "tags-any", "not-tags", "not-tags-any"} {
		if slices.ContainsFunc(values[name], func(text string) bool { return !clean(text) }) {
			return q, &store.BadQuery{Part: "filter", Value: name}
		}
	}
	if err := readPage(values, bound, &q); err != nil {
		return q, err
	}
	if err := readSort(values, &q); err != nil {
		return q, err
	}
	for name, given := range values {
		if slices.Contains(reserved, name) {
			continue
		}
		if len(given) != 1 || !clean(given[0]) {
			return q, &store.BadQuery{Part: "filter", Value: name}
		}
		if name == "load_balancer_id" { // openstacksdk's spelling, which Octavia takes since its own columns have it
			name = "loadbalancer_id"
		}
		q.Filters = append(q.Filters, store.Filter{Attribute: name, Values: given})
	}
	slices.SortFunc(q.Filters, func(a, b store.Filter) int { return strings.Compare(a.Attribute, b.Attribute) })
	return q, nil
}

// clean tells whether a database takes the text; PostgreSQL takes neither NUL nor what is not UTF-8.
func clean(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

var reserved = []string{
	"limit", "marker", "page_reverse", "sort", "sort_key", "sort_dir", "fields",
	"tags", "tags-any", "not-tags", "not-tags-any",
}

func commaList(values []string) []string {
	var out []string
	for _, v := range values {
		for _, item := range strings.Split(v, ",") {
			if item != "" {
				out = append(out, item)
			}
		}
	}
	return out
}

// readPage reads which page is asked for. The bound is the size of a page where none is asked for, too;
// a negative one is none.
func readPage(values url.Values, bound int, q *store.Query) error {
	q.Marker = values.Get("marker")
	if !clean(q.Marker) {
		return &store.BadQuery{Part: "marker", Value: strings.ToValidUTF8(q.Marker, "?")}
	}
	q.Reverse = values.Get("page_reverse") == "True" && q.Marker != ""
	text := values.Get("limit")
	switch n, err := strconv.Atoi(text); {
	case text == "":
		q.Limit = max(bound, 0)
	case text == "infinite", err == nil && n < 1:
		q.Limit = 0
	case err != nil:
		return lbaas.Errorf(lbaas.Invalid, "Supplied pagination limit '%s' is not valid.", text)
	default:
		q.Limit = n
		if bound > 0 {
			q.Limit = min(n, bound)
		}
	}
	return nil
}

func readSort(values url.Values, q *store.Query) error {
	keys, dirs, err := sortKeys(values)
	if err != nil {
		return err
	}
	for i, key := range keys {
		dir := "asc"
		if i < len(dirs) {
			dir = strings.ToLower(dirs[i])
		}
		if dir != "asc" && dir != "desc" {
			return lbaas.Errorf(lbaas.Invalid, "Supplied sort direction '%s' is not valid.", dir)
		}
		q.Sort = append(q.Sort, store.Order{Attribute: key, Descending: dir == "desc"})
	}
	return nil
}

// sortKeys returns what to sort by and in which directions, as "sort" says, or else "sort_key" and "sort_dir".
func sortKeys(values url.Values) (keys, dirs []string, err error) {
	items := commaList(values["sort"])
	if len(items) == 0 {
		return commaList(values["sort_key"]), commaList(values["sort_dir"]), nil
	}
	for _, item := range items {
		key, dir, given := strings.Cut(item, ":")
		switch {
		case !given:
			dir = "asc"
		case strings.Contains(dir, ":"): // Octavia shows the parts as Python does
			return nil, nil, &store.BadQuery{Part: "sort", Value: "['" + strings.ReplaceAll(item, ":", "', '") + "']"}
		}
		keys, dirs = append(keys, key), append(dirs, dir)
	}
	return keys, dirs, nil
}

// scope restricts a list to what the actor may see: all projects for those who may look at all, else the project that
// was asked for or the token's own.
func (r *request) scope(q *store.Query) error {
	if r.allowed(r.rule+"-global", "") {
		return nil
	}
	project := r.Actor.ProjectID
	if r.Query.Has("project_id") {
		project = r.Query.Get("project_id")
	}
	if project == "" {
		return errPolicy()
	}
	if err := r.allow(project); err != nil {
		return err
	}
	if !r.Query.Has("project_id") {
		q.Filters = append(q.Filters, store.Filter{Attribute: "project_id", Values: []string{project}})
	}
	return nil
}

// lister answers the list of a noun, of the projects that the actor may see.
func lister[T lbaas.Part, J any](
	a *API, plural string, rows func(context.Context, store.Query) ([]T, error), show func(T, view) J,
) handler {
	return func(ctx context.Context, r *request) (web.Reply, error) {
		q, err := readQuery(r.Query, a.MaxPage)
		if err != nil {
			return web.Reply{}, err
		}
		if err := r.scope(&q); err != nil {
			return web.Reply{}, err
		}
		return listParts(ctx, r, plural, q, warning(a, viewOf(r.Request), rows), show)
	}
}

// listParts answers a list of parts of trees that is asked for by q.
func listParts[T lbaas.Part, J any](
	ctx context.Context, r *request, plural string, q store.Query,
	rows func(context.Context, store.Query) ([]T, error), show func(T, view) J,
) (web.Reply, error) {
	return listOf(ctx, r, plural, plural+"_links", q, rows, func(p T) string { return p.Base().ID }, show)
}

// listOf answers a list of anything that is asked for by q. The marker is what a page's last row is called in the link to
// the next one; linksKey is the name of the links.
func listOf[T, J any](
	ctx context.Context, r *request, plural, linksKey string, q store.Query,
	rows func(context.Context, store.Query) ([]T, error), marker func(T) string, show func(T, view) J,
) (web.Reply, error) {
	l := &listing[T, J]{request: r, query: q, rows: rows, marker: marker, show: show, plural: plural, linksKey: linksKey}
	if err := l.start(ctx); err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusOK, Body: web.Stream(l.write)}, nil
}

func pageURL(r *request, limit int, marker string, reverse bool) string {
	values := url.Values{}
	for name, given := range r.Query {
		values[name] = given
	}
	values.Set("marker", marker)
	values.Del("limit")
	if limit > 0 {
		values.Set("limit", strconv.Itoa(limit))
	}
	values.Del("page_reverse")
	if reverse {
		values.Set("page_reverse", "True")
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return web.BaseURL(r.Request.Request) + path + "?" + values.Encode()
}
