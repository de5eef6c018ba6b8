package keymanager

import "strings"

// RefID is the id of the secret or container that a reference is of: its last path element.
func RefID(ref string) string {
	ref = strings.TrimRight(ref, "/")
	return ref[strings.LastIndexByte(ref, '/')+1:]
}
