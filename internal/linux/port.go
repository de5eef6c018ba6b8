package linux

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"plimsoll/internal/failpoint"
	"plimsoll/internal/network"
)

// Port is what a port needs in a network namespace.
type Port struct {
	ID        string
	NetworkID string
	MAC       net.HardwareAddr
	MTU       int // bytes; 0 leaves the kernel's
	Addresses []netip.Prefix
	Routes    []Route
	// Link is how the name of the link begins in the namespace; "" is "tap".
	Link string
	// Guarded means that nothing passes before the guards of this host say what may.
	Guarded bool
	Segment network.Segment
	// Shared means that others may add addresses to the link, which are left alone, but for the former ones.
	Shared bool
	Former []netip.Prefix
}

// Route is a destination and its next hop; without one it is on the link.
type Route struct {
	Destination netip.Prefix
	NextHop     netip.Addr
}

// TapName is the name in its namespace of a port's link of the usual kind.
func TapName(portID string) string { return "tap" + eleven(portID) }

// LinkName is the name of the port's link in its namespace.
func (p Port) LinkName() string { return cmp.Or(p.Link, "tap") + eleven(p.ID) }

// HostName is the name of the host's end of a port's link.
func HostName(portID string) string { return "plm" + eleven(portID) }

// BridgeName is the name of a network's bridge.
func BridgeName(networkID string) string { return "brq" + eleven(networkID) }

// eleven shortens an id as Neutron does, so that a link's name fits the kernel's 15 characters.
func eleven(id string) string { return id[:min(11, len(id))] }

// EnsurePort connects a port to its network's bridge and to a namespace, and gives it there what it needs. It answers
// how many things it had to change.
func (h *Host) EnsurePort(namespace string, p Port) (int, error) {
	changed := 0
	// A change may uncover the next: what is wrong with a link shows once there is a link.
	for range 3 {
		todo, done, err := h.compare(namespace, p)
		if err != nil {
			return changed, fmt.Errorf("plug port %s into %s: %w", p.ID, namespace, err)
		}
		for _, c := range todo {
			if err = c.do(); err != nil {
				err = fmt.Errorf("plug port %s into %s: %s: %w", p.ID, namespace, c.what, err)
				break
			}
			changed++
			failpoint.Here("linux.port.changed")
		}
		done()
		if err != nil || len(todo) == 0 {
			return changed, err
		}
	}
	return changed, nil
}

// CheckPort tells what EnsurePort would change first, or "".
func (h *Host) CheckPort(namespace string, p Port) (string, error) {
	todo, done, err := h.compare(namespace, p)
	if errors.Is(err, ErrNoNamespace) {
		return "network namespace " + namespace + " is missing", nil
	}
	if err != nil {
		return "", err
	}
	defer done()
	if len(todo) == 0 {
		return "", nil
	}
	return fmt.Sprintf("port %s: %s is due", p.ID, todo[0].what), nil
}

// RemovePort removes a port's link, and its bridge when that was the last. Removing what is not there succeeds.
func (h *Host) RemovePort(portID string) error { return h.removeLink(HostName(portID)) }

func (h *Host) removeLink(name string) error {
	h.bridging.Lock()
	defer h.bridging.Unlock()
	link, err := h.links.LinkByName(name)
	if missing(err) { // the tables may know it all the same
		return h.openLink(name)
	}
	if err != nil {
		return err
	}
	if alias := link.Attrs().Alias; alias != h.stamp && alias != "" {
		return fmt.Errorf("remove link %s: %w", name, ErrForeign)
	}
	br := h.masterName(link)
	if err := h.links.LinkDel(link); err != nil && !missing(err) {
		return fmt.Errorf("remove link %s: %w", name, err)
	}
	failpoint.Here("linux.link.removed")
	if err := h.openLink(name); err != nil {
		return err
	}
	if br == "" {
		return nil
	}
	return h.pruneBridge(br)
}

