package transcript

import (
	"strings"
	"testing"

	"plimsoll/test/harness"
)

// TestTopology runs the page about the picture.
func TestTopology(t *testing.T) {
	t.Parallel()
	exchanges := read(t, "topology.md", 10)
	startShell(t, harness.Start(t)).runAll(t, exchanges, strings.NewReplacer())
}
