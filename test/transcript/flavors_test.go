package transcript

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plimsoll/test/harness"
)

// TestFlavors runs the page about flavors, against an emulated controller, as an administrator.
func TestFlavors(t *testing.T) {
	t.Parallel()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	url := harness.Program(t, []string{"AVI_PASSWORD=avi123"}, "avi-emulator", "--listen", "127.0.0.1:0", "--ca-file", ca,
		"--se-group", "se-group-1", "--se-group", "se-group-2")
	address := strings.TrimPrefix(url, "https://")
	here := strings.NewReplacer("127.0.0.1:9443", address, "avi-ca.pem", ca)
	exchanges := read(t, "flavors.md", 25)
	server := harness.Start(t, harness.Config(here.Replace(configurationOf(t, "flavors.md"))))
	startShell(t, server, "AVI_PASSWORD=avi123").runAll(t, exchanges, here)
}

// configurationOf is the file that a page has for the server.
func configurationOf(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("../../docs", name))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "cat > avi.conf <<END\n")
	text, _, found := strings.Cut(after, "\nEND\n")
	if !found {
		t.Fatal("the page has no avi.conf")
	}
	return text + "\n"
}