func (h *Host) masterName(link netlink.Link) string {
	if link.Attrs().MasterIndex == 0 {
		return ""
	}
	br, err := h.links.LinkByIndex(link.Attrs().MasterIndex)
	if err != nil {
		return ""
	}
	return br.Attrs().Name
}

// change is one step of a plan.
type change struct {
	what string
	do   func() error
}

// plug is a port as it is found: the links are nil where there is none.
type plug struct {
	host      *Host
	namespace string
	inside    *netlink.Handle // of the namespace
	port      Port
	outer     netlink.Link // the host's end
	tap       netlink.Link // the end in the namespace
}

// compare reads what is there and lists what has to change, in order. The caller calls done when it no longer needs
// the list.
func (h *Host) compare(namespace string, p Port) (todo []change, done func(), err error) {
	inside, err := linksIn(namespace)
	if err != nil {
		return nil, nil, err
	}
	found := &plug{host: h, namespace: namespace, inside: inside, port: p}
	if err := found.read(); err != nil {
		inside.Close()
		return nil, nil, err
	}
	todo, err = found.changes()
	if err != nil {
		inside.Close()
		return nil, nil, err
	}
	return todo, inside.Close, nil
}

func (p *plug) read() (err error) {
	if p.outer, err = find(p.host.links, HostName(p.port.ID)); err != nil {
		return err
	}
	if p.tap, err = find(p.inside, p.port.LinkName()); err != nil {
		return err
	}
	if p.outer == nil {
		return nil
	}
	if alias := p.outer.Attrs().Alias; alias != p.host.stamp && alias != "" {
		return fmt.Errorf("use link %s: %w", p.outer.Attrs().Name, ErrForeign)
	}
	return nil
}

func find(links *netlink.Handle, name string) (netlink.Link, error) {
	link, err := links.LinkByName(name)
	if missing(err) {
		return nil, nil
	}
	return link, err
}

func (p *plug) changes() ([]change, error) {
	if !p.paired() {
		return []change{{"its link", p.makeLink}}, nil
	}
	guards, err := p.guardChanges()
	if err != nil {
		return nil, err
	}
	todo := slices.Concat(guards, p.outerChanges(), p.segmentChanges(), p.tapChanges())
	addresses, err := p.addressChanges()
	if err != nil {
		return nil, err
	}
	todo = append(todo, addresses...)
	news := change{"its announcement", p.announce}
	if p.tap.Attrs().Flags&net.FlagUp == 0 {
		return append(todo, change{"its link to be up", p.tapUp}, news), nil
	}
	if len(addresses) > 0 {
		todo = append(todo, news)
	}
	routes, err := p.routeChanges()
	return append(todo, routes...), err
}

// paired tells whether both ends are there and are ends of one link: a namespace that lost its name may still hold
// the other end of ours.
func (p *plug) paired() bool {
	return p.outer != nil && p.tap != nil &&
		p.outer.Attrs().ParentIndex == p.tap.Attrs().Index && p.tap.Attrs().ParentIndex == p.outer.Attrs().Index
}

func (p *plug) makeLink() error {
	if p.outer != nil {
		if err := p.host.removeLink(p.outer.Attrs().Name); err != nil {
			return err
		}
	}
	if p.tap != nil { // its other end went with the line above, or is in a foreign hand
		if err := p.inside.LinkDel(p.tap); err != nil && !missing(err) {
			return err
		}
	}
	ns, err := openNamespace(p.namespace)
	if err != nil {
		return err
	}
	defer func() { _ = ns.Close() }()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = HostName(p.port.ID), p.port.MTU
	link := &netlink.Veth{LinkAttrs: attrs, PeerName: p.port.LinkName(), PeerHardwareAddr: p.port.MAC,
		PeerNamespace: netlink.NsFd(ns.Fd()), PeerMTU: uint32(p.port.MTU)}
	if err := p.host.links.LinkAdd(link); err != nil {
		return err
	}
	failpoint.Here("linux.link.added")
	return nil
}

