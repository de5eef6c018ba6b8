package haproxy

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
)

// Retreat is what is left of a Spec when HAProxy refuses some of its objects: these keep their form of good, the last
// Spec that HAProxy took (nil is none), or are left out where they have none. Held are the objects that are not as
// wanted either, because they live inside a refused one: the members of a refused pool, or a listener whose new pool is
// refused. It is pure; ask HAProxy again about the answer.
func Retreat(wanted, good *enginepb.Spec, blamed []string) (left *enginepb.Spec, held []string) {
	if good == nil {
		good = &enginepb.Spec{}
	}
	r := &retreat{left: proto.CloneOf(wanted), good: good, blamed: blamed}
	r.left.Sections, r.left.Servers = nil, nil
	for _, s := range wanted.Sections {
		r.section(s, serversOf(wanted, s))
	}
	for _, s := range r.left.Sections {
		r.reconnect(s)
	}
	r.untrack()
	r.left.Hash = hash(r.left)
	slices.Sort(r.held)
	return r.left, slices.Compact(r.held)
}

type retreat struct {
	left, good *enginepb.Spec
	blamed     []string
	held       []string
}

// section takes over a section, in the form that HAProxy will take.
func (r *retreat) section(s *enginepb.Section, servers []*enginepb.Server) {
	if !r.refused(s) {
		r.left.Sections = append(r.left.Sections, proto.CloneOf(s))
		for _, server := range servers {
			r.server(server)
		}
		return
	}
	r.hold(s.Objects...)
	for _, server := range servers {
		r.hold(server.Name)
	}
	r.restore(s.Name)
}

// restore takes a section and its servers from the last good Spec, if it had them.
func (r *retreat) restore(name string) bool {
	s := find(r.good, name)
	if s == nil {
		return false
	}
	r.left.Sections = append(r.left.Sections, proto.CloneOf(s))
	r.left.Servers = append(r.left.Servers, serversOf(r.good, s)...)
	return true
}

func (r *retreat) server(s *enginepb.Server) {
	if slices.Contains(r.blamed, s.Name) {
		s = byKey(r.good.Servers)[key(s)]
	}
	if s != nil {
		r.left.Servers = append(r.left.Servers, s)
	}
}

// reconnect gives a frontend a backend that exists: its own, else the one that it had, else none.
func (r *retreat) reconnect(s *enginepb.Section) {
	name, i := defaultBackend(s)
	if i < 0 || find(r.left, name) != nil {
		return
	}
	if r.restore(name) {
		return
	}
	r.hold(s.Objects...)
	old := find(r.good, s.Name)
	if old == nil {
		s.Lines = slices.Delete(s.Lines, i, i+1)
		if i < len(s.Owners) {
			s.Owners = slices.Delete(s.Owners, i, i+1)
		}
		return
	}
	before, j := defaultBackend(old)
	s.Lines, s.Owners = slices.Clone(old.Lines), slices.Clone(old.Owners)
	if j >= 0 && find(r.left, before) == nil {
		r.restore(before)
	}
}

// untrack lets no server follow one that is not there.
func (r *retreat) untrack() {
	there := byKey(r.left.Servers)
	for i, s := range r.left.Servers {
		if t := target(s); t == "" || there[t] != nil {
			continue
		}
		s = proto.CloneOf(s)
		s.Options = slices.DeleteFunc(s.Options, func(o string) bool { return strings.HasPrefix(o, "track ") })
		r.left.Servers[i] = s
	}
}

// refused tells whether HAProxy refuses any line of the section itself.
func (r *retreat) refused(s *enginepb.Section) bool {
	return slices.ContainsFunc(s.Objects, func(id string) bool { return slices.Contains(r.blamed, id) })
}

func (r *retreat) hold(ids ...string) {
	for _, id := range ids {
		if !slices.Contains(r.blamed, id) {
			r.held = append(r.held, id)
		}
	}
}

// defaultBackend is the backend that a section names, and in which line; -1 is none.
func defaultBackend(s *enginepb.Section) (name string, line int) {
	for i, l := range s.Lines {
		if name, ok := strings.CutPrefix(l, "default_backend "); ok {
			return "backend " + name, i
		}
	}
	return "", -1
}

func find(spec *enginepb.Spec, name string) *enginepb.Section {
	for _, s := range spec.Sections {
		if s.Name == name {
			return s
		}
	}
	return nil
}

func serversOf(spec *enginepb.Spec, section *enginepb.Section) []*enginepb.Server {
	name := backendName(section)
	if name == "" {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(spec.Servers), func(s *enginepb.Server) bool { return s.Backend != name })
}
