package engine

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestDHCPOptionNames wants dnsmasq to take every option as it is written: from the file of options it passes over what it cannot read.
func TestDHCPOptionNames(t *testing.T) {
	t.Parallel()
	program, err := dnsmasqProgram()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string // "" is refused
		six        bool
	}{
		{"", "", false}, {"nonsense", "", false}, {"0", "", false}, {"255", "", false}, {"066", "", false}, {"-1", "", false},
		{"65536", "", true}, {"tftp-server", "", true},
		{"66", "66", false}, {"150", "150", false}, {"254", "254", false}, {"tftp-server", "option:tftp-server", false},
		{"23", "option6:23", true}, {"65535", "option6:65535", true}, {"bootfile-url", "option6:bootfile-url", true},
	} {
		got, err := dhcpOptionName(c.name, c.six)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("dhcpOptionName(%q, %v) = %q, %v, want %q", c.name, c.six, got, err, c.want)
		}
		if err != nil {
			continue
		}
		value := "10.0.0.5"
		if c.six {
			value = "[2001:db8::5]"
		}
		conf := filepath.Join(t.TempDir(), "conf")
		if err := os.WriteFile(conf, []byte("port=0\ndhcp-option=tag:x,"+got+","+value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(program, "--test", "--conf-file="+conf).CombinedOutput(); err != nil {
			t.Errorf("dnsmasq does not take %s: %s", got, out)
		}
	}
}
