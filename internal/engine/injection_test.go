package engine

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"plimsoll/internal/datagram"
	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/keymanager"
	haproxyprovider "plimsoll/internal/provider/haproxy"
	"plimsoll/lbaas"
)

// harmless stands where a hostile value is put: whatever else differs between the two is an injection.
const harmless = "harmless"

// hostiles are values that have broken configurations elsewhere.
var hostiles = []string{
	"x\nglobal\n    stats socket :1 level admin", "\r\n", "x\r", `"`, "'", `\`, `\"`, `"; # `, "#", " # x", "$HOME", "${HOME}", "a b", "%[src]", "%", "%%[env(HOME)]",
	"{}", "{ always_true }", "[x]", ")", "),lua.x(", ",", "','", `\)`, "\x00", "\t", "\x7f", "\xff\xfe", "\u2028", "é漢💥", "files/cert-0.pem", "/etc/shadow",
	"-f", "-f /etc/shadow", "--", "if TRUE", ".if 1", ";", "`id`", "level admin", "*", "0", "-1", "../..", "cookie", "!", "\\n", "\\x0a",
	strings.Repeat("$ ", 1000),
}

// A picture is all that comes of a tree, read back.
type picture struct {
	blocks []block
	files  map[string][][]string // the words of each line, by the files' names; of maps and lists only
	names  []string              // of all files
	counts [3]int                // datagrams, their targets, checks
	plan   []string              // the lines of the kernel's table
	bad    error                 // why the engine refuses it
	unread error                 // why it cannot be read back
}

// digests are those in the names of files.
var digests = regexp.MustCompile(`\b(cert|ca|crl)-[0-9a-f]{16}\.pem`)

func plainDigests(s string) string {
	if !strings.Contains(s, ".pem") {
		return s
	}
	return digests.ReplaceAllString(s, "$1-DIGEST.pem")
}

// pictureOf renders a tree although nothing may have validated it.
func pictureOf(lb *lbaas.LoadBalancer) (*picture, error) {
	secrets := haproxy.Secrets{}
	for _, need := range haproxy.Needs(lb) {
		secrets[need.Ref] = somePEM(need.Use)
	}
	spec := haproxy.Render(lb, nil, secrets, haproxy.Options{User: "nobody", Group: "nogroup", FDLimit: 4000})
	text, _ := haproxy.File(spec)
	p := &picture{files: map[string][][]string{}}
	_, p.bad = checkSpec(spec)
	var err error
	if p.blocks, err = readBack(plainDigests(string(text))); err != nil {
		return p, err
	}
	for _, f := range spec.Files {
		name := plainDigests(f.Name)
		p.names = append(p.names, name)
		if f.Kind != enginepb.File_MAP && f.Kind != enginepb.File_CERTIFICATE_LIST {
			continue
		}
		for line := range strings.Lines(plainDigests(string(f.Content))) {
			p.files[name] = append(p.files[name], strings.Split(strings.TrimSuffix(line, "\n"), " "))
		}
	}
	slices.Sort(p.names)
	p.counts = [3]int{len(spec.Datagrams), 0, len(spec.Checks)}
	for _, d := range spec.Datagrams {
		p.counts[1] += len(d.Targets)
	}
	if p.bad == nil {
		p.plan = strings.Split(datagram.Plan(spec.Datagrams, nil).String(), "\n")
	}
	return p, nil
}

// refused tells whether the engine takes nothing of it.
func (p *picture) refused() bool { return p.bad != nil }

// pictured is pictureOf with its error in the picture.
func pictured(lb *lbaas.LoadBalancer) *picture {
	p, err := pictureOf(lb)
	p.unread = err
	return p
}

// somePEM is something of the right kind, as far as the engine looks.
func somePEM(use keymanager.Use) []byte {
	kind := "CERTIFICATE"
	if use == keymanager.Revocations {
		kind = "X509 CRL"
	}
	return fmt.Appendf(nil, "-----BEGIN %s-----\nAAAA\n-----END %[1]s-----\n", kind)
}

// like tells how a picture differs from that of the harmless value beyond the value itself.
func (p *picture) like(plain *picture) error {
	if len(p.blocks) != len(plain.blocks) || !slices.Equal(p.names, plain.names) || p.counts != plain.counts {
		return fmt.Errorf("%d sections, files %v, datagrams %v; want %d, %v, %v",
			len(p.blocks), p.names, p.counts, len(plain.blocks), plain.names, plain.counts)
	}
	for i, b := range p.blocks {
		if err := sameLines(append([][]string{b.head}, b.lines...), append([][]string{plain.blocks[i].head}, plain.blocks[i].lines...)); err != nil {
			return fmt.Errorf("section %q: %w", plain.blocks[i].head, err)
		}
	}
	for name, lines := range plain.files {
		if err := sameLines(p.files[name], lines); err != nil {
			return fmt.Errorf("file %s: %w", name, err)
		}
	}
	if p.bad == nil && plain.bad == nil && len(p.plan) != len(plain.plan) {
		return fmt.Errorf("the kernel's table has %d lines, want %d", len(p.plan), len(plain.plan))
	}
	return nil
}

func sameLines(got, plain [][]string) error {
	if len(got) != len(plain) {
		return fmt.Errorf("%d lines, want %d: %q", len(got), len(plain), got)
	}
	for i, words := range got {
		if len(words) != len(plain[i]) {
			return fmt.Errorf("%q has not the words of %q", words, plain[i])
		}
		for j, word := range words {
			if !sameWord(word, plain[i][j]) {
				return fmt.Errorf("%q of %q: want %q", word, words, plain[i][j])
			}
		}
	}
	return nil
}

