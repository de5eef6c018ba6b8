package linux

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"plimsoll/internal/datagram"
	"plimsoll/internal/engine/enginepb"
)

// FuzzParse wants no message that a kernel might send, and no comment that somebody wrote into a rule, to end the program.
func FuzzParse(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{2, 0, 0, 0, 8, 0, 1, 128, 4, 0, 1, 0})
	f.Add([]byte{2, 0, 0, 0, 52, 0, 1, 128, 20, 0, 1, 128, 8, 0, 1, 0, 10, 0, 0, 1, 8, 0, 2, 0, 10, 0, 0, 2, 28, 0, 2, 128, 5, 0, 1, 0, 17, 0, 0, 0,
		6, 0, 2, 0, 0, 53, 0, 0, 6, 0, 3, 0, 0, 54, 0, 0})
	f.Add([]byte{0, 5, 'a', 'b', 'c', 'd', 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := parseFlow(b); err == nil && e.Protocol != "" && e.Protocol != datagram.UDP && e.Protocol != datagram.SCTP {
			t.Errorf("protocol %q", e.Protocol)
		}
		_, _, _ = parseElement(b)
		_ = comment(b)
	})
}

func TestParseFlow(t *testing.T) {
	b := []byte{unix.AF_INET, 0, 0, 0, 52, 0, 1, 128, 20, 0, 1, 128, 8, 0, 1, 0, 10, 0, 0, 1, 8, 0, 2, 0, 10, 0, 0, 2, 28, 0, 2, 128, 5, 0, 1, 0, 17, 0, 0, 0,
		6, 0, 2, 0, 16, 0, 0, 0, 6, 0, 3, 0, 0, 53, 0, 0}
	got, err := parseFlow(b)
	if err != nil {
		t.Fatal(err)
	}
	want := datagram.Tracked{Protocol: datagram.UDP, Source: netip.MustParseAddrPort("10.0.0.1:4096"), To: netip.MustParseAddrPort("10.0.0.2:53")}
	if got.Tracked != want {
		t.Errorf("parseFlow gives %v, want %v", got.Tracked, want)
	}
}

// TestFlows has a flow within a namespace that is translated, listed and forgotten, of each IP version.
func TestFlows(t *testing.T) {
	namespace := datagramNamespace(t)
	d := testDatagram(datagram.UDP, 53, &enginepb.Target{MemberId: "a", Address: "10.0.1.1", Port: 5353, Weight: 1})
	if err := carry(namespace, []*enginepb.Datagram{d}, nil); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"127.0.0.1:9", "[::1]:9"} {
		err := Within(namespace, func() error {
			c, err := new(net.Dialer).DialContext(context.Background(), "udp", address)
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			_, err = c.Write([]byte("?"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	now, err := Flows(namespace)
	if err != nil {
		t.Fatal(err)
	}
	var to []string
	for _, f := range now {
		to = append(to, f.Protocol+" "+f.To.String()+" "+f.Member.String())
	}
	if diff := cmp.Diff(map[string]bool{"udp 127.0.0.1:9 127.0.0.1:9": true, "udp [::1]:9 [::1]:9": true}, set(to)); diff != "" {
		t.Errorf("flows (-want +got):\n%s", diff)
	}
	four := func(f datagram.Tracked) bool { return f.To.Addr().Is4() }
	if n, err := ForgetFlows(namespace, four); n != 1 || err != nil {
		t.Errorf("ForgetFlows = %d, %v, want 1", n, err)
	}
	if now, err = Flows(namespace); err != nil || len(now) != 1 || four(now[0]) {
		t.Errorf("flows that are left: %v, %v", now, err)
	}
}

// TestForwardDatagrams sets and takes back what a namespace forwards and how long its flows may rest.
func TestForwardDatagrams(t *testing.T) {
	namespace := datagramNamespace(t)
	settings := func() string {
		var all []string
		err := Within(namespace, func() error {
			for _, name := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/netfilter/nf_conntrack_udp_timeout",
				"net/netfilter/nf_conntrack_udp_timeout_stream", "net/netfilter/nf_conntrack_sctp_timeout_established"} {
				text, err := os.ReadFile("/proc/sys/" + name)
				if err != nil {
					return err
				}
				all = append(all, strings.TrimSpace(string(text)))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(all, " ")
	}
	for _, step := range []struct {
		on        bool
		udp, sctp int
		want      string
	}{
		{true, 50, 60, "1 1 50 50 60"}, {true, 0, 0, "1 1 30 120 210"}, {false, 0, 0, "0 0 30 120 210"},
	} {
		if err := ForwardDatagrams(namespace, step.on, step.udp, step.sctp); err != nil {
			t.Fatal(err)
		}
		if got := settings(); got != step.want {
			t.Errorf("ForwardDatagrams(%t, %d, %d): %s, want %s", step.on, step.udp, step.sctp, got, step.want)
		}
	}
	if _, err := ReadDatagrams("plmtest-none", 0); err == nil {
		t.Error("a namespace that is not there is read")
	}
}
