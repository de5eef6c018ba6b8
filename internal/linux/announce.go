package linux

import (
	"os"
	"strings"
	"time"
)

// announce tells the network who has the port's addresses now: a neighbour that knew them at another MAC address asks that
// one for half a minute, and one that asked before the port was there asks again after a second.
//
// The kernel does so by itself when the link goes up (arp_notify, ndisc_notify), which is too early: the bridge hears of
// the link's carrier a moment later, and until then drops what comes from it. Setting a MAC address, the same one, too, makes
// the kernel announce all addresses again (NETDEV_CHANGEADDR in inetdev_event and ndisc_netdev_event).
func (p *plug) announce() error {
	p.awaitBridge()
	tap, err := p.inside.LinkByName(p.port.LinkName()) // with the MAC address that it was given since
	if err != nil {
		return err
	}
	return p.inside.LinkSetHardwareAddr(tap, tap.Attrs().HardwareAddr)
}

// awaitBridge waits until the bridge takes what comes from the port, which is a matter of milliseconds; a bridge that
// takes long costs the announcement, not the port.
func (p *plug) awaitBridge() {
	const forwarding = "3" // BR_STATE_FORWARDING of linux/if_bridge.h
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		state, err := os.ReadFile("/sys/class/net/" + HostName(p.port.ID) + "/brport/state")
		if err != nil || strings.TrimSpace(string(state)) == forwarding {
			return
		}
	}
}
