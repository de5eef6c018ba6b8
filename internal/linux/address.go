package linux

import (
	"errors"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"plimsoll/internal/failpoint"
)

// addressChanges lists what differs among the link's addresses: first what is missing, then what is too many.
func (p *plug) addressChanges() ([]change, error) {
	addrs, err := whole(func() ([]netlink.Addr, error) { return p.inside.AddrList(p.tap, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, err
	}
	there := map[netip.Prefix]bool{}
	var todo, extra []change
	for _, a := range addrs {
		prefix, ok := prefixOf(a.IPNet)
		if !ok || prefix.Addr().IsLinkLocalUnicast() && prefix.Addr().Is6() {
			continue
		}
		there[prefix] = true
		if !slices.Contains(p.port.Addresses, prefix) && (!p.port.Shared || slices.Contains(p.port.Former, prefix)) {
			extra = append(extra, change{"the removal of address " + prefix.String(), p.delAddress(prefix)})
		}
	}
	for _, wanted := range p.port.Addresses {
		if !there[wanted] {
			todo = append(todo, change{"address " + wanted.String(), p.addAddress(wanted)})
		}
	}
	return append(todo, extra...), nil
}

func (p *plug) addAddress(prefix netip.Prefix) func() error {
	return func() error {
		addr := &netlink.Addr{IPNet: ipNet(prefix)}
		if prefix.Addr().Is6() {
			// The network service has made sure that it is the only one; HAProxy cannot bind a tentative address.
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := p.inside.AddrAdd(p.tap, addr); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		failpoint.Here("linux.address.added")
		return nil
	}
}

func (p *plug) delAddress(prefix netip.Prefix) func() error {
	return func() error {
		if err := p.inside.AddrDel(p.tap, &netlink.Addr{IPNet: ipNet(prefix)}); err != nil && !missing(err) {
			return err
		}
		return nil
	}
}

// ipNet keeps the address's own bits: it is an address in a network, not the network.
func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), ones), ok
}
