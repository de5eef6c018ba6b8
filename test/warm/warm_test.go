package warm_test

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/test/warm"
)

// outcome is all that a program leaves.
type outcome struct {
	Out, Err string
	Status   int
}

// TestSame calls the clients as they are and warm, twice since a later call finds more that is imported.
func TestSame(t *testing.T) {
	for _, args := range []string{"openstack --version", "openstack network listx", "openstack help network list", "neutron --version", "neutron net-listx",
		"openstack --os-auth-url http://127.0.0.1:1/v3 --os-username ü --os-password x --os-project-name x network list"} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			cold := run(t, "", strings.Fields(args))
			for range 2 {
				if diff := cmp.Diff(cold, run(t, warm.Path(t)+":", strings.Fields(args))); diff != "" {
					t.Errorf("(-cold +warm):\n%s", diff)
				}
			}
		})
	}
}

// address is of an object of Python, as it shows them.
var address = regexp.MustCompile(`0x[0-9a-f]+`)

func run(t *testing.T, path string, args []string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/usr/bin/env", args...)
	cmd.Env = []string{"PATH=" + path + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8"}
	cmd.Dir = t.TempDir()
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{address.ReplaceAllString(out.String(), ""), address.ReplaceAllString(errs.String(), ""), cmd.ProcessState.ExitCode()}
}
