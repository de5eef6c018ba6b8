package octavia

import (
	"encoding/json"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// A form reads the attributes of one object of a request into a domain struct, which holds the defaults or what was
// there before: an absent attribute leaves it, null clears it or brings the default back. Scalars are coerced as the
// API does ("99" is a number, "yes" is true). The form remembers which attributes exist, so that done can name those
// that do not, and its first error.
type form struct {
	name   string // of the argument, in faults: "listener_.listener"
	create bool   // a POST: attributes that only a POST takes are known
	nested bool   // the object stands within another one, whose project it has
	// deployment has the defaults that an operator may set; nil stands for Octavia's.
	deployment *lbaas.Deployment

	given web.Object
	known map[string]bool
	err   error
	doc   *schema // notes what is read, where a document is made of it; else nil
}

func newForm(name string, given web.Object, create bool) *form {
	return &form{name: name, create: create, given: given, known: map[string]bool{}}
}

// listenerTLS are the TLS lists of a listener that says nothing of them.
func (f *form) listenerTLS() lbaas.TLSDefaults {
	if f.deployment == nil {
		return lbaas.DefaultTLS()
	}
	return f.deployment.ListenerTLS
}

// poolTLS are the TLS lists of a pool that says nothing of them.
func (f *form) poolTLS() lbaas.TLSDefaults {
	if f.deployment == nil {
		return lbaas.DefaultTLS()
	}
	return f.deployment.PoolTLS
}

// has tells whether the attribute is there, be it null.
func (f *form) has(attribute string) bool {
	_, ok := f.given[attribute]
	return ok
}

// value returns the attribute's JSON, and whether it was given at all. Null is an empty value.
func (f *form) value(attribute string) (raw json.RawMessage, given bool) {
	f.known[attribute] = true
	raw, given = f.given[attribute]
	if string(raw) == "null" {
		raw = nil
	}
	return raw, given
}

// refuse notes the error of an attribute, unless there was one before.
func (f *form) refuse(attribute string, raw json.RawMessage, why string) {
	f.fail(lbaas.InvalidField(attribute, plainText(raw), why))
}

func (f *form) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// plainText is how a fault shows a value: text without its quotation marks, null as None.
func plainText(raw json.RawMessage) string {
	var text string
	switch {
	case raw == nil, string(raw) == "null":
		return "None"
	case json.Unmarshal(raw, &text) == nil:
		return text
	}
	return string(raw)
}

// require notes an error unless the attributes are there and not null.
func (f *form) require(attributes ...string) {
	if f.doc != nil {
		f.doc.require(attributes...)
		return
	}
	for _, attribute := range attributes {
		if raw, _ := f.value(attribute); raw == nil {
			f.fail(lbaas.Required(attribute))
		}
	}
}

// notNull notes an error when one of the attributes is null.
func (f *form) notNull(attributes ...string) {
	for _, attribute := range attributes {
		if raw, given := f.value(attribute); given && raw == nil {
			f.fail(lbaas.InvalidOption("None", attribute))
		}
	}
}

// done returns the first error; attributes that do not exist come before all others.
func (f *form) done() error {
	var unknown []string
	for attribute := range f.given {
		if !f.known[attribute] {
			unknown = append(unknown, attribute)
		}
	}
	if len(unknown) > 0 {
		return unknownAttributes(f.name, unknown)
	}
	return f.err
}

func unknownAttributes(argument string, unknown []string) error {
	slices.Sort(unknown)
	word := "attribute"
	if len(unknown) > 1 {
		word = "attributes"
	}
	return lbaas.Errorf(lbaas.Invalid, "Unknown %s for argument %s: %s", word, argument, strings.Join(unknown, ", "))
}

// text reads a string; null is "".
func (f *form) text(attribute string, into *string) {
	f.note(attribute, schema{Type: "string"})
	raw, given := f.value(attribute)
	if !given {
		return
	}
	if raw == nil {
		*into = ""
		return
	}
	if s, why := parseText(raw); why != "" {
		f.refuse(attribute, raw, why)
	} else {
		*into = s
	}
}

// filled reads a string that may be null, which is "", but not empty.
func (f *form) filled(attribute string, into *string) {
	if raw, _ := f.value(attribute); string(raw) == `""` {
		f.refuse(attribute, raw, "Value should have a minimum character requirement of 1")
	}
	f.text(attribute, into)
}

// judged reads a string that may be null, which is "", and else what the judge takes: an empty one is not null.
func (f *form) judged(attribute string, into *string, judge func(string) error) {
	f.text(attribute, into)
	if raw, _ := f.value(attribute); raw != nil && f.err == nil {
		f.check(judge(*into))
	}
}

// parseText reads a string. Databases differ on what they make of a NUL, so none is taken.
func parseText(raw json.RawMessage) (text, why string) {
	if json.Unmarshal(raw, &text) != nil {
		return "", "Value should be string"
	}
	if strings.ContainsRune(text, 0) {
		return "", "Value should not contain a NUL character"
	}
	return text, ""
}

// word reads a string of a type of its own, such as a protocol; null is "".
func word[T ~string](f *form, attribute string, into *T) {
	s := string(*into)
	f.text(attribute, &s)
	f.note(attribute, schema{Type: "string", Enum: choices(f.name, attribute)})
	*into = T(s)
}

// integer reads a number; null is the fallback.
func (f *form) integer(attribute string, into *int, null int) {
	f.note(attribute, schema{Type: "integer"})
	raw, given := f.value(attribute)
	switch n, ok := parseInteger(raw); {
	case !given:
	case raw == nil:
		*into = null
	case !ok:
		f.refuse(attribute, raw, "Value should be integer")
	default:
		*into = n
	}
}

// number reads a number that may be null.
func (f *form) number(attribute string, into **int, null *int) {
	f.note(attribute, schema{Type: "integer"})
	raw, given := f.value(attribute)
	switch n, ok := parseInteger(raw); {
	case !given:
	case raw == nil:
		*into = null
	case !ok:
		f.refuse(attribute, raw, "Value should be integer")
	default:
		*into = &n
	}
}

// parseInteger reads a number, or a text that has one. The numbers 80.0 and 8e1 are whole.
func parseInteger(raw json.RawMessage) (int, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(plainText(raw)), 10, 64)
	if err == nil {
		return int(n), true
	}
	f, err := strconv.ParseFloat(string(raw), 64) // no text: that has quotation marks
	return int(f), err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53
}

