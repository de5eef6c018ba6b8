package web

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// Object is a JSON object with its members still unread.
type Object map[string]json.RawMessage

// ParseObject reads a JSON object and nothing after it. Null is a nil Object.
func ParseObject(data []byte) (Object, error) {
	var o Object
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, err
	}
	return o, nil
}

// Unknown returns the keys of o that the struct pointed to by target has no field for, sorted.
func (o Object) Unknown(target any) []string {
	known := map[string]bool{}
	t := reflect.TypeOf(target).Elem()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		known[name] = true
	}
	var unknown []string
	for key := range o {
		if !known[key] {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	return unknown
}
