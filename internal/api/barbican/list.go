package barbican

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"plimsoll/internal/keymanager"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// The pages that Barbican has.
const (
	pageDefault = 10
	pageMax     = 100
)

// page reads limit and offset. What makes no sense counts as absent or is brought within bounds, as in Barbican.
func page(q url.Values) (limit, offset int) {
	limit, offset = pageDefault, 0
	if n, err := strconv.Atoi(q.Get("limit")); err == nil {
		limit = min(max(n, 1), pageMax)
	}
	if n, err := strconv.Atoi(q.Get("offset")); err == nil {
		offset = min(max(n, 0), 1<<30)
	}
	return limit, offset
}

// listing is what a request for many asks, of the project's objects.
func (r *request) listing() keymanager.Listing {
	l := keymanager.Listing{ProjectID: r.Actor.ProjectID, UserID: r.Actor.UserID, All: r.Actor.Admin()}
	l.Limit, l.Offset = page(r.Query)
	return l
}

// secretListing is what a request for secrets asks.
func (r *request) secretListing() (keymanager.Listing, error) {
	l := r.listing()
	q := r.Query
	l.Name, l.Algorithm, l.Mode = q.Get("name"), q.Get("alg"), q.Get("mode")
	l.Type = keymanager.SecretType(q.Get("secret_type"))
	if bits, err := strconv.Atoi(q.Get("bits")); err == nil && bits > 0 && bits <= maxBits {
		l.BitLength = bits // one that makes no sense counts as absent, as in Barbican
	}
	switch strings.ToLower(q.Get("acl_only")) {
	case "true", "1", "yes", "t", "on":
		l.ACLOnly = true
	}
	if l.Type != "" && !slices.Contains(keymanager.SecretTypes(), l.Type) {
		return l, badFilter("secret_type")
	}
	for name, into := range map[string]*[]keymanager.Bound{"created": &l.Created, "updated": &l.Updated, "expiration": &l.Expiration} {
		bounds, ok := readBounds(q.Get(name))
		if !ok {
			return l, badFilter(name)
		}
		*into = bounds
	}
	var err error
	l.Sort, err = readSort(q.Get("sort"))
	return l, firstOf(err, cleanTexts(l.Name, l.Algorithm, l.Mode))
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// cleanTexts refuses what a database may fail on.
func cleanTexts(texts ...string) error {
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return lbaas.Errorf(lbaas.Invalid, "A filter is not a valid text.")
		}
	}
	return nil
}

func badFilter(name string) error {
	return lbaas.Errorf(lbaas.Invalid, "Unable to filter using the specified value of '%s'.", name)
}

// readBounds reads times between commas, each with a comparison before it: "gt:2026-01-01,lte:2026-02-01T00:00:00".
func readBounds(text string) (bounds []keymanager.Bound, ok bool) {
	if text == "" {
		return nil, true
	}
	for item := range strings.SplitSeq(text, ",") {
		b := keymanager.Bound{Comparison: keymanager.Equal}
		for _, c := range []keymanager.Comparison{keymanager.Greater, keymanager.GreaterOrEqual, keymanager.Less, keymanager.LessOrEqual} {
			if rest, found := strings.CutPrefix(item, string(c)+":"); found {
				b.Comparison, item = c, rest
				break
			}
		}
		if b.Time, ok = parseTime(strings.TrimSpace(item)); !ok || len(bounds) == 10 {
			return nil, false
		}
		bounds = append(bounds, b)
	}
	return bounds, true
}

// sortKeys are those that Barbican knows.
var sortKeys = []string{"created", "expiration", "mode", "name", "secret_type", "status", "updated"}

// readSort reads keys between commas, each with its direction behind it: "name,created:desc".
func readSort(text string) ([]keymanager.Order, error) {
	var order []keymanager.Order
	if text == "" {
		return nil, nil
	}
	for item := range strings.SplitSeq(text, ",") {
		key, direction, _ := strings.Cut(item, ":")
		known := slices.Contains(sortKeys, key) && !slices.ContainsFunc(order, func(o keymanager.Order) bool { return o.Key == key })
		if !known || direction != "" && direction != "asc" && direction != "desc" {
			return nil, lbaas.Errorf(lbaas.Invalid, "Sort key supplied was not valid.")
		}
		order = append(order, keymanager.Order{Key: key, Descending: direction == "desc"})
	}
	return order, nil
}

// pageOf is a page of a list, with the links to those beside it. Unlike Barbican's, they keep the filters.
func pageOf[T any](r *request, noun string, items []T, total int, path ...string) web.Reply {
	limit, offset := page(r.Query)
	body := map[string]any{noun: append([]T{}, items...), "total": total}
	link := func(offset int) string {
		q := url.Values{}
		for key, values := range r.Query {
			q[key] = values
		}
		q.Set("limit", strconv.Itoa(limit))
		q.Set("offset", strconv.Itoa(offset))
		return r.ref(path...) + "?" + q.Encode()
	}
	if offset > 0 {
		body["previous"] = link(max(0, offset-limit))
	}
	if total > offset+limit {
		body["next"] = link(offset + limit)
	}
	return web.Reply{Status: http.StatusOK, Body: body}
}
