package avi

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"plimsoll/test/harness"
)

// commandTime bounds one command of the openstack client.
const commandTime = time.Minute

// prompt is an openstack command in interactive mode: one start of it costs more than twenty commands.
type prompt struct{ *harness.Session }

func newPrompt(t *testing.T, c *harness.Cloud) prompt {
	t.Helper()
	cmd := exec.Command("openstack")
	cmd.Env = append(os.Environ(), c.Env()...)
	cmd.Env = append(cmd.Env, "PYTHONUNBUFFERED=1", "HOME="+t.TempDir())
	return prompt{harness.StartSession(t, cmd)}
}

// run types a command and returns what it prints.
func (p prompt) run(t *testing.T, words ...string) string {
	t.Helper()
	const mark = "end of the command"
	for i, w := range words {
		if w == "" || strings.ContainsAny(w, ` "{}[]()<>|;&*?$!#\`) {
			// The prompt takes lines apart twice.
			words[i] = "'" + regexp.MustCompile(`[^\w]`).ReplaceAllString(w, `\$0`) + "'"
		}
	}
	out, _ := p.Run(t, strings.Join(words, " ")+"\n!echo "+mark, mark, commandTime)
	return strings.TrimSpace(out)
}

// once runs a command of its own, for words with quotes in them, which the prompt does not take.
func once(env []string, words ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openstack", words...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s%v", out, err)
	}
	return string(out)
}

// value types a command that shows an object, or makes one, and returns a column of it.
func (p prompt) value(t *testing.T, column string, command ...string) string {
	t.Helper()
	return p.run(t, append(command, "-f", "value", "-c", column)...)
}

// shell shows objects of the controller as Avi's shell does.
func (w *world) shell(t testing.TB, tenant string, words ...string) string {
	t.Helper()
	args := []string{"avi-emulator", "show", "--address", w.address, "--password", "avi123", "--ca-file", w.caFile, "--tenant", tenant}
	return w.Run(t, append(args, words...)...)
}

// row returns the value of a field in a table of the shell; "" where there is none.
func row(table, field string) string {
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) == 4 && strings.TrimSpace(cells[1]) == field {
			return strings.TrimSpace(cells[2])
		}
	}
	return ""
}

// contains tells whether a text has all of some others.
func contains(text string, all ...string) bool {
	return !slices.ContainsFunc(all, func(s string) bool { return !strings.Contains(text, s) })
}
