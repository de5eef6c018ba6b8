package config

import (
	"os"
	"strings"
	"testing"
)

// TestEveryOptionIsDocumented looks for each option in its section's part of the table.
func TestEveryOptionIsDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	section := ""
	for line := range strings.Lines(string(data)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 {
			continue
		}
		if name := strings.Trim(cells[1], " `[]"); name != "" {
			section = name
		}
		documented[section+" "+strings.Trim(cells[2], " `")] = true
	}
	c := Default()
	for _, o := range c.options() {
		if !documented[o.section+" "+o.name] {
			t.Errorf("docs/configuration.md does not list %s in [%s]", o.name, o.section)
		}
		delete(documented, o.section+" "+o.name)
	}
	delete(documented, "section option")
	delete(documented, "--- ---")
	for name := range documented {
		t.Errorf("docs/configuration.md lists %q, which does not exist", name)
	}
}
