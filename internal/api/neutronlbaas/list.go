package neutronlbaas

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
)

// readQuery reads what a list is asked for. Attributes are filters, of which each may have several values; what is no attribute is
// refused, so that a misspelt filter does not list all.
func (s *schema) readQuery(r *web.Request) (store.Query, error) {
	var q store.Query
	for _, name := range sortedKeys(r.Query) {
		if slices.ContainsFunc(r.Query[name], func(v string) bool { return !clean(v) }) {
			return q, badRequest("The value of '%s' is not a valid string", strings.ToValidUTF8(name, "?"))
		}
		switch name {
		case "fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse", "verbose": // the last is the neutron shell's -D
			continue
		}
		filter, err := s.readFilter(name, r.Query[name])
		if err != nil {
			return q, err
		}
		q.Filters = append(q.Filters, filter)
	}
	if err := readPage(r.Query, &q); err != nil {
		return q, err
	}
	return q, s.readSort(r.Query, &q)
}

// readFilter reads the values that an attribute is asked for.
func (s *schema) readFilter(name string, values []string) (store.Filter, error) {
	a := s.attributes[s.own(name)]
	if a.filter == "" {
		return store.Filter{}, badRequest("['%s'] is invalid attribute for filtering", name)
	}
	f := store.Filter{Attribute: a.filter, Values: values}
	if a.asked == nil {
		return f, nil
	}
	for _, value := range values {
		raw, err := json.Marshal(value)
		if err != nil {
			return f, err
		}
		if _, err := a.asked(name, raw); err != nil {
			return f, err
		}
	}
	return f, nil
}

// own is the name of an attribute that may have been called by an alias.
func (s *schema) own(name string) string {
	if own, ok := s.aliases[name]; ok {
		return own
	}
	return name
}

func readPage(values url.Values, q *store.Query) error {
	text := values.Get("limit")
	if text == "" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return network.BadRequest("limit", "Limit must be an integer 0 or greater and not '%s'", text)
	}
	if q.Limit = n; n > 0 {
		q.Marker = values.Get("marker")
		q.Reverse = strings.EqualFold(values.Get("page_reverse"), "true")
	}
	return nil
}

func (s *schema) readSort(values url.Values, q *store.Query) error {
	keys, dirs := values["sort_key"], values["sort_dir"]
	if len(keys) != len(dirs) {
		return badRequest("The number of sort_keys and sort_dirs must be same")
	}
	for i, key := range keys {
		if dirs[i] != "asc" && dirs[i] != "desc" {
			return badRequest("['%s'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'", dirs[i])
		}
		filter := s.attributes[s.own(key)].filter
		if filter == "" {
			return badRequest("['%s'] is invalid attribute for sort_keys", key)
		}
		q.Sort = append(q.Sort, store.Order{Attribute: filter, Descending: dirs[i] == "desc"})
	}
	return nil
}

// queryFault turns what the store says of a list's question into Neutron's words.
func (r *resource[T]) queryFault(err error, q store.Query) error {
	var bad *store.BadQuery
	if !errors.As(err, &bad) {
		return err
	}
	switch bad.Part {
	case "sort":
		return badRequest("['%s'] is invalid attribute for sort_keys", bad.Value)
	case "marker":
		return entityNotFound(r.rule, q.Marker)
	}
	return badRequest("['%s'] is invalid attribute for filtering", bad.Value)
}

// links are those to the next and the previous page, as Neutron gives them; nil where no page was asked for.
func links(r *web.Request, limit int, ids []string, reverse bool) []view {
	if limit == 0 {
		return nil
	}
	out := []view{}
	full := len(ids) >= limit
	if len(ids) > 0 && (full || reverse) {
		out = append(out, view{"rel": "next", "href": pageLink(r, ids[len(ids)-1], false)})
	}
	if len(ids) > 0 && (full || !reverse) {
		out = append(out, view{"rel": "previous", "href": pageLink(r, ids[0], true)})
	}
	return out
}

func pageLink(r *web.Request, marker string, reverse bool) string {
	q := url.Values{}
	for name, values := range r.Query {
		q[name] = values
	}
	q.Set("marker", marker)
	q.Del("page_reverse")
	if reverse {
		q.Set("page_reverse", "True")
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return web.BaseURL(r.Request) + path + "?" + q.Encode()
}
