package avitest

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The paging of lists: avi.md names the limits.
const (
	defaultPage = 25
	largestPage = 200
)

// read answers GET of one object.
func (m *model) read(c call, o *object, v version) (answer, error) {
	return jsonAnswer(http.StatusOK, m.render(o, viewOf(c, v))), nil
}

// viewOf is how a query wants objects answered.
func viewOf(c call, v version) view {
	w := view{base: c.Base, version: v, read: true, names: truth(c.Query, "include_name"), sparse: truth(c.Query, "skip_default")}
	w.selected = listed(c.Query.Get("fields"))
	w.excluded = listed(c.Query.Get("exclude"))
	return w
}

// truth reads a flag of a query: "true", "True" and "1"; the name alone counts too.
func truth(q url.Values, name string) bool {
	if !q.Has(name) {
		return false
	}
	switch strings.ToLower(q.Get(name)) {
	case "", "true", "1":
		return true
	}
	return false
}

func listed(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// search answers GET of a kind: the objects that the tenant sees and the query selects.
func (m *model) search(c call, v version, s scope) (answer, error) {
	if err := m.checkQuery(c); err != nil {
		return answer{}, err
	}
	w := viewOf(c, v)
	w.selected, w.excluded = nil, nil // sort and filters may need the others
	var rows []map[string]any
	for _, o := range m.sorted(c.Kind) {
		if (s.all || m.sees(s.uuid, o)) && m.related(o, c.Query) {
			rows = append(rows, m.render(o, w))
		}
	}
	return m.paged(c, rows)
}

// checkQuery refuses options that are none, unless the model is lenient: a misspelt filter would select everything, or nothing.
func (m *model) checkQuery(c call) error {
	if m.opts.Lenient {
		return nil
	}
	kind := m.schema.kinds[c.Kind]
	for _, name := range sortedKeys(c.Query) {
		if !notFilters(name) && !isFilter(kind, name) {
			return &refusal{http.StatusBadRequest, fmt.Sprintf("Unknown query parameter %q", name)}
		}
	}
	if by := strings.TrimPrefix(c.Query.Get("sort"), "-"); by != "" && !kind.loose && kind.fields[by] == nil {
		return &refusal{http.StatusBadRequest, fmt.Sprintf("Cannot sort by %q", by)}
	}
	return nil
}

// isFilter tells whether a query's option selects by a field of a kind.
func isFilter(kind *message, name string) bool {
	if name == "search" || name == "isearch" || name == "cloud_uuid" {
		return true
	}
	field, op, _ := strings.Cut(name, ".")
	if kind.fields[field] == nil && !kind.loose {
		return false
	}
	ops := []string{"", "contains", "icontains", "in"}
	if strings.HasSuffix(field, "_ref") {
		ops = []string{"", "name", "uuid"}
	}
	return slices.Contains(ops, op)
}

// related applies refers_to and referred_by, "<type>:<uuid>".
func (m *model) related(o *object, q url.Values) bool {
	if to := q.Get("refers_to"); to != "" {
		kind, uuid, _ := strings.Cut(to, ":")
		if !m.referrers[path(kind, uuid)][path(o.kind, o.uuid)] {
			return false
		}
	}
	if by := q.Get("referred_by"); by != "" {
		kind, uuid, _ := strings.Cut(by, ":")
		if !m.referrers[path(o.kind, o.uuid)][path(kind, uuid)] {
			return false
		}
	}
	return true
}

// page answers a list call with those of the rows that its query selects (filters, sort, page, page_size), in the list envelope. The
// rows' references must begin with c.Base; inventories use it too.
func (m *model) page(c call, rows []map[string]any) answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, err := m.paged(c, rows)
	if err != nil {
		return refused(err)
	}
	return a
}

func (m *model) paged(c call, rows []map[string]any) (answer, error) {
	rows = slices.DeleteFunc(rows, func(row map[string]any) bool { return !m.matches(row, c.Query) })
	sortRows(rows, c.Query.Get("sort"))
	if limit, err := strconv.Atoi(c.Query.Get("limit_by")); err == nil && limit >= 0 && limit < len(rows) {
		rows = rows[:limit]
	}
	number, size, err := paging(c.Query)
	if err != nil {
		return answer{}, err
	}
	if number > max(1, (len(rows)+size-1)/size) {
		return detail(http.StatusNotFound, "Invalid page."), nil
	}
	first, last := (number-1)*size, min(number*size, len(rows))
	w := viewOf(c, m.version)
	results := []map[string]any{}
	for _, row := range rows[first:last] {
		results = append(results, w.choose(row))
	}
	envelope := map[string]any{"count": len(rows), "results": results}
	if last < len(rows) {
		envelope["next"] = nextPage(c, number+1, size)
	}
	return jsonAnswer(http.StatusOK, envelope), nil
}

