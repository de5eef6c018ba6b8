package haproxy

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func TestRender(t *testing.T) {
	opts := Options{StateDir: "/var/lib/plimsoll", User: "nobody", Group: "nogroup", FDLimit: 20000}
	for name, lb := range trees() {
		t.Run(name, func(t *testing.T) {
			text, _ := File(Render(lb, testPorts(), nil, opts))
			golden := filepath.Join("testdata", name+".conf")
			if *update {
				if err := os.WriteFile(golden, text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(text)); diff != "" {
				t.Errorf("Render(%s) (-want +got):\n%s", name, diff)
			}
			if output, err := accepted(t, text); err != nil {
				t.Errorf("HAProxy refuses %s: %v\n%s", name, err, output)
			}
		})
	}
}

// accepted asks the real HAProxy what it thinks of a configuration.
func accepted(t *testing.T, text []byte) (output []byte, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), ConfigFile)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return exec.Command("haproxy", "-c", "-f", file).CombinedOutput()
}
