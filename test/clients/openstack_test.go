package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/test/harness"
)

// scripts are the files of testdata. The administrator goes through those of byAdmin, and a user of a project through each of
// the others.
var (
	scripts = []string{
		"l7policy", "amphora", "catalog", "loadbalancer", "listener", "pool", "member", "healthmonitor", "l7rule", "quota", "secret",
	}
	byAdmin = []string{"amphora", "catalog", "quota", "neutron-agent"}
)

// commandTime bounds one command: the client's --wait looks every three seconds.
const commandTime = time.Minute

// step is a command of a script.
type step struct {
	line    int
	command string // as one types it in a shell, with '…' as the only quotes
	want    string
	until   bool // tried again until it prints that
}

// script has the openstack command go through the script of the site's name. Its interactive mode is used, since one start of
// it costs more than twenty commands.
func (s *site) script(t *testing.T) { s.play(t, s.prompt(t), s.name) }

// play goes through a script, and returns the names that it gave.
func (s *site) play(t *testing.T, prompt prompt, script string) names {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "payload"), []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	known := names{"<project>": s.ProjectID, "<net>": s.net.ID, "<subnet>": s.net.SubnetID, "<subnet6>": s.second, "<dir>": dir, "<server>": s.Server.URL}
	for _, step := range parse(t, script) {
		command := known.in(step.command)
		var problem string
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
			problem = known.compare(step.want, prompt.run(t, command))
			if problem == "" || !step.until || time.Now().After(deadline) {
				break
			}
		}
		if problem != "" {
			t.Fatalf("%s.console:%d: %s\n%s", script, step.line, command, problem)
		}
	}
	return known
}

// parse reads a script.
func parse(t *testing.T, name string) []step {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".console"))
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		kind, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch kind {
		case "#", "":
		case "$", "~":
			steps = append(steps, step{line: n, command: command, until: kind == "~"})
		default:
			steps[len(steps)-1].want += line
		}
	}
	return steps
}

// prompt is an openstack command in interactive mode.
type prompt struct{ *harness.Session }

func (s *site) prompt(t *testing.T) prompt {
	t.Helper()
	cmd := exec.Command("openstack")
	cmd.Env = append(os.Environ(), s.Env()...)
	cmd.Env = append(cmd.Env, "PYTHONUNBUFFERED=1", "HOME="+t.TempDir())
	return prompt{harness.StartSession(t, cmd)}
}

func (p prompt) run(t *testing.T, command string) string {
	t.Helper()
	const mark = "end of the command"
	words := words(command)
	for i, w := range words {
		words[i] = quote(w)
	}
	out, _ := p.Run(t, strings.Join(words, " ")+"\n!echo "+mark, mark, commandTime)
	return out
}

// words splits a command as a shell does, which quotes with ' alone.
func words(command string) []string {
	var all []string
	word, quoted, begun := "", false, false
	for _, r := range command + " " {
		switch {
		case r == '\'':
			quoted, begun = !quoted, true
		case r == ' ' && !quoted:
			if begun {
				all = append(all, word)
			}
			word, begun = "", false
		default:
			word, begun = word+string(r), true
		}
	}
	return all
}

// quote writes a word so that the client's prompt, which takes lines apart twice, has it whole in the end.
func quote(word string) string {
	if word != "" && !strings.ContainsAny(word, ` "{}[]()<>|;&*?$!#\`) {
		return word
	}
	return "'" + regexp.MustCompile(`[^\w]`).ReplaceAllString(word, `\$0`) + "'"
}

// names are the texts that a script has named so far, by "<name>".
type names map[string]string

// in puts the names' texts into a text.
func (n names) in(text string) string {
	for name, v := range n {
		text = strings.ReplaceAll(text, name, v)
	}
	return text
}

// compare says how what was printed differs from what is wanted.
func (n names) compare(want, got string) string {
	want = strings.TrimSpace(n.in(want))
	if !strings.HasPrefix(want, "{") && !strings.HasPrefix(want, "[") {
		if pattern(want).MatchString(got) {
			return ""
		}
		return fmt.Sprintf("prints\n%s\nwant\n%s", got, want)
	}
	var wanted, shown any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(want, ", …}", `, "…": "…"}`)), &wanted); err != nil {
		return fmt.Sprintf("the script has no JSON: %v\n%s", err, want)
	}
	if err := json.Unmarshal([]byte(got), &shown); err != nil {
		return fmt.Sprintf("prints no JSON: %v\n%s", err, got)
	}
	if diff := cmp.Diff(n.fill(wanted, shown), shown); diff != "" {
		return "(-want +got):\n" + diff
	}
	return ""
}

// pattern matches a text, in which … stands for anything on a line.
func pattern(text string) *regexp.Regexp {
	return regexp.MustCompile(`^\s*` + strings.ReplaceAll(regexp.QuoteMeta(text), "…", ".*") + `\s*$`)
}

// fill puts into what is wanted what the script leaves open, and learns names.
func (n names) fill(want, got any) any {
	switch want := want.(type) {
	case string:
		text, isText := got.(string)
		if want == "…" {
			return got
		}
		if isText && strings.HasPrefix(want, "<") && strings.HasSuffix(want, ">") {
			n[want] = text
			return got
		}
	case []any:
		if got, ok := got.([]any); ok && len(got) == len(want) {
			for i := range want {
				want[i] = n.fill(want[i], got[i])
			}
		}
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			n.fillObject(want, got)
		}
	}
	return want
}

func (n names) fillObject(want, got map[string]any) {
	_, open := want["…"]
	delete(want, "…")
	for k, v := range got {
		if w, ok := want[k]; ok {
			want[k] = n.fill(w, v)
		} else if open {
			want[k] = v
		}
	}
}
