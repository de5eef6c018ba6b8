package transcript

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"plimsoll/test/harness"
)

// TestNeutronLBaaS runs the page about the commands of old, which an ordinary user goes through.
func TestNeutronLBaaS(t *testing.T) {
	t.Parallel()
	exchanges := read(t, "neutron-lbaas.md", 25)
	server := harness.Start(t)
	// The page's names of namespaces are one's own on one's own machine; here another run may use them at the same time.
	own := fmt.Sprintf("plm%d-", os.Getpid())
	here := []string{"/var/lib/plimsoll", server.StateDir, "--netns ", "--netns " + own}
	for _, name := range []string{"web", "client"} {
		here = append(here, "netns exec "+name, "netns exec "+own+name)
	}
	startShell(t, server, server.Demo(t).Env()...).runAll(t, exchanges, strings.NewReplacer(here...))
}
