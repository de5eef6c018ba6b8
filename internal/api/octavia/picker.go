package octavia

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// picker writes only those attributes of objects that were asked for. It looks the attributes up once for a list.
type picker struct {
	attributes []attribute
}

type attribute struct {
	key       string // as JSON, with the colon
	index     []int
	omitEmpty bool
}

// pickerOf is the picker of the attributes of J, which is a struct with names for JSON; nil picks all.
func pickerOf[J any](fields []string) *picker {
	if len(fields) == 0 {
		return nil
	}
	p := &picker{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[J]()) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && slices.Contains(fields, name) {
			p.attributes = append(p.attributes, attribute{`"` + name + `":`, f.Index, options == "omitempty"})
		}
	}
	return p
}

// encode writes what was asked for of an object.
func (p *picker) encode(text *bytes.Buffer, to *json.Encoder, object any) error {
	value := reflect.ValueOf(object)
	separator := byte('{')
	for _, a := range p.attributes {
		v := value.FieldByIndex(a.index)
		if a.omitEmpty && v.IsZero() {
			continue
		}
		text.WriteByte(separator)
		text.WriteString(a.key)
		if err := encode(text, to, v.Interface()); err != nil {
			return err
		}
		separator = ','
	}
	if separator == '{' {
		text.WriteByte('{')
	}
	text.WriteByte('}')
	return nil
}