func (p *plug) outerChanges() []change {
	var todo []change
	link, links := p.outer, p.host.links
	if link.Attrs().Alias != p.host.stamp {
		todo = append(todo, change{"its stamp", func() error { return links.LinkSetAlias(link, p.host.stamp) }})
	}
	if mtu := p.port.MTU; mtu != 0 && link.Attrs().MTU != mtu {
		todo = append(todo, change{"its MTU", func() error { return links.LinkSetMTU(link, mtu) }})
	}
	if p.host.masterName(link) != BridgeName(p.port.NetworkID) {
		todo = append(todo, change{"its bridge", p.enslave})
	}
	if link.Attrs().Flags&net.FlagUp == 0 {
		todo = append(todo, change{"the host's end to be up", p.outerUp})
	}
	return todo
}

func (p *plug) enslave() error {
	p.host.bridging.Lock()
	defer p.host.bridging.Unlock()
	old := p.host.masterName(p.outer)
	br, err := p.host.bridge(p.port.NetworkID)
	if err != nil {
		return err
	}
	if p.port.Guarded { // before anything can pass
		if err := errors.Join(p.host.closeLink(p.outer.Attrs().Name, false), p.host.filterBridge(br.Attrs().Name)); err != nil {
			return err
		}
	}
	if err := p.host.links.LinkSetMaster(p.outer, br); err != nil {
		return err
	}
	failpoint.Here("linux.link.enslaved")
	if old == "" {
		return nil
	}
	return p.host.pruneBridge(old)
}

func (p *plug) outerUp() error {
	name := p.outer.Attrs().Name
	if err := setSysctls([]sysctl{{"net/ipv6/conf/" + name + "/disable_ipv6", "1"}}); err != nil {
		return err
	}
	if err := p.host.links.LinkSetUp(p.outer); err != nil {
		return err
	}
	failpoint.Here("linux.link.up")
	return nil
}

func (p *plug) tapChanges() []change {
	var todo []change
	link, links := p.tap, p.inside
	if link.Attrs().Alias != p.host.stamp {
		todo = append(todo, change{"its stamp", func() error { return links.LinkSetAlias(link, p.host.stamp) }})
	}
	if mac := p.port.MAC; len(mac) > 0 && !bytes.Equal(link.Attrs().HardwareAddr, mac) {
		todo = append(todo, change{"its MAC address", func() error { return links.LinkSetHardwareAddr(link, mac) }})
	}
	if mtu := p.port.MTU; mtu != 0 && link.Attrs().MTU != mtu {
		todo = append(todo, change{"its MTU", func() error { return links.LinkSetMTU(link, mtu) }})
	}
	if link.Attrs().Flags&net.FlagUp == 0 {
		todo = append(todo, change{"its kernel settings", p.tapSysctls})
	}
	return todo
}

func (p *plug) tapSysctls() error {
	name := p.tap.Attrs().Name
	return Within(p.namespace, func() error {
		return setSysctls([]sysctl{
			{"net/ipv4/conf/" + name + "/arp_notify", "1"},
			{"net/ipv4/conf/" + name + "/promote_secondaries", "1"}, // an address that goes takes no other with it
			{"net/ipv4/conf/" + name + "/rp_filter", "0"},
			{"net/ipv6/conf/" + name + "/disable_ipv6", "0"},
			{"net/ipv6/conf/" + name + "/ndisc_notify", "1"},
			{"net/ipv6/conf/" + name + "/accept_ra", "0"},
			{"net/ipv6/conf/" + name + "/autoconf", "0"},
			{"net/ipv6/conf/" + name + "/accept_dad", "0"},
		})
	})
}

// tapUp starts the link, and the loopback with it: a namespace that someone else made may have it down.
func (p *plug) tapUp() error {
	lo, err := p.inside.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := p.inside.LinkSetUp(lo); err != nil {
		return err
	}
	if err := p.inside.LinkSetUp(p.tap); err != nil {
		return err
	}
	failpoint.Here("linux.tap.up")
	return nil
}

// family is the kernel's number for an address's family.
func family(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
