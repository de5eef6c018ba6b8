package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/network"
)

// Router advertisements are sent by a dnsmasq in the router's namespace, which goes on without the engine. It serves nothing else: the
// router's table keeps requests of DHCPv6 from it.

// advertiser is the name of a router's dnsmasq.
func advertiser(routerID string) string { return "ra-" + routerID }

// How often a router tells of itself, and for how long a station that hears no more goes on with it, in seconds.
const (
	advertiseEvery = 60
	routerLifetime = 1800
)

// minMTU6 is the least MTU of a link of IPv6 (RFC 8200).
const minMTU6 = 1280

// advertise has the dnsmasq of a router run as conf says, or none where it is empty.
func (e *Engine) advertise(ctx context.Context, routerID string, conf []byte) error {
	if len(conf) == 0 {
		return e.endDnsmasq(advertiser(routerID))
	}
	return e.dnsmasq(ctx, dnsmasqSpec{name: advertiser(routerID), netns: network.RouterNetNS + routerID, conf: conf})
}

// advertisingConf is what dnsmasq is told of a router's advertisements; nothing where there are none. What dnsmasq cannot advertise is
// left out and told. Only names of links, numbers and addresses reach it.
func advertisingConf(r *enginepb.Router) ([]byte, error) {
	var b bytes.Buffer
	var failed []error
	seen := map[string]bool{}
	for _, a := range r.Advertisements {
		link := internalLink(a.GetPortId())
		ranges, err := advertisedRanges(link, a)
		if err != nil {
			failed = append(failed, fmt.Errorf("advertise on port %s: %w", a.PortId, err))
		}
		if ranges == "" {
			continue
		}
		if !seen[link] {
			fmt.Fprintf(&b, "interface=%s\nra-param=%s,%s%d,%d\n", link, link, mtuParam(a.Mtu), advertiseEvery, routerLifetime)
		}
		seen[link] = true
		b.WriteString(ranges)
	}
	if b.Len() == 0 {
		return nil, errors.Join(failed...)
	}
	// Without links to take one from it wants an identifier of DHCPv6 (RFC 8415, section 11.3), though nobody will see it.
	head := "port=0\nno-ping\nleasefile-ro\nbind-dynamic\nexcept-interface=lo\nenable-ra\ndhcp-duid=0,01\n"
	return append([]byte(head), b.Bytes()...), errors.Join(failed...)
}

func mtuParam(mtu int32) string {
	if mtu < minMTU6 {
		return "mtu:off,"
	}
	return fmt.Sprintf("mtu:%d,", mtu)
}

// modes are dnsmasq's words for what a subnet's stations are told: to give themselves addresses, to ask for all else, or to ask for both.
var modes = map[string]string{network.SLAAC: "ra-only", network.DHCPv6Stateless: "ra-stateless", network.DHCPv6Stateful: "static"}

// advertisedRanges are the lines of one advertisement's ranges and name servers, or "".
func advertisedRanges(link string, a *enginepb.Advertisement) (string, error) {
	mode, known := modes[a.Mode]
	if !known {
		return "", fmt.Errorf("%q is no mode of advertisements", a.Mode)
	}
	var b strings.Builder
	var failed []error
	for _, text := range a.Prefixes {
		p, err := netip.ParsePrefix(text)
		switch {
		case err != nil || !p.Addr().Is6() || p.Addr().Is4In6():
			failed = append(failed, fmt.Errorf("%q is no range of IPv6 addresses", text))
		case p.Bits() < 64 || p.Bits() > 64 && mode != modes[network.DHCPv6Stateful]:
			failed = append(failed, fmt.Errorf("dnsmasq advertises no range of %d bits in mode %s", p.Bits(), a.Mode))
		default:
			fmt.Fprintf(&b, "dhcp-range=%s,%s,%d,24h\n", p.Masked().Addr(), mode, p.Bits())
		}
	}
	servers, err := bracketed(a.DnsServers)
	if len(servers) > 0 && b.Len() > 0 {
		fmt.Fprintf(&b, "dhcp-option=tag:%s,option6:dns-server,%s\n", link, strings.Join(servers, ","))
	}
	return b.String(), errors.Join(append(failed, err)...)
}

// bracketed are addresses of name servers as dnsmasq reads them.
func bracketed(servers []string) (all []string, err error) {
	var failed []error
	for _, text := range servers {
		s, err := netip.ParseAddr(text)
		if err != nil || !s.Is6() || s.Zone() != "" {
			failed = append(failed, fmt.Errorf("%q is no IPv6 address of a name server", text))
			continue
		}
		all = append(all, "["+s.String()+"]")
	}
	return all, errors.Join(failed...)
}