// port reads a port that may be null, which is 0; 0 itself is not a port.
func (f *form) port(attribute string, into *int) {
	raw, _ := f.value(attribute)
	f.integer(attribute, into, 0)
	if n, ok := parseInteger(raw); ok {
		if err := lbaas.Between(attribute, n, 1, lbaas.MaxPort); err != nil {
			f.fail(err)
		}
	}
}

// flag reads a boolean; null is false.
func (f *form) flag(attribute string, into *bool) {
	f.note(attribute, schema{Type: "boolean"})
	raw, given := f.value(attribute)
	switch b, ok := parseBoolean(raw); {
	case !given:
	case raw == nil:
		*into = false
	case !ok:
		f.refuse(attribute, raw, "Value should be boolean")
	default:
		*into = b
	}
}

// parseBoolean reads a boolean, or a text that says one, or a number, of which only 0 is false.
func parseBoolean(raw json.RawMessage) (value, ok bool) {
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n != 0, true
	}
	return parseFlag(plainText(raw))
}

func parseFlag(text string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "t", "yes", "y", "on", "1":
		return true, true
	case "false", "f", "no", "n", "off", "0":
		return false, true
	}
	return false, false
}

// loose reads a boolean of a query string, where all that is not true-like is false.
func loose(text string) bool {
	value, _ := parseFlag(text)
	return value
}

// id reads a UUID in any of its spellings; null is "".
func (f *form) id(attribute string, into *string) {
	f.note(attribute, schema{Type: "string", Format: "uuid"})
	raw, given := f.value(attribute)
	if !given {
		return
	}
	if raw == nil {
		*into = ""
		return
	}
	s, why := parseText(raw)
	id, err := uuid.Parse(s)
	if why != "" || err != nil {
		f.refuse(attribute, raw, "Value should be UUID format")
		return
	}
	*into = id.String()
}

// address reads an IP address; null is the zero Addr.
func (f *form) address(attribute string, into *netip.Addr) {
	f.note(attribute, schema{Type: "string", Description: "An IPv4 or IPv6 address."})
	raw, given := f.value(attribute)
	if !given {
		return
	}
	if raw == nil {
		*into = netip.Addr{}
		return
	}
	a, err := netip.ParseAddr(plainText(raw))
	if err != nil || a.Zone() != "" {
		f.refuse(attribute, raw, "Value should be IPv4 or IPv6 format")
		return
	}
	*into = a
}

// texts reads a list of strings; null is the fallback. What is read is never nil.
func (f *form) texts(attribute string, into *[]string, null []string) {
	f.note(attribute, listSchema(schema{Type: "string"}))
	raw, given := f.value(attribute)
	if !given {
		return
	}
	if raw == nil {
		*into = null
		return
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		f.refuse(attribute, raw, "Value should be list")
		return
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		s, why := parseText(item)
		if why == "" && string(item) == "null" {
			why = "Value should be string"
		}
		if why != "" {
			f.refuse(attribute, item, why)
			return
		}
		list = append(list, s)
	}
	*into = list
}

