package octavia

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

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
	if !json.Valid(data) || !unicodeText(data) {
		return nil, lbaas.Errorf(lbaas.Invalid, "Request is not in valid JSON format")
	}
	o, err := web.ParseObject(data)
	if err != nil || o == nil {
		return nil, lbaas.InvalidField(argument, plainText(data), "Value should be object")
	}
	return o, nil
}

// unicodeText tells whether what is valid JSON is text that has an encoding: UTF-8 without halves of surrogates. encoding/json would put
// another character in place of what is not, and the client would find what it has not sent.
func unicodeText(data []byte) bool {
	if !utf8.Valid(data) {
		return false
	}
	for i := bytes.IndexByte(data, '\\'); i >= 0 && i+1 < len(data); i = after(data, i) {
		r := escaped(data[i:])
		if !utf16.IsSurrogate(r) {
			i += len(`\n`)
			continue
		}
		if i += len(`\ud800`); utf16.DecodeRune(r, escaped(data[i:])) == utf8.RuneError {
			return false
		}
		i += len(`\udc00`)
	}
	return true
}

// after is the place of the next backslash, or -1.
func after(data []byte, i int) int {
	next := bytes.IndexByte(data[i:], '\\')
	if next < 0 {
		return -1
	}
	return i + next
}

// escaped is the character of an escape sequence like \u00e9 at the beginning of the text, or -1.
func escaped(data []byte) rune {
	if len(data) < len(`\u0000`) || data[0] != '\\' || data[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
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
