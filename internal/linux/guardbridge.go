package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"plimsoll/internal/guard"
)

// ErrNoBridgeFilter means that the kernel shows nothing of what bridges forward to the tables.
var ErrNoBridgeFilter = errors.New("the kernel lacks br_netfilter, without which nothing may pass guarded ports: load the module br_netfilter")

// bridgeSettings are there when the kernel has br_netfilter.
const bridgeSettings = "/proc/sys/net/bridge"

// BridgeFilter makes sure that the kernel can show what bridges forward to the tables of guards; it loads the module where it is one.
func BridgeFilter() error {
	if filterThere() {
		return nil
	}
	// A module that is loaded shows the packets of all bridges to all tables, until these settings say otherwise: those of others stay as
	// they were.
	if err := modprobe("br_netfilter"); err != nil || !filterThere() {
		return ErrNoBridgeFilter
	}
	return setSysctls([]sysctl{{"net/bridge/bridge-nf-call-iptables", "0"}, {"net/bridge/bridge-nf-call-ip6tables", "0"},
		{"net/bridge/bridge-nf-call-arptables", "0"}})
}

// modprobe asks for a module; it answers in milliseconds.
func modprobe(args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, "modprobe", args...).Run()
}

// loadable tells whether the kernel has br_netfilter as a module.
func loadable() bool { return modprobe("--dry-run", "br_netfilter") == nil }

func filterThere() bool {
	_, err := os.Stat(filepath.Join(bridgeSettings, "bridge-nf-call-iptables"))
	return err == nil
}

// callFiles are the settings of a bridge that show its packets to the tables of the families ip and inet, and of ip6.
func callFiles(bridge string) []string {
	dir := filepath.Join("/sys/class/net", bridge, "bridge")
	return []string{filepath.Join(dir, "nf_call_iptables"), filepath.Join(dir, "nf_call_ip6tables")}
}

// showPackets has a bridge show its packets, or no more. A bridge that is not there has none.
func showPackets(bridge string, on bool) error {
	way := "0"
	if on {
		way = "1"
	}
	for _, file := range callFiles(bridge) {
		if err := setBridge(file, way); err != nil {
			return fmt.Errorf("filter bridge %s: %w", bridge, err)
		}
	}
	return nil
}

// forgetStrangers has a bridge learn no MAC address from frames for itself (01:80:c2:00:00:0x, IEEE 802.1D): those come by no table, and with
// a neighbour's address in them a guarded port would get what is sent to the neighbour.
func forgetStrangers(bridge string) error {
	if err := setBridge(filepath.Join("/sys/class/net", bridge, "bridge", "no_linklocal_learn"), "1"); err != nil {
		return fmt.Errorf("keep bridge %s from learning: %w", bridge, err)
	}
	return nil
}

// setBridge writes a setting of a bridge. What is not there, the bridge or the setting, is passed over.
func setBridge(file, value string) error {
	now, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && strings.TrimSpace(string(now)) == value {
		return nil
	}
	if err := os.WriteFile(file, []byte(value), 0o644); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// prepareBridge has a bridge show its packets, and puts the zone of its connections, which no other has, into zones. One that is not there,
// or has no stamp yet, is prepared by who makes it.
func (h *Host) prepareBridge(bridge string, zones map[string]uint16) error {
	g := &h.guards
	was := g.state.Zone(bridge)
	if was != 0 {
		zones[bridge] = was
	}
	if g.filtered[bridge] && was != 0 {
		return nil
	}
	link, err := h.links.LinkByName(bridge)
	if missing(err) || err == nil && link.Attrs().Alias == "" {
		return nil
	}
	if err == nil && link.Attrs().Alias != h.stamp {
		err = fmt.Errorf("filter bridge %s: %w", bridge, ErrForeign)
	}
	if err == nil {
		err = errors.Join(forgetStrangers(bridge), showPackets(bridge, true))
	}
	if err != nil {
		return err
	}
	if g.filtered == nil {
		g.filtered = map[string]bool{}
	}
	g.filtered[bridge] = true
	if was == 0 {
		zones[bridge] = guard.FreeZone(g.state, zones, link.Attrs().Index)
	}
	return nil
}

// filterBridge prepares a bridge that a guarded port is about to join. The tables are there.
func (h *Host) filterBridge(bridge string) error {
	g := &h.guards
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := errors.Join(h.look(), BridgeFilter()); err != nil {
		return err
	}
	delete(g.filtered, bridge)
	zones := map[string]uint16{}
	if err := h.prepareBridge(bridge, zones); err != nil {
		return err
	}
	return h.carryOut(guard.Zoned(g.state, bridge, zones[bridge]))
}

// bridges are those that the tables look at.
func (g *guards) bridges() []string { return g.state.Bridges() }

// unfilter has bridges that the tables do not look at any more keep their packets to themselves again.
func (h *Host) unfilter(before []string) error {
	g := &h.guards
	now := map[string]bool{}
	for _, b := range g.bridges() {
		now[b] = true
	}
	var failed []error
	for _, b := range before {
		if now[b] {
			continue
		}
		delete(g.filtered, b)
		if link, err := h.links.LinkByName(b); err == nil && link.Attrs().Alias == h.stamp {
			failed = append(failed, showPackets(b, false))
		}
	}
	return errors.Join(failed...)
}
