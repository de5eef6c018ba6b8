package avitest

import (
	"embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed schema/*.txt
var schemaFiles embed.FS

// A schema is what the controller knows of its kinds of objects. schema/README.md tells how it is written.
type schema struct {
	kinds    map[string]*message // by path
	messages map[string]*message
}

// A message is a kind of object, or what is nested in one.
type message struct {
	name      string // "Pool"
	path      string // of a kind: "pool"
	since     introduced
	shared    bool // those of tenant admin are seen, and referred to, from all tenants
	loose     bool // further fields are taken as they come
	singleton bool
	fields    map[string]*field
	order     []string
}

// The types of fields.
const (
	stringType = iota
	boolType
	intType
	enumType
	refType
	messageType
	anyType
)

// A field is one field of a message.
type field struct {
	name     string
	kind     int
	list     bool
	of       string                // the referenced kind, or the message
	values   map[string]introduced // of an enum
	fallback any                   // string, bool or int64; nil: none is filled in
	since    introduced
	filled   introduced // the controllers that fill the default in
	until    *version

	bounded    bool
	least, top int64
	also       []int64
	items      [2]int // allowed entries; both 0: any number
	keys       []string

	required, fixed, readOnly, ignored, secret bool
}

// introduced lists the versions that brought something, one for each branch that got it.
type introduced []version

// known tells whether version v knows it: its own branch got it before, or an older branch's successor has it.
func (in introduced) known(v version) bool {
	if len(in) == 0 {
		return true
	}
	for _, i := range in {
		if i[0] == v[0] && i[1] == v[1] {
			return !v.before(i)
		}
	}
	return !v.before(in[len(in)-1])
}

// latest is the version that errors name.
func (in introduced) latest() version { return in[len(in)-1] }

// loadSchema reads the embedded files.
func loadSchema() (*schema, error) {
	s := &schema{kinds: map[string]*message{}, messages: map[string]*message{}}
	files, err := schemaFiles.ReadDir("schema")
	if err != nil {
		return nil, fmt.Errorf("list schemas: %w", err)
	}
	for _, f := range files {
		text, err := schemaFiles.ReadFile("schema/" + f.Name())
		if err != nil {
			return nil, fmt.Errorf("read schema: %w", err)
		}
		if err := s.read(string(text)); err != nil {
			return nil, fmt.Errorf("read schema %s: %w", f.Name(), err)
		}
	}
	return s, s.complete()
}

// read adds the kinds and messages of one file.
func (s *schema) read(text string) error {
	var m *message
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if words[0] == "kind" || words[0] == "message" {
			m = s.begin(words)
			continue
		}
		f, err := readField(words)
		if err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
		if m == nil {
			return fmt.Errorf("line %d: %s is in no kind and no message", i+1, f.name)
		}
		m.add(f)
	}
	return nil
}

// begin begins a kind or message.
func (s *schema) begin(words []string) *message {
	m := &message{fields: map[string]*field{}}
	attributes := words[2:]
	if words[0] == "kind" {
		m.path, m.name, attributes = words[1], words[2], words[3:]
		s.kinds[m.path] = m
		for _, f := range commonFields() {
			m.add(f)
		}
	} else {
		m.name = words[1]
		s.messages[m.name] = m
	}
	m.readAttributes(attributes)
	return m
}

func (m *message) readAttributes(attributes []string) {
	for _, a := range attributes {
		m.shared = m.shared || a == "shared"
		m.loose = m.loose || a == "loose"
		m.singleton = m.singleton || a == "singleton"
		if since, ok := strings.CutPrefix(a, "since="); ok {
			m.since, _ = readVersions(since)
		}
	}
	if m.singleton {
		m.fields["name"] = &field{name: "name", readOnly: true}
	}
}

func (m *message) add(f *field) {
	m.fields[f.name] = f
	m.order = append(m.order, f.name)
}

// commonFields are the fields of every kind.
func commonFields() []*field {
	return []*field{
		{name: "uuid", readOnly: true},
		{name: "url", readOnly: true},
		{name: "_last_modified", readOnly: true},
		{name: "name", required: true},
		{name: "tenant_ref", kind: refType, of: "tenant"},
	}
}

