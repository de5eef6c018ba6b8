package datagram

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/engine/enginepb"
)

var update = flag.Bool("update", false, "write the golden files")

// uid(kind, n) is the id of the n-th listener (1), pool (2) or member (3).
func uid(kind, n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, n) }

func member(n int, address string, weight int32) *enginepb.Target {
	return &enginepb.Target{MemberId: uid(3, n), Address: address, Port: 5353, Weight: weight}
}

func udp(n int, targets ...*enginepb.Target) *enginepb.Datagram {
	return &enginepb.Datagram{ListenerId: uid(1, n), PoolId: uid(2, n), Protocol: UDP, Addresses: []string{"10.0.0.5"}, Port: int32(52 + n),
		Algorithm: RoundRobin, IdleMilliseconds: 50000, Targets: targets}
}

type planCase struct {
	listeners []*enginepb.Datagram
	down      map[string]bool
}

// plans are the listeners of the golden files.
func plans() map[string]planCase {
	weighted := udp(1, member(1, "10.93.48.3", 3), member(2, "10.93.48.4", 1), member(3, "10.93.48.5", 0))
	return map[string]planCase{
		"none":       {},
		"poolless":   {listeners: []*enginepb.Datagram{{ListenerId: uid(1, 1), Protocol: UDP, Addresses: []string{"10.0.0.5"}, Port: 53}}},
		"weights":    {listeners: []*enginepb.Datagram{weighted}},
		"down":       {listeners: []*enginepb.Datagram{weighted}, down: map[string]bool{uid(3, 1): true}},
		"nobody":     {listeners: []*enginepb.Datagram{weighted}, down: map[string]bool{uid(3, 1): true, uid(3, 2): true}},
		"everything": {listeners: []*enginepb.Datagram{everything()}},
		"sctp":       {listeners: []*enginepb.Datagram{sctp(), udp(2, member(1, "10.93.48.3", 1))}},
	}
}

// everything has two families, backups, persistence by ranges, a limit and ranges of clients.
func everything() *enginepb.Datagram {
	backup := member(2, "10.93.48.4", 1)
	backup.Backup = true
	off := member(3, "10.93.48.5", 1)
	off.Disabled = true
	d := udp(1, off, backup, member(4, "2001:db8:1::3", 2), member(5, "2001:db8:1::4", 256))
	d.Addresses = []string{"2001:db8::5", "10.0.0.5", "10.0.1.5"}
	d.PersistenceSeconds, d.PersistenceBits4, d.PersistenceBits6 = 360, 24, 64
	d.ConnectionLimit = 1000
	d.AllowedCidrs = []string{"192.0.2.0/24", "10.0.0.1/8", "2001:db8::/32", "192.0.2.0/24"}
	return d
}

func sctp() *enginepb.Datagram {
	d := udp(1, member(1, "10.93.48.3", 1))
	d.Protocol, d.Port = SCTP, 3868
	return d
}

func TestPlan(t *testing.T) {
	for name, c := range plans() {
		t.Run(name, func(t *testing.T) {
			if err := Check(c.listeners); err != nil {
				t.Fatal(err)
			}
			text := Plan(c.listeners, c.down).String()
			golden := filepath.Join("testdata", name+".nft")
			if *update {
				if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), text); diff != "" {
				t.Errorf("Plan(%s) (-want +got):\n%s", name, diff)
			}
			accepted(t, text)
		})
	}
}

// accepted shows a table to nft(8), which asks the kernel.
func accepted(t *testing.T, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "table.nft")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("unshare", "--net", "nft", "-c", "-f", file).CombinedOutput(); err != nil {
		t.Errorf("nft refuses it: %v\n%s", err, out)
	}
}
