package web

import "encoding/json"

// Field is an attribute of a request that may be absent, null or given: the API tells the three apart.
type Field[T any] struct {
	Set   bool // the key was present
	Null  bool // it was present and null
	Value T
}

// UnmarshalJSON notes that the key was present.
func (f *Field[T]) UnmarshalJSON(data []byte) error {
	f.Set = true
	if string(data) == "null" {
		f.Null = true
		return nil
	}
	return json.Unmarshal(data, &f.Value)
}

// Given tells whether the field carries a value.
func (f Field[T]) Given() bool { return f.Set && !f.Null }

// Or returns the value where it is given, else fallback.
func (f Field[T]) Or(fallback T) T {
	if f.Given() {
		return f.Value
	}
	return fallback
}
