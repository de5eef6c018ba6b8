package main

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"plimsoll/internal/config"
	"plimsoll/internal/engine"
	"plimsoll/internal/linux"
	"plimsoll/internal/network"
)

// uplinkOptions are the flags of "plimsoll engine" that say what the host's networks may be joined to, and what its DHCP servers tell. The
// engine takes them from whoever starts it as root, not from the server, which could join a tenant to any interface.
type uplinkOptions struct {
	interfaces []string // "physical network:interface"
	localIP    string   // "" is no tunnels
	port       int
	lease      int // seconds
	domain     string
	servers    []string
}

// uplinksOf are the flags that a configuration asks for.
func uplinksOf(c config.Network) uplinkOptions {
	o := uplinkOptions{port: c.TunnelPort, lease: c.DHCP.Lease, domain: c.DHCP.Domain}
	for _, physical := range slices.Sorted(maps.Keys(c.Interfaces)) {
		o.interfaces = append(o.interfaces, physical+":"+c.Interfaces[physical])
	}
	if c.TunnelIP.IsValid() {
		o.localIP = c.TunnelIP.String()
	}
	for _, a := range c.DHCP.Servers {
		o.servers = append(o.servers, a.String())
	}
	return o
}

func (o *uplinkOptions) flags(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&o.interfaces, "physical-interface-mapping", nil, "an interface in a physical network, as NETWORK:INTERFACE; may be repeated")
	cmd.Flags().StringVar(&o.localIP, "local-ip", "", "this host's address for VXLAN tunnels (default: there are none)")
	usual := config.Default().Network
	cmd.Flags().IntVar(&o.port, "udp-dstport", usual.TunnelPort, "the UDP port of the tunnels")
	cmd.Flags().IntVar(&o.lease, "dhcp-lease-duration", usual.DHCP.Lease, "seconds for which leases of DHCP are good; -1 is for ever")
	cmd.Flags().StringVar(&o.domain, "dns-domain", usual.DHCP.Domain, "the domain that DHCP servers tell; empty is none")
	cmd.Flags().StringSliceVar(&o.servers, "dnsmasq-dns-server", nil, "a name server that DHCP servers tell to clients of subnets without one; may be repeated")
}

// arguments are the flags that say the same again.
func (o uplinkOptions) arguments() []string {
	args := []string{"--udp-dstport=" + strconv.Itoa(o.port), "--dhcp-lease-duration=" + strconv.Itoa(o.lease), "--dns-domain=" + o.domain}
	for _, mapping := range o.interfaces {
		args = append(args, "--physical-interface-mapping="+mapping)
	}
	if o.localIP != "" {
		args = append(args, "--local-ip="+o.localIP)
	}
	for _, server := range o.servers {
		args = append(args, "--dnsmasq-dns-server="+server)
	}
	return args
}

// text tells options apart.
func (o uplinkOptions) text() string { return strings.Join(o.arguments(), " ") }

// uplinks are the flags as the engine takes them.
func (o uplinkOptions) uplinks() (linux.Uplinks, error) {
	u := linux.Uplinks{Interfaces: map[string]string{}, TunnelPort: o.port}
	for _, mapping := range o.interfaces {
		physical, link, ok := strings.Cut(mapping, ":")
		if !ok || physical == "" || link == "" || len(link) > network.MaxLinkName || strings.ContainsAny(link, "/ ") || u.Interfaces[physical] != "" {
			return u, fmt.Errorf("--physical-interface-mapping %s: want NETWORK:INTERFACE, once for each network", mapping)
		}
		u.Interfaces[physical] = link
	}
	if o.localIP == "" {
		return u, nil
	}
	var err error
	if u.TunnelIP, err = network.ParseAddr(o.localIP); err != nil {
		return u, fmt.Errorf("--local-ip: %w", err)
	}
	return u, nil
}

func (o uplinkOptions) dhcp() (engine.DHCP, error) {
	d := engine.DHCP{Lease: o.lease, Domain: o.domain}
	if strings.ContainsAny(o.domain, " ,\n\r#\"\\") {
		return d, errors.New("--dns-domain: want a domain")
	}
	for _, text := range o.servers {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return d, fmt.Errorf("--dnsmasq-dns-server %s: want an address", text)
		}
		d.Servers = append(d.Servers, a)
	}
	return d, nil
}
