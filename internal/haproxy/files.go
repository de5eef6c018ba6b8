package haproxy

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
)

// FilesDir is the folder of a Spec's files, in the run directory. The configuration names each as FileName says.
const FilesDir = "files"

// FileName is the word by which the configuration, crt-lists and the Runtime API name a file of a Spec.
func FileName(plain string) string { return FilesDir + "/" + plain }

// fileWord finds the files that a line names.
var fileWord = regexp.MustCompile(FilesDir + `/([0-9A-Za-z][0-9A-Za-z._-]*)`)

func filesByName(files []*enginepb.File) map[string]*enginepb.File {
	all := make(map[string]*enginepb.File, len(files))
	for _, f := range files {
		all[f.Name] = f
	}
	return all
}

// SameFiles tells whether two Specs have the same files with the same contents.
func SameFiles(a, b *enginepb.Spec) bool {
	return slices.EqualFunc(sorted(a.GetFiles()), sorted(b.GetFiles()), func(f, g *enginepb.File) bool {
		return f.Name == g.Name && f.Kind == g.Kind && bytes.Equal(f.Content, g.Content)
	})
}

func sorted(files []*enginepb.File) []*enginepb.File {
	files = slices.Clone(files)
	slices.SortFunc(files, func(f, g *enginepb.File) int { return strings.Compare(f.Name, g.Name) })
	return files
}

// files appends the steps that bring HAProxy's files from one Spec to the next, of which the sections are the same. It returns
// why that takes a reload, or "".
func (p *Plan) files(from, to *enginepb.Spec) (reason string) {
	if SameFiles(from, to) {
		return ""
	}
	was, is := filesByName(from.Files), filesByName(to.Files)
	for _, f := range sorted(to.Files) {
		if reason := p.file(was[f.Name], f); reason != "" {
			return reason
		}
	}
	for _, f := range sorted(to.Files) { // when all certificates are there
		o := was[f.Name]
		if f.Kind != enginepb.File_CERTIFICATE_LIST || bytes.Equal(o.Content, f.Content) {
			continue
		}
		if reason := p.list(f.Name, listLines(o.Content), listLines(f.Content)); reason != "" {
			return reason
		}
	}
	for _, f := range sorted(from.Files) {
		switch {
		case is[f.Name] != nil:
		case f.Kind == enginepb.File_CERTIFICATE:
			name := FileName(f.Name)
			p.step("Certificate '"+name+"' deleted!", "del ssl cert %s", name)
		default:
			return f.Name + " is gone"
		}
	}
	return ""
}

// file appends the steps that change the content of a file, or make it where it was none. Lists come later.
//
// HAProxy 2.6.12 takes authorities and revocation lists, too, but does not stand by it: servers without a certificate of their own go on
// with the old ones, those with one take no later certificate, clients are told the names of the old authorities, and after some
// such changes it crashes.
func (p *Plan) file(from, to *enginepb.File) (reason string) {
	switch {
	case from == nil && to.Kind == enginepb.File_CERTIFICATE:
		name := FileName(to.Name)
		p.step("New empty certificate store '"+name+"'!", "new ssl cert %s", name)
	case from == nil:
		return to.Name + " is new"
	case from.Kind != to.Kind:
		return to.Name + " is of another kind"
	case bytes.Equal(from.Content, to.Content):
		return ""
	}
	switch to.Kind {
	case enginepb.File_CERTIFICATE:
		return p.certificate(to)
	case enginepb.File_MAP:
		return p.mapping(to)
	case enginepb.File_CERTIFICATE_LIST:
		return ""
	default:
		return to.Name + " is changed"
	}
}

// maxPayload is how much one command can bring, in bytes; HAProxy reads it into one buffer of 16384.
const maxPayload = 15000

// certificate appends the transaction that gives a certificate its content.
func (p *Plan) certificate(f *enginepb.File) (reason string) {
	name := FileName(f.Name)
	payload := payloadLines(f.Content)
	if len(payload) > maxPayload {
		return f.Name + " is too long for one command"
	}
	p.Steps = append(p.Steps,
		Step{Command: "set ssl cert " + name, Payload: payload, answers: []string{"Transaction created for certificate " + name + "!"}},
		Step{Command: "commit ssl cert " + name, answers: []string{"Success!"}, last: true})
	return ""
}

