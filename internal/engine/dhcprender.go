package engine

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/linux"
	"plimsoll/internal/network"
)

// The files that dnsmasq reads again when it is told to.
const (
	dhcpHosts   = "hosts"
	dhcpOptions = "options"
)

// maxDhcpLine is how long a line may be: dnsmasq takes what follows its 1024th character for another line.
const maxDhcpLine = 1000

// minPrefix6 is how long the prefix of an IPv6 subnet has to be. With a shorter one dnsmasq would not start, and serve no subnet of the network.
const minPrefix6 = 64

// rendered is what a dnsmasq reads.
type rendered struct {
	conf    []byte
	files   map[string][]byte
	refused []error // what is left out, and why
}

// renderDhcp writes what the dnsmasq of a network reads; path says where its files are. Whatever comes from a tenant is an address, a
// number, or a value that dhcpValue has seen.
func renderDhcp(d *enginepb.Dhcp, all DHCP, path func(file string) string) (*rendered, error) {
	if err := errors.Join(checkID("network", d.GetNetworkId()), checkID("port", d.GetPortId())); err != nil {
		return nil, err
	}
	w := &dhcpWriter{all: all}
	w.head(d, path)
	for _, s := range d.Subnets {
		if err := w.subnet(s); err != nil {
			return nil, fmt.Errorf("subnet %s: %w", s.GetId(), err)
		}
	}
	for _, h := range d.Hosts {
		if err := w.host(h); err != nil {
			return nil, fmt.Errorf("port %s: %w", h.GetPortId(), err)
		}
	}
	return &rendered{
		conf: w.conf.Bytes(), files: map[string][]byte{dhcpHosts: w.hosts.Bytes(), dhcpOptions: w.options.Bytes()}, refused: w.refused,
	}, nil
}

type dhcpWriter struct {
	all                  DHCP
	conf, hosts, options bytes.Buffer
	refused              []error
}

// head is what all networks have. Addresses are given to known hosts only, names are nobody's business here, and leases are kept in memory:
// the hosts file says who has what.
func (w *dhcpWriter) head(d *enginepb.Dhcp, path func(file string) string) {
	for _, line := range []string{
		"port=0", "no-resolv", "no-hosts", "no-ping", "bind-dynamic", "except-interface=lo", "interface=" + linux.TapName(d.PortId),
		"dhcp-authoritative", "leasefile-ro", "dhcp-lease-max=1000000", "quiet-dhcp", "quiet-dhcp6", "quiet-ra",
		"dhcp-hostsfile=" + path(dhcpHosts), "dhcp-optsfile=" + path(dhcpOptions),
	} {
		w.conf.WriteString(line + "\n")
	}
	if w.all.Domain != "" {
		w.conf.WriteString("domain=" + w.all.Domain + "\n")
	}
	if d.Mtu > 0 {
		fmt.Fprintf(&w.conf, "dhcp-option-force=option:mtu,%d\n", d.Mtu)
	}
}

func (w *dhcpWriter) subnet(s *enginepb.DhcpSubnet) error {
	if err := checkID("subnet", s.GetId()); err != nil {
		return err
	}
	cidr, err := netip.ParsePrefix(s.Cidr)
	if err != nil {
		return err
	}
	if cidr != cidr.Masked() || cidr.Addr().Is4In6() {
		return fmt.Errorf("%s is no subnet", cidr)
	}
	if cidr.Addr().Is6() {
		return w.subnet6(s, cidr)
	}
	return w.subnet4(s, cidr)
}

// lease is how long leases are good.
func (w *dhcpWriter) lease() string {
	switch w.all.Lease {
	case -1:
		return "infinite"
	case 0:
		return "1d"
	}
	return fmt.Sprintf("%ds", w.all.Lease)
}

func (w *dhcpWriter) subnet4(s *enginepb.DhcpSubnet, cidr netip.Prefix) error {
	if s.Mode != "" {
		return fmt.Errorf("a mode %q of IPv4", s.Mode)
	}
	fmt.Fprintf(&w.conf, "dhcp-range=set:%s,%s,static,%s,%s\n", s.Id, cidr.Addr(), netmask(cidr), w.lease())
	servers, err := w.servers(s.DnsServers, cidr)
	if err != nil {
		return err
	}
	if len(servers) > 0 {
		w.option("tag:"+s.Id+",option:dns-server", servers...)
	}
	routes, err := dhcpRoutes(s)
	if err != nil {
		return err
	}
	if len(routes) > 0 {
		w.option("tag:"+s.Id+",option:classless-static-route", routes...)
		w.option("tag:"+s.Id+",249", routes...) // what Windows of old asks for
	}
	if s.Gateway == "" { // without a value it keeps dnsmasq from naming itself
		w.option("tag:" + s.Id + ",option:router")
		return nil
	}
	w.option("tag:"+s.Id+",option:router", s.Gateway)
	return nil
}