// complete checks that what the fields name is there.
func (s *schema) complete() error {
	for _, group := range []map[string]*message{s.kinds, s.messages} {
		for _, m := range group {
			for _, f := range m.fields {
				if f.kind == messageType && s.messages[f.of] == nil || f.kind == refType && s.kinds[f.of] == nil {
					return fmt.Errorf("%s.%s is of unknown type %q", m.name, f.name, f.of)
				}
			}
		}
	}
	return nil
}

// readField reads "name type attributes…".
func readField(words []string) (*field, error) {
	if len(words) < 2 {
		return nil, fmt.Errorf("%q has no type", words[0])
	}
	f := &field{name: words[0]}
	if err := f.readType(words[1]); err != nil {
		return nil, err
	}
	for _, a := range words[2:] {
		if err := f.readAttribute(a); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return f, nil
}

func (f *field) readType(s string) error {
	s, f.list = strings.CutPrefix(s, "[]")
	simple := map[string]int{"string": stringType, "bool": boolType, "int": intType, "any": anyType}
	if kind, ok := simple[s]; ok {
		f.kind = kind
		return nil
	}
	name, inside, called := strings.Cut(strings.TrimSuffix(s, ")"), "(")
	switch {
	case !called:
		f.kind, f.of = messageType, s
	case name == "ref":
		f.kind, f.of = refType, inside
	case name == "enum":
		f.kind = enumType
		return f.readValues(inside)
	default:
		return fmt.Errorf("%s: unknown type %q", f.name, s)
	}
	return nil
}

func (f *field) readValues(s string) error {
	f.values = map[string]introduced{}
	for v := range strings.SplitSeq(s, ",") {
		name, since, dated := strings.Cut(v, "@")
		f.values[name] = nil
		if !dated {
			continue
		}
		in, err := readVersions(since)
		if err != nil {
			return err
		}
		f.values[name] = in
	}
	return nil
}

func (f *field) readAttribute(a string) (err error) {
	key, value, _ := strings.Cut(a, "=")
	switch key {
	case "required":
		f.required = true
	case "fixed":
		f.fixed = true
	case "readonly":
		f.readOnly = true
	case "ignored":
		f.ignored = true
	case "secret":
		f.secret = true
	case "":
		f.fallback, err = f.readDefault(value)
	case "key":
		f.keys = strings.Split(value, ",")
	default:
		return f.readLimit(key, value)
	}
	return err
}

func (f *field) readLimit(key, value string) (err error) {
	switch key {
	case "since":
		f.since, err = readVersions(value)
	case "filled":
		f.filled, err = readVersions(value)
	case "until":
		v, failed := parseVersion(value)
		f.until, err = &v, failed
	case "range":
		f.bounded = true
		f.least, f.top, err = readRange(value)
	case "also":
		for n := range strings.SplitSeq(value, ",") {
			i, failed := strconv.ParseInt(n, 10, 64)
			f.also, err = append(f.also, i), failed
		}
	case "items":
		least, top, failed := readRange(value)
		f.items, err = [2]int{int(least), int(top)}, failed
	default:
		return fmt.Errorf("unknown attribute %q", key)
	}
	return err
}

// readDefault reads a default; a plus sign stands for a space.
func (f *field) readDefault(s string) (any, error) {
	switch f.kind {
	case boolType:
		return strconv.ParseBool(s)
	case intType:
		return strconv.ParseInt(s, 10, 64)
	default:
		return strings.ReplaceAll(s, "+", " "), nil
	}
}

func readVersions(s string) (introduced, error) {
	var in introduced
	for one := range strings.SplitSeq(s, ",") {
		v, err := parseVersion(one)
		if err != nil {
			return nil, err
		}
		in = append(in, v)
	}
	return in, nil
}

func readRange(s string) (least, top int64, err error) {
	low, high, _ := strings.Cut(s, "-")
	if least, err = strconv.ParseInt(low, 10, 64); err != nil {
		return 0, 0, err
	}
	top, err = strconv.ParseInt(high, 10, 64)
	return least, top, err
}
