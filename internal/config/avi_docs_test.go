package config

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEveryOptionOfAviIsDocumented looks for the options of a section like [avi_adc], in their order.
func TestEveryOptionOfAviIsDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/providers/avi.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	inside := false
	for line := range strings.Lines(string(data)) {
		inside = strings.HasPrefix(line, "| option | default |") || inside && strings.HasPrefix(line, "|")
		if name := strings.Trim(strings.Split(line+"||", "|")[1], " `"); inside && name != "option" && name != "---" {
			documented = append(documented, name)
		}
	}
	a := defaultAvi()
	var want []string
	for _, o := range aviOptions("avi_adc", &a) {
		want = append(want, o.name)
	}
	if diff := cmp.Diff(want, documented); diff != "" {
		t.Errorf("docs/providers/avi.md lists other options (-have +documented):\n%s", diff)
	}
}
