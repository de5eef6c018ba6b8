package haproxy

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
)

// Retreat is what is left of a Spec when HAProxy refuses some of its objects: these keep their form of good, the last
// Spec that HAProxy took (nil is none), or are left out where they have none. Held are the objects that are not as
// wanted either, because of a refused one: the members and the monitor of a pool that is left out, or a listener whose new
// pool is. Members of a pool that keeps its last form are as wanted. It is pure; ask HAProxy again about the answer.
func Retreat(wanted, good *enginepb.Spec, blamed []string) (left *enginepb.Spec, held []string) {
	if good == nil {
		good = &enginepb.Spec{}
	}
	r := &retreat{wanted: wanted, left: proto.CloneOf(wanted), good: good, blamed: blamed}
	r.left.Sections, r.left.Servers = nil, nil
	for _, s := range wanted.Sections {
		r.section(s)
	}
	r.restoreHeld()
	for _, s := range r.left.Sections {
		r.reconnect(s)
	}
	r.restorePeers()
	r.untrack()
	r.files()
	r.checks()
	r.holdMissing()
	r.left.Hash = hash(r.left)
	slices.Sort(r.held)
	return r.left, slices.Compact(r.held)
}

type retreat struct {
	wanted, left, good *enginepb.Spec
	blamed             []string
	held               []string
}

// section takes over a section, in the form that HAProxy will take, with its servers.
func (r *retreat) section(s *enginepb.Section) {
	form := r.form(s)
	for _, id := range s.Objects {
		if form == nil || !slices.Equal(owned(form, id), owned(s, id)) {
			r.hold(id)
		}
	}
	if form == nil {
		return
	}
	r.left.Sections = append(r.left.Sections, form)
	for _, server := range serversOf(r.wanted, s) {
		r.server(server, checks(form))
	}
}

// form is how a section goes on: as wanted, but for the lines of the refused among its further objects, which are as they
// were; or all as it was, where the object that it is refused itself. Nil is not at all.
func (r *retreat) form(s *enginepb.Section) *enginepb.Section {
	old := find(r.good, s.Name)
	if r.refused(owner(s, -1)) {
		return proto.CloneOf(old)
	}
	form := proto.CloneOf(s)
	for _, id := range slices.Compact(slices.Sorted(slices.Values(r.blamed))) {
		reown(form, id, owned(old, id))
	}
	return form
}

// owned are the lines of a section that render an object.
func owned(s *enginepb.Section, id string) []string {
	var lines []string
	for i, line := range s.GetLines() {
		if owner(s, i) == id {
			lines = append(lines, line)
		}
	}
	return lines
}

// reown puts other lines in the place of those of an object; none takes them away.
func reown(s *enginepb.Section, id string, instead []string) {
	place, lines, owners := -1, []string(nil), []string(nil)
	for i, line := range s.Lines {
		if owner(s, i) != id {
			lines, owners = append(lines, line), append(owners, owner(s, i))
		} else if place < 0 {
			place = len(lines)
		}
	}
	if place < 0 {
		place = len(lines)
	}
	s.Lines = slices.Insert(lines, place, instead...)
	s.Owners = slices.Insert(owners, place, slices.Repeat([]string{id}, len(instead))...)
}

// checks tells whether the servers of a backend are checked.
func checks(backend *enginepb.Section) bool {
	return slices.ContainsFunc(backend.Lines, func(line string) bool { return strings.HasPrefix(line, "default-server check ") })
}

// restoreHeld takes the sections of refused objects that are not in the wanted Spec at all from the last good one: these objects are
// wanted, and nobody knows in which form.
func (r *retreat) restoreHeld() {
	for _, s := range r.good.Sections {
		if find(r.wanted, s.Name) != nil || find(r.left, s.Name) != nil {
			continue
		}
		lines := slices.ContainsFunc(r.blamed, func(id string) bool { return len(owned(s, id)) > 0 })
		if lines || r.refused(owner(s, -1)) {
			r.restore(s.Name)
		}
	}
}

// restorePeers keeps a section of HAProxy's tables while a section that was restored has one of them.
func (r *retreat) restorePeers() {
	for _, s := range r.good.Sections {
		name, is := strings.CutPrefix(s.Name, "peers ")
		needs := func(line string) bool {
			return strings.Contains(line, " peers "+name) || strings.Contains(line, " table "+name+"/")
		}
		needed := slices.ContainsFunc(r.left.Sections, func(s *enginepb.Section) bool { return slices.ContainsFunc(s.Lines, needs) })
		if is && needed {
			r.there(s.Name)
		}
	}
}

