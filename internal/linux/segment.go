package linux

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"plimsoll/internal/failpoint"
	"plimsoll/internal/network"
)

// Uplinks are the ways out of this host that networks may use.
type Uplinks struct {
	Interfaces map[string]string // of physical networks, by their names
	TunnelIP   netip.Addr        // this host's end of VXLANs; the zero Addr is none
	TunnelPort int               // of UDP; 0 is 4789 (RFC 7348)
}

// vxlanPort is IANA's.
const vxlanPort = 4789

// SetUplinks says what the host's networks may be joined to. It is called at most once, before the Host is used.
func (h *Host) SetUplinks(u Uplinks) { h.uplinks = u }

// segmentChanges come before the port's end is up, so that its announcement leaves the host.
func (p *plug) segmentChanges() []change {
	segment := p.port.Segment
	if !segment.Wide() || p.host.joined(p.port.NetworkID, segment) {
		return nil
	}
	what := "the network's " + segment.Type
	if segment.ID != 0 {
		what += " " + strconv.Itoa(segment.ID)
	}
	return []change{{what, func() error { return p.host.join(p.port.NetworkID, segment, p.port.MTU) }}}
}

// joined tells whether a network's bridge is joined to its segment.
func (h *Host) joined(networkID string, s network.Segment) bool {
	name, err := h.segmentLink(s)
	if err != nil {
		return false
	}
	link, err := h.links.LinkByName(name)
	return err == nil && h.masterName(link) == BridgeName(networkID) && link.Attrs().Flags&net.FlagUp != 0 && h.made(link, s)
}

// segmentLink is the name of the link by which a segment is reached.
func (h *Host) segmentLink(s network.Segment) (string, error) {
	if s.Type == network.TypeVXLAN {
		if !h.uplinks.TunnelIP.IsValid() {
			return "", errors.New("this host has no address for tunnels: local_ip in [vxlan] is not set")
		}
		return "vxlan-" + strconv.Itoa(s.ID), nil
	}
	name := h.uplinks.Interfaces[s.Physical]
	if name == "" {
		return "", fmt.Errorf("physical network %s has no interface on this host: physical_interface_mappings in [linux_bridge] does not name one", s.Physical)
	}
	if s.Type == network.TypeVLAN {
		return vlanName(name, s.ID), nil
	}
	return name, nil
}

// vlanName is the name of a VLAN's link, as Neutron's users know it: <interface>.<id>. Where that is too long for the kernel, a digest
// stands for the interface.
func vlanName(parent string, id int) string {
	name := parent + "." + strconv.Itoa(id)
	if len(name) <= network.MaxLinkName {
		return name
	}
	sum := sha256.Sum256([]byte(parent))
	suffix := "." + strconv.Itoa(id)
	return parent[:4] + hex.EncodeToString(sum[:])[:network.MaxLinkName-4-len(suffix)] + suffix
}

// made tells whether a link is what joins a bridge to the segment.
func (h *Host) made(link netlink.Link, s network.Segment) bool {
	switch l := link.(type) {
	case *netlink.Vxlan:
		return s.Type == network.TypeVXLAN && l.VxlanId == s.ID && l.Port == h.tunnelPort() && l.SrcAddr.Equal(h.uplinks.TunnelIP.AsSlice()) &&
			l.Alias == h.stamp
	case *netlink.Vlan:
		if s.Type == network.TypeVLAN {
			return l.VlanId == s.ID && l.Alias == h.stamp && h.isParent(l, s)
		}
	}
	return s.Type == network.TypeFlat && h.marked(link)
}

func (h *Host) isParent(l *netlink.Vlan, s network.Segment) bool {
	parent, err := h.links.LinkByName(h.uplinks.Interfaces[s.Physical])
	return err == nil && parent.Attrs().Index == l.ParentIndex
}

func (h *Host) tunnelPort() int {
	if h.uplinks.TunnelPort == 0 {
		return vxlanPort
	}
	return h.uplinks.TunnelPort
}

