package avi

import (
	"encoding/json"
)

// inside is what an object has at a path of keys, or nil.
func inside(o map[string]any, path ...string) any {
	for _, key := range path[:len(path)-1] {
		o, _ = o[key].(map[string]any)
	}
	return o[path[len(path)-1]]
}

// textAt is the text that an object has at a path, or "".
func textAt(o map[string]any, path ...string) string {
	s, _ := inside(o, path...).(string)
	return s
}

// numberAt is what an object has at a path, 0 where that is no number.
func numberAt(o map[string]any, path ...string) float64 {
	switch n := inside(o, path...).(type) {
	case json.Number:
		f, _ := n.Float64()
		return f
	case float64:
		return n
	case int64:
		return float64(n)
	}
	return 0
}
