package haproxy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"plimsoll/internal/engine/enginepb"
)

// A Plan is how a running HAProxy gets from one Spec to the next. Either it is a reload, or Steps in their order and
// then Removals; the zero Plan is nothing to do. The file is rewritten in every case. A step that HAProxy answers otherwise than
// expected calls for a reload.
type Plan struct {
	Reload bool
	Reason string // why a reload is needed, for logs; "" without one
	Steps  []Step
	// Removals delete servers that have left the rotation. HAProxy refuses while they still have connections, so each is
	// tried again, for as long as it takes or until a reload; nothing waits for them.
	Removals []Step
}

// Empty tells whether HAProxy already is as wanted.
func (p Plan) Empty() bool { return !p.Reload && len(p.Steps) == 0 && len(p.Removals) == 0 }

// Diff tells how HAProxy gets from one Spec to another. It is pure and knows what HAProxy 2.6 can do at run time:
//
//	servers' weight, maintenance        set server
//	a server more                       add server, enable health, enable server
//	a server less                       maintenance at once, del server when it is idle
//	either of these where copies of a shared pool track the server, a server more of a pool with cookies,
//	a server's address, number or options,
//	anything in a section               reload
//	a certificate, a map                set ssl cert and commit ssl cert, a new version of the map
//	a crt-list with more certificates at its end, or fewer
//	                                    add ssl crt-list, del ssl crt-list
//	a crt-list with another first certificate or another order, authorities, revocation lists, any but a
//	certificate more or less, what is longer than a command
//	                                    reload
//	a failover was asked for            reload
//	names (they are comments)           nothing
//
// HAProxy could delete and add a server of which the options changed, but not while it has connections; and it
// neither tracks a server that was added nor deletes one that is tracked.
func Diff(from, to *enginepb.Spec) Plan {
	if from.FailedOver != to.FailedOver {
		return reload("a failover was asked for")
	}
	if reason := structure(from, to); reason != "" {
		return reload(reason)
	}
	was, is := byKey(from.Servers), byKey(to.Servers)
	tracked := targets(from.Servers, to.Servers)
	var p Plan
	if reason := p.files(from, to); reason != "" {
		return reload(reason)
	}
	for _, s := range from.Servers {
		if is[key(s)] != nil {
			continue
		}
		if tracked[key(s)] || tracks(s) {
			return reload("server " + key(s) + " of a shared pool is removed")
		}
		p.remove(s)
	}
	checks := defaultServers(to)
	for _, s := range to.Servers {
		o := was[key(s)]
		switch {
		case o == nil && (tracked[key(s)] || tracks(s)):
			return reload("server " + key(s) + " of a shared pool is added")
		case o == nil && keeps(s):
			return reload("server " + key(s) + " of a pool with cookies is added")
		case o == nil && !p.add(s, checks[s.Backend]):
			return reload("server " + key(s) + " has an option that only the file can hold")
		case o == nil:
		case fixed(o) != fixed(s):
			return reload("server " + key(s) + " has other options")
		default:
			p.change(o, s)
		}
	}
	return p
}

func reload(reason string) Plan { return Plan{Reload: true, Reason: reason} }

// structure says what differs between the sections of two Specs, or "".
func structure(from, to *enginepb.Spec) string {
	was := map[string]*enginepb.Section{}
	for _, s := range from.Sections {
		was[s.Name] = s
	}
	for _, s := range to.Sections {
		o := was[s.Name]
		if o == nil {
			return s.Name + " is new"
		}
		if !slices.Equal(commands(o), commands(s)) {
			return s.Name + " is changed"
		}
		delete(was, s.Name)
	}
	for _, s := range from.Sections { // in order, so that the reason is always the same
		if was[s.Name] != nil {
			return s.Name + " is gone"
		}
	}
	return ""
}

// commands are the lines of a section without its comments.
func commands(s *enginepb.Section) []string {
	return slices.DeleteFunc(slices.Clone(s.Lines), func(line string) bool { return strings.HasPrefix(line, "#") })
}

func (p *Plan) step(answer, format string, args ...any) {
	p.Steps = append(p.Steps, Step{Command: fmt.Sprintf(format, args...), answers: []string{answer}})
}

func (p *Plan) remove(s *enginepb.Server) {
	if !s.Disabled {
		p.step("", "set server %s state maint", key(s))
	}
	p.Removals = append(p.Removals, Step{
		Command: "del server " + key(s),
		answers: []string{"Server deleted.", "No such server."},
	})
}

// add appends the steps that add a server; check is its backend's default-server, which `add server` does not look
// at. It returns false when a word would need quotes, for the Runtime API knows none.
func (p *Plan) add(s *enginepb.Server, check string) bool {
	words := append(serverWords(s), s.Options...)
	if check != "" {
		words = append(words, check)
	}
	line := strings.Join(words, " ")
	if strings.ContainsAny(line, "\"'\\;#\r\n") {
		return false
	}
	p.step("New server registered.", "add server %s %s", key(s), line)
	if s.Checked {
		p.step("", "enable health %s", key(s))
	}
	if !s.Disabled {
		p.step("", "enable server %s", key(s))
	}
	return true
}

func (p *Plan) change(from, to *enginepb.Server) {
	if from.Weight != to.Weight {
		p.step("", "set server %s weight %d", key(to), to.Weight)
	}
	switch {
	case from.Disabled && !to.Disabled:
		p.step("", "set server %s state ready", key(to))
	case !from.Disabled && to.Disabled:
		p.step("", "set server %s state maint", key(to))
	}
}

// fixed is what cannot be changed of a running server.
func fixed(s *enginepb.Server) string {
	return fmt.Sprintf("%s %d %d %t %q", address(s.Address), s.Port, s.Number, s.Checked, s.Options)
}

// address is an address in its shortest form, so that HAProxy's spelling and ours compare equal.
func address(s string) string {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return s
	}
	return a.String()
}

func key(s *enginepb.Server) string { return s.Backend + "/" + s.Name }

func byKey(servers []*enginepb.Server) map[string]*enginepb.Server {
	all := make(map[string]*enginepb.Server, len(servers))
	for _, s := range servers {
		all[key(s)] = s
	}
	return all
}

// target is the server that s tracks, or "".
func target(s *enginepb.Server) string {
	for _, o := range s.Options {
		if name, ok := strings.CutPrefix(o, "track "); ok {
			return name
		}
	}
	return ""
}

func tracks(s *enginepb.Server) bool { return target(s) != "" }

func targets(lists ...[]*enginepb.Server) map[string]bool {
	all := map[string]bool{}
	for _, list := range lists {
		for _, s := range list {
			all[target(s)] = true
		}
	}
	return all
}

// keeps tells whether clients are kept on a server by a cookie; only the file can say by which.
func keeps(s *enginepb.Server) bool {
	return slices.ContainsFunc(s.Options, func(o string) bool { return strings.HasPrefix(o, "cookie ") })
}

// defaultServers are the words of each backend's default-server lines.
func defaultServers(spec *enginepb.Spec) map[string]string {
	all := map[string]string{}
	for _, s := range spec.Sections {
		for _, line := range s.Lines {
			if words, ok := strings.CutPrefix(line, "default-server "); ok {
				all[backendName(s)] = strings.TrimPrefix(all[backendName(s)]+" "+words, " ")
			}
		}
	}
	return all
}
