package linux

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"plimsoll/internal/network"
)

// wire is a physical network: its near end is an interface of the host, its far end is in a namespace that plays whatever is on it.
type wire struct {
	near string
	far  string // the namespace; the link there is far0
}

func newWire(t *testing.T, h *Host) wire {
	t.Helper()
	w := wire{near: "plw" + uuid.NewString()[:8], far: ensureNamespace(t, h)}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = w.near
	ns, err := openNamespace(w.far)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ns.Close() }()
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "far0", PeerNamespace: netlink.NsFd(ns.Fd())}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if l, err := netlink.LinkByName(w.near); err == nil {
			_ = netlink.LinkDel(l)
		}
	})
	inside(t, w.far, "ip", "link", "set", "far0", "up")
	return w
}

// near is the host's end as it is now.
func (w wire) link(t *testing.T) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(w.near)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// segmentPort is a port with the address 10.9.0.5 in a network of that segment.
func segmentPort(s network.Segment) Port {
	return Port{ID: uuid.NewString(), NetworkID: uuid.NewString(), MTU: 1450, MAC: net.HardwareAddr{0xfa, 0x16, 0x3e, 1, 2, 3},
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.9.0.5/24")}, Segment: s}
}

func TestSegmentsThatCannotBe(t *testing.T) {
	h := testHost(t)
	w, busy := newWire(t, h), newWire(t, h)
	if err := netlink.AddrAdd(busy.link(t), &netlink.Addr{IPNet: ipNet(netip.MustParsePrefix("192.0.2.1/24"))}); err != nil {
		t.Fatal(err)
	}
	h.SetUplinks(Uplinks{Interfaces: map[string]string{"phys": w.near, "busy": busy.near, "gone": "plwgone"}, TunnelIP: netip.MustParseAddr("192.0.2.99")})
	for name, c := range map[string]struct {
		segment network.Segment
		want    string
	}{
		"bad: no mapping":        {network.Segment{Type: "flat", Physical: "other"}, "physical network other has no interface on this host"},
		"bad: no interface":      {network.Segment{Type: "flat", Physical: "gone"}, "interface plwgone of physical network gone is not on this host"},
		"bad: VLAN of none":      {network.Segment{Type: "vlan", Physical: "gone", ID: 7}, "interface plwgone of physical network gone is not on this host"},
		"bad: the host's own":    {network.Segment{Type: "flat", Physical: "busy"}, "has the address 192.0.2.1/24: in a bridge it would cut this host off"},
		"bad: no tunnel address": {network.Segment{Type: "vxlan", ID: 7}, "this host has no address 192.0.2.99"},
	} {
		t.Run(name, func(t *testing.T) {
			p := segmentPort(c.segment)
			_, err := h.EnsurePort(ensureNamespace(t, h), p)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("EnsurePort = %v, want %q", err, c.want)
			}
			if err := h.RemovePort(p.ID); err != nil {
				t.Error(err)
			}
		})
	}
	if master := busy.link(t).Attrs().MasterIndex; master != 0 {
		t.Error("the interface that has an address was taken")
	}
}

// TestFlat has ports reach a station of the physical network, and the host be as before when the last of them has gone.
func TestFlat(t *testing.T) {
	h := testHost(t)
	w := newWire(t, h)
	h.SetUplinks(Uplinks{Interfaces: map[string]string{"phys": w.near}})
	if err := netlink.LinkSetAlias(w.link(t), "to the core"); err != nil {
		t.Fatal(err)
	}
	inside(t, w.far, "ip", "addr", "add", "10.9.0.9/24", "dev", "far0")
	first, second := twoPorts(network.Segment{Type: "flat", Physical: "phys"})
	ns := ensureNamespace(t, h)
	ensurePort(t, h, ns, first, true)
	ensurePort(t, h, ns, first, false)
	ensurePort(t, h, ensureNamespace(t, h), second, true)
	reach(t, ns, w.far, "10.9.0.9:7000")

	if err := netlink.LinkSetNoMaster(w.link(t)); err != nil { // somebody breaks it
		t.Fatal(err)
	}
	if why, err := h.CheckPort(ns, first); err != nil || why == "" {
		t.Errorf("CheckPort = %q, %v when the bridge is not joined", why, err)
	}
	ensurePort(t, h, ns, first, true)
	reach(t, ns, w.far, "10.9.0.9:7001")

	if err := h.RemovePort(first.ID); err != nil {
		t.Fatal(err)
	}
	if w.link(t).Attrs().MasterIndex == 0 {
		t.Error("the interface was given back with a port that was not the last")
	}
	if err := h.RemovePort(second.ID); err != nil {
		t.Fatal(err)
	}
	got := w.link(t).Attrs()
	if diff := cmp.Diff([]any{"to the core", 0}, []any{got.Alias, got.MasterIndex}); diff != "" {
		t.Errorf("the interface afterwards (-want +got):\n%s", diff)
	}
	if _, err := netlink.LinkByName(BridgeName(first.NetworkID)); !missing(err) {
		t.Errorf("the bridge is still there: %v", err)
	}
}

