package e2e

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"plimsoll/test/harness"
)

// killHAProxies kills every HAProxy of the server.
func (s *site) killHAProxies(t *testing.T) {
	t.Helper()
	all := s.HAProxies()
	if len(all) == 0 {
		t.Error("there is no HAProxy to kill")
	}
	for _, p := range all {
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
			t.Errorf("kill %d: %v", p.PID, err)
		}
	}
}

// deleteNamespace deletes a namespace behind the server's back.
func deleteNamespace(t *testing.T, name string) {
	t.Helper()
	if out, err := exec.Command("ip", "netns", "delete", name).CombinedOutput(); err != nil {
		t.Fatalf("delete namespace %s: %v\n%s", name, err, out)
	}
}

// TestRepair breaks the data plane behind the server's back; it heals by itself.
func TestRepair(t *testing.T) {
	s := newSite(t, 2, harness.Tree{})
	second := s.BuildTree(t, s.net, harness.Tree{Members: s.webs})
	s.WaitActive(t, second.ID)
	heals := func(what string) {
		t.Helper()
		start := time.Now()
		for _, lb := range []*harness.LB{s.lb, second} {
			harness.Eventually(t, 30*time.Second, func() error {
				_, err := s.client.Get(lb.Address)
				return err
			})
			s.WaitActive(t, lb.ID)
		}
		t.Logf("%s: answers again after %v", what, time.Since(start).Round(time.Millisecond))
	}
	s.killHAProxies(t)
	heals("HAProxy killed")

	for _, lb := range []*harness.LB{s.lb, second} {
		deleteNamespace(t, "qlbaas-"+lb.ID)
	}
	s.killHAProxies(t)
	heals("HAProxy killed and its namespace deleted")

	// While nobody looks, everything goes, the members' and the client's namespaces too.
	s.Stop(t)
	for _, p := range s.Engines() {
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
			t.Errorf("kill %d: %v", p.PID, err)
		}
	}
	s.killHAProxies(t)
	for _, w := range s.webs {
		w.Stop()
		deleteNamespace(t, w.Node.NetNS)
	}
	deleteNamespace(t, s.client.NetNS)
	for _, lb := range []*harness.LB{s.lb, second} {
		deleteNamespace(t, "qlbaas-"+lb.ID)
	}
	s.Start(t)
	for _, w := range s.webs {
		harness.Eventually(t, 20*time.Second, func() error { return w.TryStart() })
	}
	heals("everything gone, as after a reboot")
}
