package octavia

import (
	"encoding/json"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// readForm reads the request's body, {"<key>": {…}}, and opens a form on it. The argument is the name that faults give
// to the whole body; it differs from noun to noun in ways that clients have seen.
func readForm(r *request, argument, key string, create bool) (*form, error) {
	raw, err := readEnvelope(r, argument, key)
	if err != nil {
		return nil, err
	}
	o, err := web.ParseObject(raw)
	if err != nil {
		return nil, lbaas.InvalidField(key, plainText(raw), "Value should be object")
	}
	f := newForm(argument+"."+key, o, create)
	f.deployment = r.deployment
	return f, nil
}

// readObject reads the request's body, an object.
func readObject(r *request, argument string) (web.Object, error) {
	data, err := web.ReadBody(r.Request)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, lbaas.Errorf(lbaas.Invalid, `Missing argument: "%s"`, argument)
	}
	if !json.Valid(data) {
		return nil, lbaas.Errorf(lbaas.Invalid, "Request is not in valid JSON format")
	}
	o, err := web.ParseObject(data)
	if err != nil || o == nil {
		return nil, lbaas.InvalidField(argument, plainText(data), "Value should be object")
	}
	return o, nil
}

// readEnvelope returns what stands under the key, the only one that the body may have.
func readEnvelope(r *request, argument, key string) (json.RawMessage, error) {
	o, err := readObject(r, argument)
	if err != nil {
		return nil, err
	}
	raw, ok := o[key]
	delete(o, key)
	if len(o) > 0 {
		var unknown []string
		for name := range o {
			unknown = append(unknown, name)
		}
		return nil, unknownAttributes(argument, unknown)
	}
	if !ok {
		return nil, lbaas.Errorf(lbaas.Invalid, `Missing argument: "%s.%s"`, argument, key)
	}
	if string(raw) == "null" {
		return nil, lbaas.Required(key)
	}
	return raw, nil
}
