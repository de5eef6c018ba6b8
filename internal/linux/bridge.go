package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/vishvananda/netlink"

	"plimsoll/internal/failpoint"
)

// bridge returns a network's bridge, which it makes where there is none. The caller holds bridging.
func (h *Host) bridge(networkID string) (netlink.Link, error) {
	name := BridgeName(networkID)
	br, err := h.links.LinkByName(name)
	if missing(err) {
		br, err = h.makeBridge(name)
	}
	if err != nil {
		return nil, fmt.Errorf("find bridge %s: %w", name, err)
	}
	switch br.Attrs().Alias {
	case h.stamp:
		return br, nil
	case "": // we were stopped before it was stamped
		return br, h.finishBridge(br)
	}
	return nil, fmt.Errorf("use bridge %s: %w", name, ErrForeign)
}

func (h *Host) makeBridge(name string) (netlink.Link, error) {
	no := false
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	if err := h.links.LinkAdd(&netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &no}); err != nil {
		return nil, err
	}
	failpoint.Here("linux.bridge.added")
	return h.links.LinkByName(name)
}

// finishBridge keeps the host itself off the tenants' segment, then stamps and starts the bridge. No route of the host
// leads into a bridge, so that strict reverse-path filtering drops whatever a tenant sends to the host or through it.
func (h *Host) finishBridge(br netlink.Link) error {
	name := br.Attrs().Name
	err := setSysctls([]sysctl{
		{"net/ipv6/conf/" + name + "/disable_ipv6", "1"},
		{"net/ipv4/conf/" + name + "/arp_ignore", "8"}, // answer for none of the host's addresses
		{"net/ipv4/conf/" + name + "/rp_filter", "1"},
		{"net/ipv4/conf/" + name + "/forwarding", "0"},
	})
	if err != nil {
		return err
	}
	if err := h.shield(br); err != nil {
		return err
	}
	if err := h.links.LinkSetUp(br); err != nil {
		return fmt.Errorf("set bridge %s up: %w", name, err)
	}
	if err := h.links.LinkSetAlias(br, h.stamp); err != nil {
		return fmt.Errorf("stamp bridge %s: %w", name, err)
	}
	failpoint.Here("linux.bridge.stamped")
	return nil
}

// PruneBridge removes a network's bridge when it is ours and has no port. RemovePort does so too, but for a bridge
// that no port had joined yet when a crash came.
func (h *Host) PruneBridge(networkID string) error { return h.prune(BridgeName(networkID)) }

func (h *Host) prune(name string) error {
	h.bridging.Lock()
	defer h.bridging.Unlock()
	return h.pruneBridge(name)
}

// pruneBridge removes a bridge of ours that has no port left, and what joins it to its segment. The caller holds bridging.
func (h *Host) pruneBridge(name string) error {
	br, err := h.links.LinkByName(name)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if alias := br.Attrs().Alias; alias != h.stamp && alias != "" {
		return nil
	}
	ports, err := bridged(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if empty, err := h.leave(ports); err != nil || !empty {
		return err
	}
	if err := h.links.LinkDel(br); err != nil && !missing(err) {
		return fmt.Errorf("remove bridge %s: %w", name, err)
	}
	failpoint.Here("linux.bridge.removed")
	return nil
}

// bridged are the names of the links in a bridge: one small folder instead of a dump of all links, of which there may be thousands.
func bridged(name string) ([]string, error) {
	entries, err := os.ReadDir("/sys/class/net/" + name + "/brif")
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names, err
}
