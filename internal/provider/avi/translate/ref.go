package translate

import (
	"net/url"
	"strings"
)

// Ref refers to an object by its UUID.
func Ref(kind, uuid string) string { return "/api/" + kind + "/" + uuid }

// NamedRef refers to an object by its name, in the tenant or in admin.
func NamedRef(kind, name string) string { return "/api/" + kind + "?name=" + url.QueryEscape(name) }

// ParseRef reads any form of a reference: as Ref and NamedRef write it, with a host before it and a name after it ("#name")
// as the controller answers it, or a bare UUID. What a reference does not say is "".
func ParseRef(ref string) (kind, uuid, name string) {
	if i := strings.Index(ref, "/api/"); i >= 0 {
		ref = ref[i+len("/api/"):]
	}
	end := strings.IndexAny(ref, "?#")
	path, rest := ref, ""
	if end >= 0 {
		path, rest = ref[:end], ref[end:]
	}
	kind, uuid, found := strings.Cut(strings.Trim(path, "/"), "/")
	if !found && strings.Contains(kind, "-") {
		kind, uuid = strings.SplitN(kind, "-", 2)[0], kind
	}
	return kind, uuid, nameIn(rest)
}

// nameIn is the name in what follows the path of a reference. The controller writes names as they are after "#".
func nameIn(rest string) string {
	query, isQuery := strings.CutPrefix(rest, "?")
	if !isQuery {
		return strings.TrimPrefix(rest, "#")
	}
	query, _, _ = strings.Cut(query, "#")
	values, _ := url.ParseQuery(query) // what of it can be read is there in spite of an error
	return values.Get("name")
}
