package clients

import (
	"os"
	"os/exec"
	"testing"
)

// sdk has openstacksdk go through its own script, as the administrator. It is Debian's, which Debian's python3 has.
func (s *site) sdk(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "sdk.py", s.net.SubnetID, s.ProjectID)
	cmd.Env = append(os.Environ(), s.Server.Env()...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("sdk.py: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}
