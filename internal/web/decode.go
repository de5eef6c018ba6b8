package web

import "encoding/json"

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