func paging(q url.Values) (number, size int, err error) {
	number, size = 1, defaultPage
	if s := q.Get("page"); s != "" {
		if number, err = strconv.Atoi(s); err != nil || number < 1 {
			return 0, 0, &refusal{http.StatusBadRequest, "Invalid page."}
		}
	}
	if s := q.Get("page_size"); s != "" {
		if size, err = strconv.Atoi(s); err != nil || size < 1 || size > largestPage {
			return 0, 0, &refusal{http.StatusBadRequest, fmt.Sprintf("page_size must be between 1 and %d", largestPage)}
		}
	}
	return number, size, nil
}

// nextPage is where the next page is.
func nextPage(c call, number, size int) string {
	q := url.Values{}
	for name, values := range c.Query {
		q[name] = values
	}
	q.Set("page", strconv.Itoa(number))
	q.Set("page_size", strconv.Itoa(size))
	return c.Base + "/api/" + c.Kind + "?" + q.Encode()
}

// matches applies a query's filters to a row.
func (m *model) matches(row map[string]any, q url.Values) bool {
	for name, values := range q {
		if len(values) > 0 && !m.match(row, name, values[0]) {
			return false
		}
	}
	return true
}

func (m *model) match(row map[string]any, name, want string) bool {
	field, op, _ := strings.Cut(name, ".")
	switch {
	case name == "search" || name == "isearch":
		return strings.Contains(strings.ToLower(fmt.Sprint(lookup(row, "name"))), strings.ToLower(want))
	case name == "cloud_uuid":
		return m.matchRef(row, "cloud_ref", "uuid", want)
	case strings.HasSuffix(field, "_ref"):
		return m.matchRef(row, field, op, want)
	case notFilters(name):
		return true
	}
	value := lookup(row, field)
	if value == nil {
		return false
	}
	have := fmt.Sprint(value)
	switch op {
	case "":
		return have == want || isBool(value) && strings.EqualFold(have, want)
	case "contains":
		return strings.Contains(have, want)
	case "icontains":
		return strings.Contains(strings.ToLower(have), strings.ToLower(want))
	case "in":
		return slices.Contains(strings.Split(want, ","), have)
	}
	return false
}

func isBool(v any) bool {
	_, ok := v.(bool)
	return ok
}

// notFilters tells the options that say how to answer, and those of relations, which are settled before.
func notFilters(name string) bool {
	switch name {
	case "fields", "exclude", "sort", "limit_by", "page_size", "page", "include_name", "skip_default", "join_subresources", "refers_to", "referred_by":
		return true
	}
	return false
}

// lookup finds a field of a row; an inventory's row has it in its config.
func lookup(row map[string]any, field string) any {
	if v, ok := row[field]; ok {
		return v
	}
	config, _ := row["config"].(map[string]any)
	return config[field]
}

// matchRef compares a reference by itself, by name or by uuid.
func (m *model) matchRef(row map[string]any, field, op, want string) bool {
	have, _ := lookup(row, field).(string)
	t, ok := parseTarget(have, "")
	if !ok {
		return false
	}
	switch op {
	case "name":
		return m.name(path(t.kind, t.uuid)) == want
	case "uuid":
		return t.uuid == want
	}
	w, ok := parseTarget(want, t.kind)
	if w.name != "" {
		return ok && w.kind == t.kind && m.name(path(t.kind, t.uuid)) == w.name
	}
	return ok && w.kind == t.kind && w.uuid == t.uuid
}

// sortRows sorts by a field; "-name" is descending.
func sortRows(rows []map[string]any, by string) {
	if by == "" {
		return
	}
	name, down := strings.CutPrefix(by, "-")
	slices.SortStableFunc(rows, func(a, b map[string]any) int {
		order := compared(lookup(a, name), lookup(b, name))
		if down {
			return -order
		}
		return order
	})
}

// compared orders numbers by value, all else by its text.
func compared(a, b any) int {
	x, number := a.(int64)
	y, also := b.(int64)
	if number && also {
		return cmp.Compare(x, y)
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}
