package octavia

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"plimsoll/lbaas"
)

// schema is the part of JSON Schema (2020-12) that the OpenAPI document uses.
type schema struct {
	Ref                  string             `json:"$ref,omitempty"`
	Type                 any                `json:"type,omitempty"` // a name, or a list of names where null is one
	Format               string             `json:"format,omitempty"`
	Description          string             `json:"description,omitempty"`
	Enum                 []any              `json:"enum,omitempty"` // words, and nil where it may be null
	Items                *schema            `json:"items,omitempty"`
	Properties           map[string]*schema `json:"properties,omitempty"`
	Required             []string           `json:"required,omitempty"`
	AdditionalProperties any                `json:"additionalProperties,omitempty"` // a schema, or false
}

func listSchema(of schema) schema { return schema{Type: "array", Items: &of} }

// objectSchema has no properties but those that it is given.
func objectSchema() *schema {
	return &schema{Type: "object", Properties: map[string]*schema{}, AdditionalProperties: false}
}

// require notes attributes that must be there and not null. What is optional may be null.
func (s *schema) require(attributes ...string) {
	for _, a := range attributes {
		if !slices.Contains(s.Required, a) {
			s.Required = append(s.Required, a)
		}
	}
	slices.Sort(s.Required)
}

// note notes what an attribute is, where the form is read to describe it. The last note counts: that of the most special
// reader.
func (f *form) note(attribute string, s schema) {
	if f.doc != nil {
		f.doc.Properties[attribute] = &s
	}
}

// described is a form on a nested object, or on the objects of a list, that describes itself.
func (f *form) described(attribute string, list bool) *form {
	nested := f.within(attribute, nil)
	nested.doc = objectSchema()
	if list {
		f.note(attribute, schema{Type: "array", Items: nested.doc})
	} else {
		f.doc.Properties[attribute] = nested.doc
	}
	return nested
}

// choices are the words that an attribute may be; nil where any text may be.
func choices(argument, attribute string) []any {
	noun := argument[strings.LastIndexByte(argument, '.')+1:]
	switch noun + "." + attribute {
	case "listener.protocol", "listeners.protocol":
		return words(lbaas.ListenerProtocols())
	case "pool.protocol", "pools.protocol", "default_pool.protocol", "redirect_pool.protocol":
		return words(lbaas.PoolProtocols())
	case "session_persistence.type":
		return words([]lbaas.PersistenceType{lbaas.PersistSourceIP, lbaas.PersistHTTPCookie, lbaas.PersistAppCookie})
	case "healthmonitor.type":
		return words(lbaas.MonitorTypes())
	case "l7policy.action", "l7policies.action":
		return words(lbaas.L7Actions())
	case "rule.type", "rules.type":
		return words(lbaas.L7RuleTypes())
	case "ratelimitpolicy.action":
		return words(lbaas.RateLimitActions())
	}
	switch attribute {
	case "lb_algorithm":
		return words(lbaas.Algorithms())
	case "client_authentication":
		return words([]lbaas.ClientAuthentication{lbaas.ClientAuthNone, lbaas.ClientAuthOptional, lbaas.ClientAuthMandatory})
	case "compare_type":
		return words(lbaas.CompareTypes())
	case "metric":
		return words(lbaas.RateLimitMetrics())
	}
	return nil
}

func words[T ~string](of []T) []any {
	out := make([]any, len(of))
	for i, w := range slices.Sorted(slices.Values(of)) {
		out[i] = w
	}
	return out
}

// requestSchema runs the function that reads a body over a form that notes what it is asked for.
func requestSchema(name string, create bool, read func(*form)) *schema {
	f := newForm(name, nil, create)
	f.doc = objectSchema()
	read(f)
	for attribute := range f.known {
		if f.doc.Properties[attribute] == nil {
			f.doc.Properties[attribute] = &schema{}
		}
	}
	f.doc.nullable(f.doc.Required)
	return f.doc
}

// nullable lets all properties be null but the required ones.
func (s *schema) nullable(required []string) {
	for name, p := range s.Properties {
		if t, ok := p.Type.(string); ok && !slices.Contains(required, name) {
			p.Type = []string{t, "null"}
			if p.Enum != nil {
				p.Enum = append(p.Enum, nil)
			}
		}
		if p.Properties != nil {
			p.nullable(p.Required)
		}
		if p.Items != nil && p.Items.Properties != nil {
			p.Items.nullable(p.Items.Required)
		}
	}
}

// answerSchema describes what a struct is marshalled to.
func answerSchema(t reflect.Type) *schema {
	switch {
	case t == reflect.TypeFor[netip.Addr]():
		return &schema{Type: "string"}
	case t.PkgPath() == "encoding/json" && t.Name() == "Number":
		return &schema{Type: "number"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		s := answerSchema(t.Elem())
		if name, ok := s.Type.(string); ok {
			s.Type = []string{name, "null"}
		}
		return s
	case reflect.String:
		return &schema{Type: "string"}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Int, reflect.Int64:
		return &schema{Type: "integer"}
	case reflect.Slice:
		return &schema{Type: []string{"array", "null"}, Items: answerSchema(t.Elem())}
	case reflect.Map:
		return &schema{Type: "object", AdditionalProperties: answerSchema(t.Elem())}
	case reflect.Struct:
		return structSchema(t)
	}
	return &schema{}
}

func structSchema(t reflect.Type) *schema {
	s := objectSchema()
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || name == "" || name == "-" {
			continue
		}
		s.Properties[name] = answerSchema(f.Type)
		if options != "omitempty" {
			s.require(name)
		}
	}
	return s
}
