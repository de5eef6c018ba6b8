package linux

import (
	"os/exec"
	"testing"
)

// TestGuardOfLinkThatIsGone: a port that is removed after somebody else took its link away leaves nothing in the tables, although no plan
// came since.
func TestGuardOfLinkThatIsGone(t *testing.T) {
	h := testHost(t)
	p := testPort()
	p.Guarded = true
	ensurePort(t, h, ensureNamespace(t, h), p, true)
	link := HostName(p.ID)
	if guarded, closed := h.guards.state.Guards(link); !guarded || !closed {
		t.Fatalf("guarded %t, closed %t", guarded, closed)
	}
	if out, err := exec.Command("ip", "link", "del", link).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for range 2 {
		if err := h.RemovePort(p.ID); err != nil {
			t.Fatal(err)
		}
	}
	state, err := readGuards(h.guardTable())
	if err != nil {
		t.Fatal(err)
	}
	if guarded, _ := state.Guards(link); guarded {
		t.Error("the tables still know the link")
	}
}
