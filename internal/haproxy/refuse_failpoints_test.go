//go:build failpoints

package haproxy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRefuse shows that the failpoint has HAProxy refuse the object of the name that it holds, and only that.
func TestRefuse(t *testing.T) {
	for name, want := range map[string]string{"front 1": uid(1, 1), "pool 1": uid(2, 1), "member 2": uid(3, 2)} {
		t.Setenv("PLIMSOLL_FAILPOINT_VALUES", "haproxy.refuse="+name)
		text, lines := File(Render(simpleTree(), nil, nil, testDir))
		output, err := accepted(t, text)
		if err == nil {
			t.Errorf("HAProxy takes %s", name)
		}
		if diff := cmp.Diff([]string{want}, Blame(ParseAlerts(output), lines)); diff != "" {
			t.Errorf("blamed for %s (-want +got):\n%s\n%s", name, diff, output)
		}
	}
}