// twoPorts are ports of one network.
func twoPorts(s network.Segment) (first, second Port) {
	first, second = segmentPort(s), segmentPort(s)
	second.NetworkID, second.Addresses = first.NetworkID, []netip.Prefix{netip.MustParsePrefix("10.9.0.6/24")}
	second.MAC = net.HardwareAddr{0xfa, 0x16, 0x3e, 1, 2, 4}
	return first, second
}

// reach connects from one namespace to an address in another.
func reach(t *testing.T, from, to, address string) {
	t.Helper()
	var l net.Listener
	err := Within(to, func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	err = Within(from, func() error {
		c, err := net.DialTimeout("tcp4", address, 10*time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err
	})
	if err != nil {
		t.Errorf("from %s: %v", from, err)
	}
}

// TestVLAN has a port reach a station of the physical network that takes packets with the tag only. A kernel without VLANs is told of, as the
// reason of the port's failure.
func TestVLAN(t *testing.T) {
	h := testHost(t)
	w := newWire(t, h)
	h.SetUplinks(Uplinks{Interfaces: map[string]string{"phys": w.near}})
	first, second := twoPorts(network.Segment{Type: "vlan", Physical: "phys", ID: 101})
	ns := ensureNamespace(t, h)
	if !kernelHasVLANs(t, w) {
		_, err := h.EnsurePort(ns, first)
		if want := "the network's vlan 101: add " + w.near + ".101: this kernel has no VLANs (CONFIG_VLAN_8021Q)"; err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("EnsurePort = %v, want %q", err, want)
		}
		if err := h.RemovePort(first.ID); err != nil {
			t.Error(err)
		}
		return
	}
	inside(t, w.far, "ip", "link", "add", "link", "far0", "name", "far0.101", "type", "vlan", "id", "101")
	inside(t, w.far, "ip", "addr", "add", "10.9.0.9/24", "dev", "far0.101")
	inside(t, w.far, "ip", "link", "set", "far0.101", "up")
	ensurePort(t, h, ns, first, true)
	ensurePort(t, h, ns, first, false)
	ensurePort(t, h, ensureNamespace(t, h), second, true)
	reach(t, ns, w.far, "10.9.0.9:7000")
	for _, p := range []Port{first, second} {
		if err := h.RemovePort(p.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := netlink.LinkByName(vlanName(w.near, 101)); !missing(err) {
		t.Errorf("the VLAN's link is still there: %v", err)
	}
}

func kernelHasVLANs(t *testing.T, w wire) bool {
	t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex = vlanName(w.near, 1), w.link(t).Attrs().Index
	l := &netlink.Vlan{LinkAttrs: attrs, VlanId: 1}
	if err := netlink.LinkAdd(l); err != nil {
		return false
	}
	_ = netlink.LinkDel(l)
	return true
}

// TestSweepReleases has what joins bridges to segments go with everything else, although nobody knows the mappings any more.
func TestSweepReleases(t *testing.T) {
	h := testHost(t)
	w := newWire(t, h)
	h.SetUplinks(Uplinks{Interfaces: map[string]string{"phys": w.near}})
	ensurePort(t, h, ensureNamespace(t, h), segmentPort(network.Segment{Type: "flat", Physical: "phys"}), true)
	local := netip.MustParseAddr("127.0.0.1")
	h.SetUplinks(Uplinks{TunnelIP: local, TunnelPort: 14791})
	ensurePort(t, h, ensureNamespace(t, h), segmentPort(network.Segment{Type: "vxlan", ID: 1<<24 - 3}), true)
	h.SetUplinks(Uplinks{})
	if err := h.Sweep([]string{w.far}, nil); err != nil {
		t.Fatal(err)
	}
	if got := w.link(t).Attrs(); got.Alias != "" || got.MasterIndex != 0 {
		t.Errorf("the interface has the alias %q and the bridge %d", got.Alias, got.MasterIndex)
	}
	if _, err := netlink.LinkByName("vxlan-16777213"); !missing(err) {
		t.Errorf("the tunnel is still there: %v", err)
	}
}

// TestPeers has a VXLAN's table follow the list of peers, also one that was made before.
func TestPeers(t *testing.T) {
	h := testHost(t)
	local := netip.MustParseAddr("127.0.0.1")
	h.SetUplinks(Uplinks{TunnelIP: local, TunnelPort: 14789})
	peers := func(list ...string) []netip.Addr {
		var all []netip.Addr
		for _, p := range list {
			all = append(all, netip.MustParseAddr(p))
		}
		return all
	}
	if err := h.SetPeers(peers("127.9.9.1", "127.9.9.2")); err != nil {
		t.Fatal(err)
	}
	p := segmentPort(network.Segment{Type: "vxlan", ID: 1<<24 - 2})
	ns := ensureNamespace(t, h)
	ensurePort(t, h, ns, p, true)
	ensurePort(t, h, ns, p, false)
	if got := tunnels(t, "vxlan-16777214"); !cmp.Equal(got, []string{"127.9.9.1", "127.9.9.2"}) {
		t.Errorf("peers of a new tunnel: %v", got)
	}
	if err := h.SetPeers(peers("127.9.9.2", "127.9.9.3")); err != nil {
		t.Fatal(err)
	}
	if got := tunnels(t, "vxlan-16777214"); !cmp.Equal(got, []string{"127.9.9.2", "127.9.9.3"}) {
		t.Errorf("peers after a change: %v", got)
	}
	if err := h.SetPeers(peers("127.9.9.2", "2001:db8::1")); err == nil {
		t.Error("bad: a peer of another family is taken")
	}
	if got := tunnels(t, "vxlan-16777214"); !cmp.Equal(got, []string{"127.9.9.2"}) {
		t.Errorf("peers beside one that cannot be: %v", got)
	}
	h.SetUplinks(Uplinks{TunnelIP: local, TunnelPort: 14790}) // as an engine that starts with another configuration
	ensurePort(t, h, ns, p, true)
	ensurePort(t, h, ns, p, false)
	if err := h.RemovePort(p.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := netlink.LinkByName("vxlan-16777214"); !missing(err) {
		t.Errorf("the tunnel is still there: %v", err)
	}
}

// tunnels are the peers of a VXLAN to which goes what is for everybody.
func tunnels(t *testing.T, name string) []string {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := netlink.NeighList(l.Attrs().Index, unix.AF_BRIDGE)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		if bytes.Equal(e.HardwareAddr, everybody) {
			all = append(all, e.IP.String())
		}
	}
	slices.Sort(all)
	return all
}

func TestVLANName(t *testing.T) {
	for _, c := range []struct {
		parent string
		id     int
		want   string
	}{
		{"eth0", 7, "eth0.7"}, {"enp3s0f0np0", 101, "enp3s0f0np0.101"}, {"enp3s0f0np0", 4094, "enp351061f.4094"}, {"abcdefghijklmno", 4094, "abcd41c776.4094"},
	} {
		if got := vlanName(c.parent, c.id); len(got) > network.MaxLinkName || got != c.want {
			t.Errorf("vlanName(%s, %d) = %s, want %s", c.parent, c.id, got, c.want)
		}
	}
}

// TestUplinkMoves wants a network on one interface only, after its physical network was mapped to another: two at once would be a loop, or join
// what is apart.
func TestUplinkMoves(t *testing.T) {
	h := testHost(t)
	old, now := newWire(t, h), newWire(t, h)
	if err := netlink.LinkSetAlias(old.link(t), "to the core"); err != nil {
		t.Fatal(err)
	}
	h.SetUplinks(Uplinks{Interfaces: map[string]string{"phys": old.near}})
	p := segmentPort(network.Segment{Type: "flat", Physical: "phys"})
	ns := ensureNamespace(t, h)
	ensurePort(t, h, ns, p, true)

	h.SetUplinks(Uplinks{Interfaces: map[string]string{"phys": now.near}}) // as an engine that starts again has it
	ensurePort(t, h, ns, p, true)
	br, err := netlink.LinkByName(BridgeName(p.NetworkID))
	if err != nil {
		t.Fatal(err)
	}
	was, is := old.link(t).Attrs(), now.link(t).Attrs()
	if diff := cmp.Diff([]any{"to the core", 0, br.Attrs().Index}, []any{was.Alias, was.MasterIndex, is.MasterIndex}); diff != "" {
		t.Errorf("the interfaces (-want +got):\n%s", diff)
	}
	if err := h.RemovePort(p.ID); err != nil {
		t.Fatal(err)
	}
	if got := now.link(t).Attrs(); got.MasterIndex != 0 || strings.Contains(got.Alias, "uplink") {
		t.Errorf("the new interface afterwards: %+v", got)
	}
}

// TestSegmentOfOthers wants a link that somebody uses, and that has the name of a segment's, to stay.
func TestSegmentOfOthers(t *testing.T) {
	h := testHost(t)
	h.SetUplinks(Uplinks{TunnelIP: netip.MustParseAddr("127.0.0.1")})
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "vxlan-" + vniOf(t)
	id, _ := strconv.Atoi(strings.TrimPrefix(attrs.Name, "vxlan-"))
	theirs := &netlink.Vxlan{LinkAttrs: attrs, VxlanId: id, Port: 47890}
	if err := netlink.LinkAdd(theirs); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(theirs) })
	if err := netlink.LinkSetUp(theirs); err != nil {
		t.Fatal(err)
	}
	p := segmentPort(network.Segment{Type: "vxlan", ID: id})
	if _, err := h.EnsurePort(ensureNamespace(t, h), p); !errors.Is(err, ErrForeign) {
		t.Errorf("EnsurePort = %v", err)
	}
	if _, err := netlink.LinkByIndex(theirs.Index); err != nil {
		t.Errorf("the link of others: %v", err)
	}
	if err := h.RemovePort(p.ID); err != nil {
		t.Error(err)
	}
}

// vniOf is a number of a VXLAN that no other test has.
func vniOf(t *testing.T) string {
	t.Helper()
	id := uuid.New()
	return strconv.Itoa(1<<23 | int(id[0])<<8 | int(id[1]))
}