// restore takes a section and those of its servers that are still wanted somewhere from the last good Spec, if it had them.
func (r *retreat) restore(name string) bool {
	s := find(r.good, name)
	if s == nil {
		return false
	}
	r.left.Sections = append(r.left.Sections, proto.CloneOf(s))
	if wanted := serversOf(r.wanted, s); len(wanted) > 0 {
		for _, server := range wanted {
			r.server(server, checks(s))
		}
		return true
	}
	pool, _, _ := strings.Cut(backendName(s), ":")
	rendered := slices.ContainsFunc(r.wanted.Servers, func(s *enginepb.Server) bool { return strings.HasPrefix(s.Backend, pool+":") })
	for _, server := range serversOf(r.good, s) {
		// Where nothing uses the pool any more, the wanted Spec does not tell which of its members are.
		if !rendered || named(r.wanted, server.Name) {
			r.left.Servers = append(r.left.Servers, server)
		}
	}
	return true
}

func named(spec *enginepb.Spec, server string) bool {
	return slices.ContainsFunc(spec.Servers, func(s *enginepb.Server) bool { return s.Name == server })
}

func (r *retreat) server(s *enginepb.Server, checked bool) {
	if r.refused(s.Name) {
		s = byKey(r.good.Servers)[key(s)]
	}
	if s == nil {
		return
	}
	if checked = checked && !tracks(s); s.Checked != checked {
		s = proto.CloneOf(s)
		s.Checked = checked
	}
	r.left.Servers = append(r.left.Servers, s)
}

// holdMissing holds the members that are nowhere.
func (r *retreat) holdMissing() {
	for _, s := range r.wanted.Servers {
		if !named(r.left, s.Name) {
			r.hold(s.Name)
		}
	}
}

// reconnect gives a frontend backends that exist: its own, else those that it had, else none.
func (r *retreat) reconnect(s *enginepb.Section) {
	for _, policy := range r.lost(s) {
		r.hold(policy)
		reown(s, policy, owned(find(r.good, s.Name), policy))
	}
	for _, policy := range r.lost(s) { // what it led to before is gone, too
		reown(s, policy, nil)
	}
	r.reconnectDefault(s)
}

// lost are the further objects of a frontend whose lines name backends that are nowhere.
func (r *retreat) lost(s *enginepb.Section) []string {
	var all []string
	for i, line := range s.Lines {
		rest, ok := strings.CutPrefix(line, "use_backend ")
		name, _, _ := strings.Cut(rest, " ")
		if ok && !r.there("backend "+name) && !slices.Contains(all, owner(s, i)) {
			all = append(all, owner(s, i))
		}
	}
	return all
}

// there tells whether a section is in what is left, or could be restored.
func (r *retreat) there(name string) bool { return find(r.left, name) != nil || r.restore(name) }

func (r *retreat) reconnectDefault(s *enginepb.Section) {
	name, i := defaultBackend(s)
	if i < 0 || r.there(name) {
		return
	}
	r.hold(s.Objects...)
	old := find(r.good, s.Name)
	before, _ := defaultBackend(old)
	s.Lines = slices.Delete(s.Lines, i, i+1)
	if i < len(s.Owners) {
		s.Owners = slices.Delete(s.Owners, i, i+1)
	}
	if old == nil || before != "" && !r.there(before) {
		return
	}
	s.Lines, s.Owners = slices.Clone(old.Lines), slices.Clone(old.Owners)
	for _, policy := range r.lost(s) {
		reown(s, policy, nil)
	}
}

// untrack lets no server follow one that is not there or not checked.
func (r *retreat) untrack() {
	there := byKey(r.left.Servers)
	for i, s := range r.left.Servers {
		if t := target(s); t == "" || there[t].GetChecked() {
			continue
		}
		s = proto.CloneOf(s)
		s.Options = slices.DeleteFunc(s.Options, func(o string) bool { return strings.HasPrefix(o, "track ") })
		r.left.Servers[i] = s
	}
}

// refused tells whether HAProxy refuses an object itself.
func (r *retreat) refused(id string) bool { return slices.Contains(r.blamed, id) }

func (r *retreat) hold(ids ...string) {
	for _, id := range ids {
		if !r.refused(id) {
			r.held = append(r.held, id)
		}
	}
}

// defaultBackend is the backend that a section names, and in which line; -1 is none.
func defaultBackend(s *enginepb.Section) (name string, line int) {
	for i, l := range s.GetLines() {
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
