package haproxy

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/engine/enginepb"
)

var update = flag.Bool("update", false, "write the golden files")

func TestRender(t *testing.T) {
	opts := Options{StateDir: "/var/lib/plimsoll", User: "nobody", Group: "nogroup", FDLimit: 20000}
	secrets, _ := testSecrets(t)
	for name, lb := range trees() {
		t.Run(name, func(t *testing.T) {
			spec := Render(lb, testPorts(), secrets, opts)
			text, _ := File(spec)
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
			if output, err := accepted(t, text, spec.Files...); err != nil {
				t.Errorf("HAProxy refuses %s: %v\n%s", name, err, output)
			}
		})
	}
}

// accepted asks the real HAProxy what it thinks of a configuration and its files.
func accepted(t *testing.T, text []byte, files ...*enginepb.File) (output []byte, err error) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, ConfigFile), text)
	writeFiles(t, dir, &enginepb.Spec{Files: files})
	cmd := exec.Command("haproxy", "-c", "-f", ConfigFile)
	cmd.Dir = dir
	return cmd.CombinedOutput()
}