// ids reads a list of UUIDs in any of their spellings, each once; null and an empty list clear it.
func (f *form) ids(attribute string, into *[]string) {
	var texts []string
	f.texts(attribute, &texts, nil)
	f.note(attribute, listSchema(schema{Type: "string", Format: "uuid"}))
	if !f.has(attribute) {
		return
	}
	*into = nil
	for _, text := range texts {
		id, err := uuid.Parse(text)
		if err != nil {
			f.fail(lbaas.InvalidField(attribute, text, "Value should be UUID format"))
			return
		}
		if !slices.Contains(*into, id.String()) {
			*into = append(*into, id.String())
		}
	}
}

// tags reads the tags; null leaves them, an empty list clears them.
func (f *form) tags(into *[]string) { f.texts("tags", into, *into) }

// cidrs reads a list of CIDRs and drops their host bits; null and an empty list clear it.
func (f *form) cidrs(attribute string, into *[]string) {
	var list []string
	f.texts(attribute, &list, nil)
	f.note(attribute, listSchema(schema{Type: "string", Description: "A CIDR; host bits are dropped."}))
	if !f.has(attribute) {
		return
	}
	*into = nil
	for _, text := range list {
		p, ok := lbaas.ParseCIDR(text)
		if !ok {
			f.fail(lbaas.InvalidField(attribute, text, "Value should be IPv4 or IPv6 CIDR format"))
			return
		}
		*into = append(*into, p.String())
	}
}

// table reads an object of strings; null is empty.
func (f *form) table(attribute string, into *map[string]string) {
	f.note(attribute, schema{Type: "object", AdditionalProperties: &schema{Type: "string"}})
	raw, given := f.value(attribute)
	if !given {
		return
	}
	*into = nil
	if raw == nil {
		return
	}
	items, err := web.ParseObject(raw)
	if err != nil || items == nil {
		f.refuse(attribute, raw, "Value should be object")
		return
	}
	table := make(map[string]string, len(items))
	for key, item := range items {
		s, why := parseText(item)
		if why != "" || string(item) == "null" || strings.ContainsRune(key, 0) {
			f.refuse(attribute, item, "Value should be string")
			return
		}
		table[key] = s
	}
	*into = table
}

// object opens a form on a nested object; ok is false where it is absent or null.
func (f *form) object(attribute string) (nested *form, ok bool) {
	raw, _ := f.value(attribute)
	if f.doc != nil {
		return f.described(attribute, false), true
	}
	if raw == nil {
		return nil, false
	}
	o, err := web.ParseObject(raw)
	if err != nil {
		f.refuse(attribute, raw, "Value should be object")
		return nil, false
	}
	return f.within(attribute, o), true
}

// objects opens a form on each object of a nested list.
func (f *form) objects(attribute string) []*form {
	raw, _ := f.value(attribute)
	if f.doc != nil {
		return []*form{f.described(attribute, true)}
	}
	if raw == nil {
		return nil
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		f.refuse(attribute, raw, "Value should be list")
		return nil
	}
	forms := make([]*form, 0, len(items))
	for _, item := range items {
		o, err := web.ParseObject(item)
		if err != nil || o == nil {
			f.refuse(attribute, item, "Value should be object")
			return nil
		}
		forms = append(forms, f.within(attribute, o))
	}
	return forms
}

func (f *form) within(attribute string, o web.Object) *form {
	nested := newForm(f.name+"."+attribute, o, f.create)
	nested.nested, nested.deployment = true, f.deployment
	return nested
}

// common reads what nearly all nouns have; description where it has one.
func (f *form) common(o *lbaas.Object, description bool) {
	f.text("name", &o.Name)
	if description {
		f.text("description", &o.Description)
	}
	f.flag("admin_state_up", &o.AdminStateUp)
	f.tags(&o.Tags)
	f.ownProject()
}

// ownProject reads whose a new object is said to be, which does not matter: children always are their load balancer's project's.
func (f *form) ownProject() {
	if f.create && !f.nested {
		f.anyProject()
	}
}

func (f *form) anyProject() {
	var ignored string
	f.text("project_id", &ignored)
	f.text("tenant_id", &ignored)
	f.check(lbaas.Within("project_id", ignored, maxProject))
}

func (f *form) check(err error) {
	if err != nil {
		f.fail(err)
	}
}
