package avi

import (
	"context"
	"slices"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
)

// domains is the field of a child that has the names of hosts that lead to it. No two children of a parent may have the same.
const domains = "vh_domain_name"

// yields are the children that have a name which another child of their parent is to have, when certificates for names were renewed.
// Each is to have those names first which none other has; one that has none such goes and is made again. Else each of two children
// that swap names would wait for the other.
func yields(known objects, wanted []translate.Object) (less []translate.Object, gone []key) {
	for _, w := range wanted {
		k := key{w.Kind, w.UUID}
		has, wants := hostsOf(known[k]), hostsOf(w.Owned)
		if w.Held || len(has) == 0 || len(wants) == 0 {
			continue
		}
		var siblingsHave, siblingsWant []string
		for _, other := range wanted {
			if other.UUID != w.UUID && other.Owned[parentRef] == w.Owned[parentRef] {
				siblingsHave = append(siblingsHave, hostsOf(known[key{other.Kind, other.UUID}])...)
				siblingsWant = append(siblingsWant, hostsOf(other.Owned)...)
			}
		}
		if !slices.ContainsFunc(has, func(n string) bool { return slices.Contains(siblingsWant, n) && !slices.Contains(wants, n) }) {
			continue
		}
		free := slices.DeleteFunc(slices.Clone(wants), func(n string) bool { return slices.Contains(siblingsHave, n) })
		if len(free) == 0 {
			gone = append(gone, k)
			continue
		}
		w.Owned = controller.Object{domains: toAny(free)}
		less = append(less, w)
	}
	return less, gone
}

// parentRef is the field of a child that refers to its parent.
const parentRef = "vh_parent_vs_ref"

// hostsOf are the names of hosts that lead to a child.
func hostsOf(o controller.Object) []string {
	list, _ := o[domains].([]any)
	var names []string
	for _, e := range list {
		if name, ok := e.(string); ok {
			names = append(names, name)
		}
	}
	return names
}

func toAny(names []string) []any {
	list := make([]any, len(names))
	for i, n := range names {
		list[i] = n
	}
	return list
}

// yield takes names away from children that others are to have. What the controller refuses of that it refuses again, and tells of, when
// the child is to be as it is wanted.
func (j *job) yield(ctx context.Context, less []translate.Object) error {
	for _, w := range less {
		is := j.known[key{w.Kind, w.UUID}]
		if is == nil {
			continue
		}
		if err := j.update(ctx, w, is); err != nil && !refused(err) {
			return err
		}
	}
	return nil
}