// sameWord tells whether a word is the plain one with another value in the place of the harmless one. A value that is an argument in
// brackets ends neither the argument nor the brackets.
func sameWord(word, plain string) bool {
	before, after, has := strings.Cut(plain, harmless)
	if !has {
		return word == plain
	}
	if len(word) < len(before)+len(after) || !strings.HasPrefix(word, before) || !strings.HasSuffix(word, after) {
		return false
	}
	value := word[len(before) : len(word)-len(after)]
	return !strings.Contains(before, "(") || strings.HasPrefix(plain, "#") || sealed(value)
}

// sealed tells whether HAProxy takes a value for one argument.
func sealed(value string) bool {
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '\\':
			i++
			if i == len(value) {
				return false
			}
		case ',', ')', '"', '\'':
			return false
		}
	}
	return true
}

// An injection is what comes of one attribute: of the harmless value, and of one that begins like a path.
type injection struct {
	k     int
	at    attribute
	plain [2]*picture
}

func newInjection(k int) (injection, error) {
	in := injection{k: k, at: attributes(fullTree())[k]}
	for i, value := range []string{harmless, "/" + harmless} {
		lb := fullTree()
		attributes(lb)[k].set(value)
		var err error
		if in.plain[i], err = pictureOf(lb); err != nil {
			return in, err
		}
	}
	return in, nil
}

// rendered tells whether the attribute is in any file.
func (in injection) rendered() bool {
	return slices.ContainsFunc(in.plain[:], func(p *picture) bool { return strings.Contains(fmt.Sprint(p.blocks, p.files, p.plan), harmless) })
}

// every is of how many hostile values one is tried: all of them, but fewer for what is in no file, and for what there is much of.
func (in injection) every() int {
	switch {
	case !in.rendered():
		return 20
	case in.at.ours() || in.at.field == "Object.Name" || strings.HasPrefix(in.at.path, "Listeners[0]"):
		return 8
	}
	return 1
}

// try tells what goes wrong when the attribute has a hostile value.
func (in injection) try(value string) error {
	hostile := fullTree()
	attributes(hostile)[in.k].set(value)
	got := pictured(hostile)
	if in.at.ours() && (got.refused() || plainName(value)) {
		return nil // no tenant can say it, and the engine refuses it; lines are sorted by some ids
	}
	if err := got.unread; err != nil {
		return err
	}
	if err := got.like(in.plain[0]); err != nil && got.like(in.plain[1]) != nil {
		return err
	}
	if got.bad != nil && validateTree(hostile) == nil && len(haproxyprovider.Unsupported(hostile)) == 0 {
		return fmt.Errorf("the API and the provider take it, the engine does not: %w", got.bad)
	}
	return nil
}

// TestInjection puts hostile values into every string of a tree, one at a time, past the API's validation: each stays the one word, or the
// part of a comment, that it is.
func TestInjection(t *testing.T) {
	all := attributes(fullTree())
	for _, name := range stringFields() {
		if !slices.ContainsFunc(all, func(a attribute) bool { return a.field == name }) {
			t.Errorf("no object of the test's tree has a %s: add one to fullTree", name)
		}
	}
	for part := range 2 {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			for k := part; k < len(all); k += 2 {
				in, err := newInjection(k)
				if err != nil {
					t.Fatal(err)
				}
				every := in.every()
				for i, value := range hostiles {
					if i%every != k/2%every {
						continue
					}
					if i%2 == k/2%2 {
						value = "/" + value
					}
					if err := in.try(value); err != nil {
						t.Errorf("%s = %.80q: %v", in.at.path, value, err)
					}
				}
			}
		})
	}
}

// plainValue are values that can only be what they are.
var plainValue = regexp.MustCompile(`^[0-9A-Za-z_.:@-]*$`)

// FuzzInjection is TestInjection with any value.
func FuzzInjection(f *testing.F) {
	n := uint(len(attributes(fullTree())))
	for i, value := range hostiles {
		f.Add(uint(i*7), value)
	}
	f.Fuzz(func(t *testing.T, k uint, value string) {
		if plainValue.MatchString(value) {
			return // what is not there is not rendered, and a name that is known is rendered otherwise than one that is not
		}
		in, err := newInjection(int(k % n))
		if err == nil {
			err = in.try(value)
		}
		if err != nil {
			t.Errorf("%s = %q: %v", in.at.path, value, err)
		}
	})
}

// TestHostileValidation shows that no line break, and no zero, passes the API and the provider and is rendered, but where any text is a
// value.
func TestHostileValidation(t *testing.T) {
	if err := validateTree(fullTree()); err != nil {
		t.Fatalf("the tree itself: %v", err)
	}
	plain, err := pictureOf(fullTree())
	if err != nil {
		t.Fatal(err)
	}
	for k, a := range attributes(fullTree()) {
		if a.ours() || slices.Contains(anyText, a.field) {
			continue
		}
		for _, value := range []string{"x\ny", "x\x00y", "/x\ny", "/x\x00y", "http://x/\ny", "http://x/y?\n"} {
			lb := fullTree()
			attributes(lb)[k].set(value)
			if validateTree(lb) != nil || len(haproxyprovider.Unsupported(lb)) > 0 {
				continue
			}
			got, err := pictureOf(lb)
			if err == nil {
				err = got.like(plain)
			}
			if err != nil {
				t.Errorf("%s = %q passes: %v", a.path, value, err)
			}
		}
	}
}
