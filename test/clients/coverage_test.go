package clients

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// general are the options of every command that prints.
var general = []string{
	"--help", "--noindent", "--max-width", "--fit-width", "--print-empty", "--prefix", "--quote", "--sort-column",
	"--sort-ascending", "--sort-descending",
}

// everyOption asks the client for its commands and their options, and looks whether the scripts use them all.
func (s *site) everyOption(t *testing.T) {
	prompt := s.prompt(t)
	commands := append(prompt.commands(t, "openstack.load_balancer.v2", 80), prompt.commands(t, "openstack.key_manager.v1", 19)...)
	used := usedOptions(t, commands)
	option := regexp.MustCompile(`--[a-z0-9][a-z0-9-]*`)
	for _, command := range commands {
		if _, ok := used[command]; !ok {
			t.Errorf("no script uses openstack %s", command)
		}
		usage, _, _ := strings.Cut(prompt.run(t, "help "+command), "\n\n")
		for _, o := range option.FindAllString(usage, -1) {
			if !slices.Contains(general, o) && !slices.Contains(used[command], o) {
				t.Errorf("no script uses openstack %s %s", command, o)
			}
		}
	}
}

// commands returns those of a group, of which there are that many at least.
func (p prompt) commands(t *testing.T, group string, least int) []string {
	t.Helper()
	var groups []struct {
		Commands []string `json:"Commands"`
	}
	list := p.run(t, "command list --group "+group+" -f json")
	if err := json.Unmarshal([]byte(list), &groups); err != nil || len(groups) != 1 || len(groups[0].Commands) < least {
		t.Fatalf("list the commands of %s: %v\n%s", group, err, list)
	}
	return groups[0].Commands
}

// usedOptions returns the options of each command that the scripts use.
func usedOptions(t *testing.T, commands []string) map[string][]string {
	used := map[string][]string{}
	for _, script := range scripts {
		for _, step := range parse(t, script) {
			command := longest(commands, step.command)
			used[command] = append(used[command], slices.DeleteFunc(words(step.command), func(w string) bool { return !strings.HasPrefix(w, "--") })...)
		}
	}
	return used
}

// longest returns the longest of the commands that a line begins with.
func longest(commands []string, line string) string {
	found := ""
	for _, c := range commands {
		if strings.HasPrefix(line+" ", c+" ") && len(c) > len(found) {
			found = c
		}
	}
	return found
}