// payloadLines are the lines of a file that say something. An empty one would end the payload of a command.
func payloadLines(content []byte) string {
	var lines []string
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// mapping appends the steps that replace a map as a whole: until the last of them HAProxy looks into the old one.
func (p *Plan) mapping(f *enginepb.File) (reason string) {
	name := FileName(f.Name)
	p.Steps = append(p.Steps, Step{Command: "prepare map " + name, version: true})
	part := ""
	add := func() {
		p.Steps = append(p.Steps, Step{Command: "add map " + newVersion + " " + name, Payload: strings.TrimSuffix(part, "\n"), answers: []string{""}})
		part = ""
	}
	for line := range strings.Lines(payloadLines(f.Content)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if len(line) > maxPayload {
			return f.Name + " has a line that is too long for one command"
		}
		if len(part)+len(line) > maxPayload {
			add()
		}
		part += line
	}
	if part != "" {
		add()
	}
	p.step("", "commit map "+newVersion+" %s", name)
	return ""
}

// list appends the steps that change a crt-list. HAProxy can add entries at its end, and remove all but the first, which is of the
// certificate that it shows to whoever asks for none of the names.
func (p *Plan) list(plain string, from, to []string) (reason string) {
	kept := slices.DeleteFunc(slices.Clone(from), func(line string) bool { return !slices.Contains(to, line) })
	gone := slices.DeleteFunc(slices.Clone(from), func(line string) bool { return slices.Contains(to, line) })
	if len(from) == 0 || len(to) < len(kept) || !slices.Equal(kept, to[:len(kept)]) || len(kept) == 0 || kept[0] != from[0] {
		return plain + " has another order"
	}
	if ambiguous(from) || ambiguous(slices.Concat(from, to[len(kept):])) {
		return plain + " has a certificate twice"
	}
	name := FileName(plain)
	for _, line := range to[len(kept):] {
		p.Steps = append(p.Steps, Step{Command: "add ssl crt-list " + name, Payload: line, answers: []string{"Success!"}, last: true})
	}
	for _, line := range gone {
		p.step("Entry '"+listed(line)+"' deleted in crtlist '"+name+"'!", "del ssl crt-list %s %s", name, listed(line))
	}
	return ""
}

func listLines(content []byte) []string {
	return strings.FieldsFunc(payloadLines(content), func(r rune) bool { return r == '\n' })
}

// listed is the certificate that a line of a crt-list names.
func listed(line string) string {
	name, _, _ := strings.Cut(line, " ")
	return name
}

func ambiguous(lines []string) bool {
	seen := map[string]bool{}
	for _, line := range lines {
		if seen[listed(line)] {
			return true
		}
		seen[listed(line)] = true
	}
	return false
}

// files takes over the files of the wanted Spec, those of refused objects in the form that they had, and adds those that only
// restored sections name.
func (r *retreat) files() {
	good := filesByName(r.good.Files)
	r.left.Files = nil
	for _, f := range r.wanted.Files {
		if len(f.Objects) > 0 && r.refused(f.Objects[0]) {
			r.hold(f.Objects...)
			f = good[f.Name]
		}
		if f != nil {
			r.left.Files = append(r.left.Files, proto.CloneOf(f))
		}
	}
	there := filesByName(r.left.Files)
	due := namedFiles(r.left)
	for len(due) > 0 {
		name := due[0]
		due = due[1:]
		f := good[name]
		if there[name] != nil || f == nil {
			continue
		}
		there[name] = f
		r.left.Files = append(r.left.Files, proto.CloneOf(f))
		due = append(due, namedIn(f)...)
	}
}

// namedFiles are the plain names of the files that a Spec names, or may name: a tenant's words can look the same.
func namedFiles(spec *enginepb.Spec) []string {
	var all []string
	find := func(lines ...string) {
		for _, line := range lines {
			for _, m := range fileWord.FindAllStringSubmatch(line, -1) {
				all = append(all, m[1])
			}
		}
	}
	for _, s := range spec.Sections {
		find(s.Lines...)
	}
	for _, s := range spec.Servers {
		find(s.Options...)
	}
	for _, f := range spec.Files {
		all = append(all, namedIn(f)...)
	}
	return all
}

// namedIn are the plain names of the files that a crt-list names.
func namedIn(f *enginepb.File) []string {
	if f.Kind != enginepb.File_CERTIFICATE_LIST {
		return nil
	}
	var all []string
	for _, m := range fileWord.FindAllSubmatch(f.Content, -1) {
		all = append(all, string(m[1]))
	}
	return all
}
