package harness

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Program runs a plimsoll command that serves until the test ends, with variables beside the test's own, and returns what it
// says to be ready on. The test fails when the command does not end well.
func Program(t testing.TB, env []string, args ...string) (url string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), args[0]+".log")
	p, err := launch(log, append(os.Environ(), env...), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(10 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.ended
			t.Errorf("plimsoll %s did not end within 10 s of SIGTERM", args[0])
		}
		if text, _ := os.ReadFile(log); p.exit != nil {
			t.Errorf("plimsoll %s ended with %v\n%s", args[0], p.exit, text)
		}
	})
	select {
	case url = <-p.ready:
		return url
	case <-p.ended:
		text, _ := os.ReadFile(log)
		t.Fatalf("plimsoll %s ended before it served: %v\n%s", args[0], p.exit, text)
	case <-time.After(startTime):
		t.Fatalf("plimsoll %s did not serve within %v", args[0], startTime)
	}
	return ""
}