// join joins a network's bridge, which is there, to its segment.
func (h *Host) join(networkID string, s network.Segment, mtu int) error {
	h.bridging.Lock()
	defer h.bridging.Unlock()
	name, err := h.segmentLink(s)
	if err != nil {
		return err
	}
	br, err := h.links.LinkByName(BridgeName(networkID))
	if err != nil {
		return err
	}
	link, err := h.segment(name, s, br, mtu)
	if err != nil {
		return err
	}
	if link.Attrs().MasterIndex != br.Attrs().Index {
		if err := h.releaseOthers(br, name); err != nil {
			return err
		}
		if err := h.links.LinkSetMaster(link, br); err != nil {
			return fmt.Errorf("join %s to %s: %w", name, br.Attrs().Name, err)
		}
	}
	failpoint.Here("linux.segment.joined")
	if err := h.links.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

// releaseOthers takes out of a bridge what joined it to a segment when uplinks were others: with two of them it would join what is apart. The
// caller holds bridging.
func (h *Host) releaseOthers(br netlink.Link, but string) error {
	names, err := bridged(br.Attrs().Name)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == but || strings.HasPrefix(name, "plm") {
			continue
		}
		link, err := h.links.LinkByName(name)
		if missing(err) || err == nil && link.Attrs().Alias != h.stamp && !h.marked(link) {
			continue
		}
		if err == nil {
			err = h.release(link)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// segment finds or makes the link of a segment. The caller holds bridging.
func (h *Host) segment(name string, s network.Segment, br netlink.Link, mtu int) (netlink.Link, error) {
	if s.Type == network.TypeFlat {
		return h.physical(name, s, br)
	}
	link, err := find(h.links, name)
	if err != nil {
		return nil, err
	}
	if link != nil && h.made(link, s) {
		return link, nil
	}
	if link != nil {
		if err := h.evict(link, s, br); err != nil {
			return nil, err
		}
	}
	if s.Type == network.TypeVLAN {
		err = h.addVLAN(name, s)
	} else {
		err = h.addVXLAN(name, s, mtu)
	}
	if err != nil {
		return nil, err
	}
	failpoint.Here("linux.segment.added")
	return h.finishSegment(name)
}

// evict removes a link that has the name of a segment's and is not it: one of ours is of another configuration; one without a stamp that
// nobody uses is what a crash left.
func (h *Host) evict(link netlink.Link, s network.Segment, br netlink.Link) error {
	attrs := link.Attrs()
	free := attrs.MasterIndex == 0 || attrs.MasterIndex == br.Attrs().Index
	address, err := h.address(link)
	if err != nil {
		return err
	}
	used := attrs.Flags&net.FlagUp != 0 || address != ""
	if !free || attrs.Alias != h.stamp && (attrs.Alias != "" || link.Type() != s.Type || used) {
		return fmt.Errorf("use link %s: %w", attrs.Name, ErrForeign)
	}
	if err := h.links.LinkDel(link); err != nil && !missing(err) {
		return fmt.Errorf("remove %s: %w", attrs.Name, err)
	}
	return nil
}

func (h *Host) finishSegment(name string) (netlink.Link, error) {
	link, err := h.links.LinkByName(name)
	if err != nil {
		return nil, err
	}
	if err := h.links.LinkSetAlias(link, h.stamp); err != nil {
		return nil, fmt.Errorf("stamp %s: %w", name, err)
	}
	if err := setSysctls([]sysctl{{"net/ipv6/conf/" + name + "/disable_ipv6", "1"}}); err != nil {
		return nil, err
	}
	if _, ok := link.(*netlink.Vxlan); ok {
		if err := h.syncPeers(link); err != nil {
			return nil, err
		}
	}
	return h.links.LinkByName(name)
}

// physical prepares a physical interface for a flat network's bridge. One that the host itself uses is refused: it would be cut off.
func (h *Host) physical(name string, s network.Segment, br netlink.Link) (netlink.Link, error) {
	link, err := h.interfaceOf(name, s)
	if err != nil {
		return nil, err
	}
	if master := link.Attrs().MasterIndex; master != 0 && master != br.Attrs().Index {
		return nil, fmt.Errorf("interface %s of physical network %s belongs to %s", name, s.Physical, cmp.Or(h.masterName(link), "another link"))
	}
	switch address, err := h.address(link); {
	case err != nil:
		return nil, err
	case address != "":
		return nil, fmt.Errorf("interface %s of physical network %s has the address %s: in a bridge it would cut this host off; "+
			"name another interface in physical_interface_mappings, or take the address away", name, s.Physical, address)
	}
	if h.marked(link) {
		return link, nil
	}
	if err := h.links.LinkSetAlias(link, link.Attrs().Alias+h.uplinkMark()); err != nil {
		return nil, fmt.Errorf("mark interface %s: %w", name, err)
	}
	return link, nil
}

func (h *Host) interfaceOf(name string, s network.Segment) (netlink.Link, error) {
	link, err := h.links.LinkByName(name)
	if missing(err) {
		return nil, fmt.Errorf("interface %s of physical network %s is not on this host", name, s.Physical)
	}
	return link, err
}

// uplinkMark stands behind the alias of an interface that we took into a bridge and did not make.
func (h *Host) uplinkMark() string { return " " + h.stamp + " uplink" }

// marked tells whether an interface that we did not make was taken into a bridge by us.
func (h *Host) marked(link netlink.Link) bool {
	return strings.HasSuffix(link.Attrs().Alias, h.uplinkMark())
}

// address is one that a link has, but for those that the kernel gives to every link; "" is none.
func (h *Host) address(link netlink.Link) (string, error) {
	addrs, err := whole(func() ([]netlink.Addr, error) { return h.links.AddrList(link, netlink.FAMILY_ALL) })
	if err != nil {
		return "", fmt.Errorf("read the addresses of %s: %w", link.Attrs().Name, err)
	}
	for _, a := range addrs {
		if prefix, ok := prefixOf(a.IPNet); ok && (prefix.Addr().Is4() || !prefix.Addr().IsLinkLocalUnicast()) {
			return prefix.String(), nil
		}
	}
	return "", nil
}

func (h *Host) addVLAN(name string, s network.Segment) error {
	parent, err := h.interfaceOf(h.uplinks.Interfaces[s.Physical], s)
	if err != nil {
		return err
	}
	if err := h.links.LinkSetUp(parent); err != nil {
		return fmt.Errorf("set %s up: %w", parent.Attrs().Name, err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex = name, parent.Attrs().Index
	return addLink(h.links.LinkAdd(&netlink.Vlan{LinkAttrs: attrs, VlanId: s.ID}), name, "VLANs (CONFIG_VLAN_8021Q)")
}

// addLink says what a failure to add a link of a kind means. A kernel without that kind knows no such device type.
func addLink(err error, name, kind string) error {
	if errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("add %s: this kernel has no %s", name, kind)
	}
	if err != nil {
		return fmt.Errorf("add %s: %w", name, err)
	}
	return nil
}

func (h *Host) addVXLAN(name string, s network.Segment, mtu int) error {
	local := h.uplinks.TunnelIP
	if !h.hasAddress(local) {
		return fmt.Errorf("this host has no address %s, which local_ip in [vxlan] says", local)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = name, mtu
	link := &netlink.Vxlan{LinkAttrs: attrs, VxlanId: s.ID, SrcAddr: local.AsSlice(), Port: h.tunnelPort(), Learning: true}
	return addLink(h.links.LinkAdd(link), name, "VXLANs (CONFIG_VXLAN)")
}

func (h *Host) hasAddress(a netip.Addr) bool {
	addrs, err := whole(func() ([]netlink.Addr, error) { return h.links.AddrList(nil, family(a)) })
	return err == nil && slices.ContainsFunc(addrs, func(found netlink.Addr) bool { return found.IP.Equal(a.AsSlice()) })
}

// leave takes what joins a bridge to a segment out of it, when no port is left in it. It answers false where something stays: a port, or what
// somebody else has put there. The caller holds bridging.
func (h *Host) leave(names []string) (empty bool, err error) {
	var out []netlink.Link
	for _, name := range names {
		if strings.HasPrefix(name, "plm") {
			return false, nil
		}
		link, err := h.links.LinkByName(name)
		if missing(err) {
			continue
		}
		if err != nil || link.Attrs().Alias != h.stamp && !h.marked(link) {
			return false, err
		}
		out = append(out, link)
	}
	for _, link := range out {
		if err := h.release(link); err != nil {
			return false, err
		}
		failpoint.Here("linux.segment.left")
	}
	return true, nil
}

// release removes the link of a VLAN or a VXLAN, and gives a physical interface back as it was.
func (h *Host) release(link netlink.Link) error {
	name := link.Attrs().Name
	if !h.marked(link) {
		if err := h.links.LinkDel(link); err != nil && !missing(err) {
			return fmt.Errorf("remove %s: %w", name, err)
		}
		return nil
	}
	if err := h.links.LinkSetNoMaster(link); err != nil && !missing(err) {
		return fmt.Errorf("release interface %s: %w", name, err)
	}
	old := strings.TrimSuffix(link.Attrs().Alias, h.uplinkMark())
	if err := h.links.LinkSetAlias(link, old); err != nil && !missing(err) {
		return fmt.Errorf("release interface %s: %w", name, err)
	}
	return nil
}

// sweepSegments removes what a crash left of segments: links of VLANs and VXLANs in no bridge, and marks.
func (h *Host) sweepSegments(links []netlink.Link) error {
	h.bridging.Lock()
	defer h.bridging.Unlock()
	var failed []error
	for _, l := range links {
		_, vxlan := l.(*netlink.Vxlan)
		_, vlan := l.(*netlink.Vlan)
		ours := l.Attrs().Alias == h.stamp && (vxlan || vlan) || h.marked(l)
		if now, err := h.links.LinkByIndex(l.Attrs().Index); ours && err == nil && now.Attrs().MasterIndex == 0 {
			failed = append(failed, h.release(now))
		}
	}
	return errors.Join(failed...)
}
