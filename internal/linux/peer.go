package linux

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// SetPeers says where VXLANs lead: to the hosts with those addresses, each of which gets what is for all stations or for an unknown
// one. Addresses of another family than this host's end are refused; the others count.
func (h *Host) SetPeers(peers []netip.Addr) error {
	h.bridging.Lock()
	defer h.bridging.Unlock()
	var failed []error
	h.peers = nil
	for _, p := range peers {
		if h.uplinks.TunnelIP.IsValid() && p.Is4() != h.uplinks.TunnelIP.Is4() {
			failed = append(failed, fmt.Errorf("reach %s from %s: they are not of one family", p, h.uplinks.TunnelIP))
			continue
		}
		h.peers = append(h.peers, p)
	}
	if !h.uplinks.TunnelIP.IsValid() {
		return errors.Join(failed...)
	}
	links, err := whole(h.links.LinkList)
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	for _, l := range links {
		if _, ok := l.(*netlink.Vxlan); ok && l.Attrs().Alias == h.stamp {
			failed = append(failed, h.syncPeers(l))
		}
	}
	return errors.Join(failed...)
}

// everybody is the entry of a VXLAN's table to which goes what is for all stations, and for those that are not known.
var everybody = net.HardwareAddr{0, 0, 0, 0, 0, 0}

// syncPeers makes the table of a VXLAN say who its peers are. What was learned of stations behind those that are gone goes, too. The
// caller holds bridging.
func (h *Host) syncPeers(link netlink.Link) error {
	entries, err := whole(func() ([]netlink.Neigh, error) { return h.links.NeighList(link.Attrs().Index, unix.AF_BRIDGE) })
	if err != nil {
		return fmt.Errorf("list the peers of %s: %w", link.Attrs().Name, err)
	}
	there := map[netip.Addr]bool{}
	for _, entry := range entries {
		peer, ok := netip.AddrFromSlice(entry.IP)
		if !ok {
			continue // of the bridge, not of the tunnel
		}
		peer = peer.Unmap()
		if slices.Contains(h.peers, peer) {
			there[peer] = there[peer] || bytes.Equal(entry.HardwareAddr, everybody)
			continue
		}
		if err := h.links.NeighDel(&entry); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("remove peer %s of %s: %w", peer, link.Attrs().Name, err)
		}
	}
	for _, peer := range h.peers {
		if there[peer] {
			continue
		}
		err := h.links.NeighAppend(&netlink.Neigh{LinkIndex: link.Attrs().Index, Family: unix.AF_BRIDGE, Flags: netlink.NTF_SELF,
			State: netlink.NUD_PERMANENT | netlink.NUD_NOARP, IP: peer.AsSlice(), HardwareAddr: everybody})
		if err != nil {
			return fmt.Errorf("add peer %s to %s: %w", peer, link.Attrs().Name, err)
		}
	}
	return nil
}
