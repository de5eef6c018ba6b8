package engine

import (
	"os"
	"path/filepath"
	"testing"
)

// TestDnsmasqIsNotLost has a start fail after the process has detached itself, as when the caller hangs up in the middle of it: no second one
// comes beside it.
func TestDnsmasqIsNotLost(t *testing.T) {
	w := newDHCPWorld(t)
	w.plugServer()
	program, err := dnsmasqProgram()
	if err != nil {
		t.Fatal(err)
	}
	processes := func() (n int) {
		t.Helper()
		found, err := findDnsmasqs(filepath.Join(dnsmasqRoot, w.config.Instance) + "/")
		if err != nil {
			t.Fatal(err)
		}
		for _, pids := range found {
			n += len(pids)
		}
		return n
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "dnsmasq"), []byte("#!/bin/sh\n"+program+" \"$@\"\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := os.Getenv("PATH")
	t.Setenv("PATH", bin+":"+path)
	if failures := w.applyPlan(w.plan); len(failures) != 1 {
		t.Errorf("failures: %v", failures)
	}
	if n := processes(); n != 0 {
		t.Errorf("%d processes of which the engine knows nothing", n)
	}
	t.Setenv("PATH", path)
	w.apply()
	if n := processes(); n != 1 {
		t.Errorf("%d processes serve one network", n)
	}
}
