package neutron

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
)

// view is an object as answers show it.
type view map[string]any

// only returns the attributes that the request asked for, or all.
func (v view) only(fields []string) view {
	fields = slices.DeleteFunc(slices.Clone(fields), func(f string) bool { return f == "" })
	if len(fields) == 0 {
		return v
	}
	narrowed := view{}
	for _, f := range fields {
		if value, ok := v[f]; ok {
			narrowed[f] = value
		}
	}
	return narrowed
}

// viewsOf shows objects one by one.
func viewsOf[T any](list []T, show func(T) view) []view {
	views := make([]view, 0, len(list))
	for _, object := range list {
		views = append(views, show(object))
	}
	return views
}

// list is what a request for many asks.
type list struct {
	query  store.Query
	fields []string
}

// narrow leaves of each item what was asked for.
func (l *list) narrow(items []view) []view {
	narrowed := make([]view, 0, len(items))
	for _, v := range items {
		narrowed = append(narrowed, v.only(l.fields))
	}
	return narrowed
}

func (r *resource) parseList(req *web.Request) (*list, error) {
	l := &list{fields: req.Query["fields"]}
	for _, name := range sortedKeys(req.Query) {
		if slices.ContainsFunc(req.Query[name], func(v string) bool { return !clean(v) }) {
			return nil, badRequest("The value of '%s' is not a valid string", shownPath(name))
		}
		if err := r.filter(l, name, req.Query[name], req.Actor.Admin()); err != nil {
			return nil, err
		}
	}
	if err := l.page(req.Query); err != nil {
		return nil, err
	}
	return l, l.sort(req.Query)
}

// clean tells whether a database may be asked for a text: it is UTF-8 and holds no zero byte.
func clean(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

func sortedKeys(q url.Values) []string {
	var keys []string
	for k := range q {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (l *list) page(q url.Values) error {
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return network.BadRequest("limit", "Limit must be an integer 0 or greater and not '%s'", text)
		}
		l.query.Limit = n
	}
	if l.query.Limit > 0 {
		l.query.Marker = q.Get("marker")
		l.query.Reverse = strings.EqualFold(q.Get("page_reverse"), "true")
	}
	return nil
}

func (l *list) sort(q url.Values) error {
	keys, dirs := q["sort_key"], q["sort_dir"]
	if len(keys) != len(dirs) {
		return badRequest("The number of sort_keys and sort_dirs must be same")
	}
	for i, key := range keys {
		if dirs[i] != "asc" && dirs[i] != "desc" {
			return badRequest("['%s'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'", dirs[i])
		}
		l.query.Sort = append(l.query.Sort, store.Order{Attribute: key, Descending: dirs[i] == "desc"})
	}
	return nil
}

// filter takes in one parameter of the query string. What is no attribute is refused, so that a misspelt filter does not list all.
func (r *resource) filter(l *list, name string, values []string, admin bool) error {
	switch name {
	case "fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse", "verbose": // the last is the neutron shell's -D
		return nil
	case network.FixedIPs:
		if len(values) > maxFixedIPs {
			return badRequest("['%s'] has more than %d values", name, maxFixedIPs)
		}
	case "tags":
		l.query.Tags.All = splitTags(values)
		return nil
	case "tags-any":
		l.query.Tags.Any = splitTags(values)
		return nil
	case "not-tags":
		l.query.Tags.NotAll = splitTags(values)
		return nil
	case "not-tags-any":
		l.query.Tags.NotAny = splitTags(values)
		return nil
	}
	_, known := r.spec[name]
	if !known && !slices.Contains(r.filters, name) || !admin && strings.HasPrefix(name, "binding:") {
		return badRequest("['%s'] is invalid attribute for filtering", name)
	}
	if err := checkFilter(name, values); err != nil {
		return err
	}
	l.query.Filters = append(l.query.Filters, store.Filter{Attribute: name, Values: values})
	return nil
}

// checkFilter refuses what is no boolean where only those are: taken for false it would list what nobody asked for.
func checkFilter(name string, values []string) error {
	switch name {
	case "admin_state_up", "shared", "router:external", "port_security_enabled", "enable_dhcp", "enabled", "stateful", "distributed", "ha", "default", "alive":
	default:
		return nil
	}
	for _, v := range values {
		if _, err := network.ParseBoolean(v); err != nil {
			return err
		}
	}
	return nil
}

// maxFixedIPs bounds the addresses in one question: each is a comparison that no index helps.
const maxFixedIPs = 200

func splitTags(values []string) []string {
	var tags []string
	for _, v := range values {
		tags = append(tags, strings.Split(v, ",")...)
	}
	return tags
}

// links are those to the next and the previous page, as Neutron gives them.
func (l *list) links(req *web.Request, items []view) []map[string]string {
	limit := l.query.Limit
	if limit == 0 {
		return nil
	}
	links := []map[string]string{}
	if len(items) >= limit || l.query.Reverse {
		links = append(links, map[string]string{"rel": "next", "href": pageLink(req, items, len(items)-1, false)})
	}
	if len(items) >= limit || !l.query.Reverse {
		links = append(links, map[string]string{"rel": "previous", "href": pageLink(req, items, 0, true)})
	}
	return links
}

func pageLink(req *web.Request, items []view, at int, reverse bool) string {
	q := url.Values{}
	for k, v := range req.Query {
		q[k] = v
	}
	q.Del("marker")
	q.Del("page_reverse")
	if len(items) > 0 {
		q.Set("marker", items[at]["id"].(string))
	}
	if reverse {
		q.Set("page_reverse", "True")
	}
	return here(req) + "?" + q.Encode()
}

// here is the address that the client asked, without its query.
func here(req *web.Request) string {
	path, _, _ := strings.Cut(req.RequestURI, "?")
	return web.BaseURL(req.Request) + path
}

// moment is a time as Neutron writes it.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// listed is a list that is never null in an answer.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// orNull is a text, or null where there is none.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// orZero is a number, or null where it is zero.
func orZero(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

// shownPath is a part of a path, or of a query, as messages repeat it.
func shownPath(text string) string { return strings.ToValidUTF8(text, "?") }
