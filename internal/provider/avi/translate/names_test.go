package translate

import (
	"strings"
	"testing"
	"unicode/utf8"

	"plimsoll/lbaas"
)

func TestNamesAreBounded(t *testing.T) {
	long := strings.Repeat("ä", 300)
	for _, got := range []string{bounded(long), alias(long, sessionPool), alias(long, ""), alias("", long)} {
		if !utf8.ValidString(got) {
			t.Errorf("%q is no UTF-8", got)
		}
	}
	if n := utf8.RuneCountInString(bounded(long)); n != maxName {
		t.Errorf("a long name has %d characters", n)
	}
	got := alias(long, sessionPool)
	if n := utf8.RuneCountInString(got); n != maxName || !strings.HasSuffix(got, "ä-"+sessionPool) {
		t.Errorf("the alias of a long name has %d characters: %s", n, got)
	}
}

func TestNamesArePlain(t *testing.T) {
	for name, want := range map[string]string{"": "", "a$b\tc\r\n\x00": "a_bc", "ünï:code #?&'\"": "ünï:code #?&'\"", "日本\u202e": "日本"} {
		if got := bounded(name); got != want {
			t.Errorf("name %q is %q, want %q", name, got, want)
		}
		if got := alias(name, "id"); got != want+"-id" {
			t.Errorf("alias of %q: %q", name, got)
		}
	}
	h := &lbaas.HealthMonitor{Object: up("h", "\n"), Type: lbaas.MonitorPing}
	if got := (&translation{}).monitor(h, nil, false).Owned["name"]; got != "PING-h" {
		t.Errorf("a monitor whose name cannot be printed: %q", got)
	}
}

// A pool's copies are told apart however long its name is.
func TestPoolName(t *testing.T) {
	p := sessionTree().Pools[0]
	p.Name = strings.Repeat("ä", 255)
	all := (&translation{}).pool(p, owner{id: sessionListener})
	name, _ := all[len(all)-1].Owned["name"].(string)
	if n := utf8.RuneCountInString(name); n != maxName || !strings.HasSuffix(name, "ä-"+sessionListener) {
		t.Errorf("a pool's long name has %d characters: %s", n, name)
	}
}

func TestListenerName(t *testing.T) {
	lb := sessionTree()
	lb.Name = ""
	lb.Listeners[0].Name = ""
	tr := &translation{lb: lb}
	if got := tr.listenerName(lb.Listeners[0]); got != "10.0.3.3:80" {
		t.Errorf("name of what has no name: %q", got)
	}
}