func (w *dhcpWriter) subnet6(s *enginepb.DhcpSubnet, cidr netip.Prefix) error {
	if s.Mode != network.DHCPv6Stateful && s.Mode != network.DHCPv6Stateless {
		return fmt.Errorf("a mode %q of IPv6", s.Mode)
	}
	if cidr.Bits() < minPrefix6 {
		w.refused = append(w.refused, fmt.Errorf("subnet %s: dnsmasq serves no prefix shorter than %d bits, as %s", s.Id, minPrefix6, cidr))
		return nil
	}
	fmt.Fprintf(&w.conf, "dhcp-range=set:%s,%s,static,%d,%s\n", s.Id, cidr.Addr(), cidr.Bits(), w.lease())
	servers, err := w.servers(s.DnsServers, cidr)
	if err != nil {
		return err
	}
	for i, a := range servers {
		servers[i] = "[" + a + "]"
	}
	if len(servers) > 0 {
		w.option("tag:"+s.Id+",option6:dns-server", servers...)
	}
	if w.all.Domain != "" {
		w.option("tag:"+s.Id+",option6:domain-search", w.all.Domain)
	}
	return nil
}

func netmask(cidr netip.Prefix) netip.Addr {
	mask := [4]byte{}
	for i := range cidr.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(mask)
}

// servers are the name servers of a subnet, or those that the operator named for such. An unspecified address says that there are none.
func (w *dhcpWriter) servers(texts []string, cidr netip.Prefix) ([]string, error) {
	var all []string
	for _, text := range texts {
		a, err := parseFamily(text, cidr)
		if err != nil {
			return nil, err
		}
		if !a.IsUnspecified() {
			all = append(all, a.String())
		}
	}
	if len(texts) > 0 {
		return all, nil
	}
	for _, a := range w.all.Servers {
		if a.Is4() == cidr.Addr().Is4() {
			all = append(all, a.String())
		}
	}
	return all, nil
}

func parseFamily(text string, cidr netip.Prefix) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return a, err
	}
	if a.Zone() != "" || a.BitLen() != cidr.Addr().BitLen() {
		return a, fmt.Errorf("%s is no address in %s", a, cidr)
	}
	return a, nil
}

// maxRoutes is how many routes an option holds, of at most 255 bytes (RFC 3442).
const maxRoutes = 28

// dhcpRoutes are the routes that clients get, each with its next hop, and with the one to the gateway: a client that gets any routes listens
// to no other option (RFC 3442). The gateway's comes first, so that it is there when there are more than fit.
func dhcpRoutes(s *enginepb.DhcpSubnet) ([]string, error) {
	cidr, err := netip.ParsePrefix(s.Cidr)
	if err != nil {
		return nil, err
	}
	if s.Gateway != "" {
		if _, err := parseFamily(s.Gateway, cidr); err != nil {
			return nil, err
		}
	}
	var all []string
	for _, r := range s.Routes {
		route, err := parseRoute(r)
		if err != nil || !route.Destination.Addr().Is4() {
			return nil, fmt.Errorf("route to %s: %w", r.GetDestination(), cmpErr(err))
		}
		hop := "0.0.0.0"
		if route.NextHop.IsValid() {
			hop = route.NextHop.String()
		}
		all = append(all, route.Destination.Masked().String()+","+hop)
	}
	if len(all) > 0 && s.Gateway != "" {
		all = slices.Insert(all, 0, "0.0.0.0/0,"+s.Gateway)
	}
	return all[:min(len(all), maxRoutes)], nil
}

func cmpErr(err error) error {
	if err == nil {
		return errors.New("it is not one of IPv4")
	}
	return err
}

// host writes who gets an address, and what else it is told.
func (w *dhcpWriter) host(h *enginepb.DhcpHost) error {
	if err := checkID("port", h.GetPortId()); err != nil {
		return err
	}
	mac, err := network.ParseMAC(h.Mac)
	if err != nil {
		return err
	}
	if h.Name != "" && !plainLabel(h.Name) {
		return fmt.Errorf("%q is no name of a host", h.Name)
	}
	ends := []string{}
	for _, text := range h.Addresses {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" || a.Is4In6() {
			return fmt.Errorf("%q is no address", text)
		}
		if a.Is6() {
			ends = append(ends, ",["+a.String()+"]")
		} else {
			ends = append(ends, ","+a.String())
		}
	}
	if len(ends) == 0 {
		ends = []string{""} // it has options only
	}
	start := mac
	if w.extras(h) {
		start += ",set:" + h.PortId
	}
	if h.Name != "" {
		start += "," + h.Name
	}
	for _, end := range ends {
		w.hosts.WriteString(start + end + "\n")
	}
	return nil
}

// extras writes the options of a port, and tells whether there are any.
func (w *dhcpWriter) extras(h *enginepb.DhcpHost) (some bool) {
	for _, o := range h.Options {
		if err := w.extra(h.PortId, o); err != nil {
			w.refused = append(w.refused, fmt.Errorf("option %q of port %s: %w", o.GetName(), h.PortId, err))
			continue
		}
		some = true
	}
	return some
}

func plainLabel(s string) bool {
	return len(s) <= 63 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
	})
}

// extra writes an option of one port.
func (w *dhcpWriter) extra(portID string, o *enginepb.DhcpOption) error {
	kind, err := dhcpOptionName(o.GetName(), o.GetIpVersion() == 6)
	if err != nil {
		return err
	}
	value, err := dhcpValue(o.Value)
	if err != nil {
		return err
	}
	line := "tag:" + portID + "," + kind + value + "\n"
	if len(line) > maxDhcpLine {
		return errors.New("its value is too long")
	}
	w.options.WriteString(line)
	return nil
}

// option writes an option, with as many of its values as fit.
func (w *dhcpWriter) option(what string, values ...string) {
	line := what
	for _, v := range values {
		if len(line)+1+len(v) > maxDhcpLine {
			break
		}
		line += "," + v
	}
	w.options.WriteString(line + "\n")
}
