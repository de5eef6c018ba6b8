package neutronlbaas

import (
	"plimsoll/lbaas"
)

// view is an object as answers show it.
type view map[string]any

// only returns the attributes that the request asked for, or all.
func (v view) only(fields []string) view {
	narrowed := view{}
	asked := false
	for _, f := range fields {
		asked = asked || f != ""
		if value, ok := v[f]; ok {
			narrowed[f] = value
		}
	}
	if !asked {
		return v
	}
	return narrowed
}

// without drops attributes.
func (v view) without(names ...string) view {
	for _, name := range names {
		delete(v, name)
	}
	return v
}

// common is what all nouns show.
func common(o *lbaas.Object) view {
	return view{"id": o.ID, "tenant_id": o.ProjectID, "admin_state_up": o.AdminStateUp}
}

// refTo is the list of one id by which objects name their parent.
func refTo(id string) []view { return []view{{"id": id}} }

func refs[T lbaas.Part](parts []T) []view {
	out := make([]view, len(parts))
	for i, p := range parts {
		out[i] = view{"id": p.Base().ID}
	}
	return out
}

// orNull is a text, or null where there is none.
func orNull[T ~string](text T) any {
	if text == "" {
		return nil
	}
	return text
}

// list is never null.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
