package main

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/cobra"

	"plimsoll/internal/config"
	"plimsoll/internal/linux"
)

// TestUplinkOptions has what a configuration says reach the engine by its flags, and flags that nobody gave say what a configuration of
// defaults does.
func TestUplinkOptions(t *testing.T) {
	full := config.Default().Network
	full.Interfaces = map[string]string{"physnet2": "bond0", "physnet1": "eth1"}
	full.TunnelIP, full.TunnelPort = netip.MustParseAddr("192.0.2.1"), 8472
	full.DHCP = config.DHCP{Lease: -1, Servers: []netip.Addr{netip.MustParseAddr("9.9.9.9")}}
	for name, c := range map[string]config.Network{"defaults": config.Default().Network, "full": full} {
		t.Run(name, func(t *testing.T) {
			var o uplinkOptions
			cmd := &cobra.Command{}
			o.flags(cmd)
			given := uplinksOf(c).arguments()
			if name == "defaults" {
				given = nil
			}
			if err := cmd.ParseFlags(given); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(uplinksOf(c).text(), o.text()); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
			got, err := o.uplinks()
			if err != nil {
				t.Fatal(err)
			}
			want := linux.Uplinks{Interfaces: c.Interfaces, TunnelIP: c.TunnelIP, TunnelPort: c.TunnelPort}
			if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("uplinks (-want +got):\n%s", diff)
			}
			if d, err := o.dhcp(); err != nil || d.Lease != c.DHCP.Lease || d.Domain != c.DHCP.Domain || len(d.Servers) != len(c.DHCP.Servers) {
				t.Errorf("dhcp() = %v, %v", d, err)
			}
		})
	}
}

func TestUplinkOptionsThatCannotBe(t *testing.T) {
	for name, o := range map[string]uplinkOptions{
		"bad mapping":             {interfaces: []string{"eth1"}},
		"bad mapping: twice":      {interfaces: []string{"a:eth1", "a:eth2"}},
		"bad interface":           {interfaces: []string{"a:../eth1"}},
		"bad interface: too long": {interfaces: []string{"a:abcdefghijklmnop"}},
		"bad address":             {localIP: "here"},
	} {
		if _, err := o.uplinks(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for name, o := range map[string]uplinkOptions{
		"bad domain":      {domain: "a\ndhcp-script=/bin/sh"},
		"bad name server": {servers: []string{"dns.example"}},
	} {
		if _, err := o.dhcp(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
