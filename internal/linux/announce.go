package linux

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"

	"plimsoll/internal/guard"
)

// announce tells the network who has the port's addresses now: a neighbour that knew them at another MAC address asks that
// one for half a minute, and one that asked before the port was there asks again after a second.
//
// The kernel does so by itself when the link goes up (arp_notify, ndisc_notify), which is too early: the bridge hears of
// the link's carrier a moment later, and until then drops what comes from it. Setting a MAC address, the same one, too, makes
// the kernel announce all addresses again (NETDEV_CHANGEADDR in inetdev_event and ndisc_netdev_event).
func (p *plug) announce() error {
	p.awaitBridge()
	namespace, tap := p.namespace, p.port.LinkName()
	again := func() error {
		inside, err := linksIn(namespace)
		if err != nil {
			return err
		}
		defer inside.Close()
		return announceLink(inside, tap)
	}
	p.host.announces(unheard{p.outer.Attrs().Name, p.port.MAC, p.port.Addresses, again})
	return announceLink(p.inside, tap)
}

func announceLink(links *netlink.Handle, name string) error {
	tap, err := links.LinkByName(name) // with the MAC address that it was given since
	if err != nil {
		return err
	}
	return links.LinkSetHardwareAddr(tap, tap.Attrs().HardwareAddr)
}

// unheard is an announcement that the guard of its port does not let pass yet.
type unheard struct {
	link      string
	mac       net.HardwareAddr
	addresses []netip.Prefix
	again     func() error
}

// passes tells whether the guard lets the announcement pass.
func (u unheard) passes(s guard.State) bool {
	if guarded, _ := s.Guards(u.link); !guarded || len(u.mac) != len(guard.MAC{}) {
		return true
	}
	return !slices.ContainsFunc(u.addresses, func(a netip.Prefix) bool { return !s.Speaks(u.link, guard.MAC(u.mac), a.Addr()) })
}

// announces notes an announcement that is about to be made, and that its port's guard does not know of yet.
func (h *Host) announces(u unheard) {
	g := &h.guards
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.unheard, u.link)
	if u.passes(g.state) {
		return
	}
	if g.unheard == nil {
		g.unheard = map[string]unheard{}
	}
	g.unheard[u.link] = u
}

// announceUnheard makes the announcements again that pass by now.
func (h *Host) announceUnheard() {
	g := &h.guards
	g.mu.Lock()
	var due []unheard
	for link, u := range g.unheard {
		if u.passes(g.state) {
			due = append(due, u)
			delete(g.unheard, link)
		}
	}
	g.mu.Unlock()
	for _, u := range due {
		_ = u.again() // what cannot be announced is gone, or costs its neighbours the half minute
	}
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
