package linux

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"plimsoll/internal/guard"
)

// TestGuardLearnsNothing wants a bridge to learn no MAC address from frames for itself (IEEE 802.1D, table 7-10): no table of guards sees those,
// and with a neighbour's address in them a guarded port would get what is sent to the neighbour.
func TestGuardLearnsNothing(t *testing.T) {
	y := newYard(t)
	victim, thief := y.station(1, false), y.station(2, true, "all")
	y.groups = []guard.Group{{ID: "all", Rules: append(egress(), ingress(false, -1, -1, -1))}}
	y.apply()
	thief.reach(victim, true, web)
	packets := packetSocket(t, thief)
	for last := range byte(16) {
		lie := frame(victim.port.MAC, 0x88cc, make([]byte, 46)...)
		copy(lie, net.HardwareAddr{1, 0x80, 0xc2, 0, 0, last})
		if _, err := packets.Write(lie); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("bridge", "fdb", "show", "br", BridgeName(y.network)).CombinedOutput()
	if err != nil {
		t.Fatalf("bridge: %v: %s", err, out)
	}
	if at := victim.port.MAC.String() + " dev " + HostName(thief.port.ID); strings.Contains(string(out), at) {
		t.Errorf("the neighbour's address was stolen: %s", out)
	}
}
