package engine

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/network"
)

var updateDHCP = flag.Bool("update-dhcp", false, "write the golden files of DHCP anew")

const (
	netID, portID   = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
	fourID, sixID   = "00000000-0000-4000-8000-000000000003", "00000000-0000-4000-8000-000000000004"
	guestID, bareID = "00000000-0000-4000-8000-000000000005", "00000000-0000-4000-8000-000000000006"
)

// fullDHCP has a subnet of each family, a guest in both, with options, and one without.
func fullDHCP() *enginepb.Dhcp {
	return &enginepb.Dhcp{NetworkId: netID, PortId: portID, Mtu: 1450,
		Subnets: []*enginepb.DhcpSubnet{
			{Id: fourID, Cidr: "10.0.0.0/22", Gateway: "10.0.0.1", DnsServers: []string{"192.0.2.53"},
				Routes: []*enginepb.Route{{Destination: "10.9.0.0/24"}, {Destination: "198.51.100.0/24", NextHop: "10.0.0.9"}}},
			{Id: sixID, Cidr: "fd00::/64", Mode: network.DHCPv6Stateful},
		},
		Hosts: []*enginepb.DhcpHost{
			{PortId: guestID, Mac: "fa:16:3e:00:00:05", Name: "host-10-0-0-5", Addresses: []string{"10.0.0.5", "fd00::5"}, Options: []*enginepb.DhcpOption{
				{Name: "bootfile-name", Value: `http://x/y?a="b c"\#,d`, IpVersion: 4}, {Name: "ntp-server", Value: "192.0.2.1,192.0.2.2", IpVersion: 4},
				{Name: "59", Value: "tftp://[fd00::9]/x", IpVersion: 6}, {Name: "rapid-commit", IpVersion: 4},
			}},
			{PortId: bareID, Mac: "fa:16:3e:00:00:06", Name: "host-10-0-0-6", Addresses: []string{"10.0.0.6"}},
		},
	}
}

func underRun(file string) string { return "/run/example/" + file }

func TestRenderDHCP(t *testing.T) {
	all := DHCP{Lease: 600, Domain: "cloud.example", Servers: []netip.Addr{netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("2620:fe::fe")}}
	closed := fullDHCP()
	closed.Subnets[0].Gateway, closed.Subnets[0].Routes, closed.Subnets[0].DnsServers = "", nil, []string{"0.0.0.0"}
	closed.Subnets[1].Mode, closed.Hosts = network.DHCPv6Stateless, nil
	for name, c := range map[string]struct {
		dhcp *enginepb.Dhcp
		all  DHCP
	}{"full": {fullDHCP(), all}, "closed": {closed, DHCP{Lease: -1}}, "many-routes": {manyRoutes(), DHCP{}}} {
		t.Run(name, func(t *testing.T) {
			r, err := renderDhcp(c.dhcp, c.all, underRun)
			if err != nil || len(r.refused) > 0 {
				t.Fatalf("renderDhcp: %v, %v", err, r)
			}
			text := fmt.Sprintf("== dnsmasq.conf\n%s== hosts\n%s== options\n%s", r.conf, r.files[dhcpHosts], r.files[dhcpOptions])
			path := "testdata/dhcp-" + name + ".golden"
			if *updateDHCP {
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), text); diff != "" {
				t.Errorf("renderDhcp (-want +got):\n%s", diff)
			}
			showDnsmasq(t, r)
		})
	}
}

// manyRoutes has more routes than an option holds, each as long as can be.
func manyRoutes() *enginepb.Dhcp {
	d := fullDHCP()
	d.Subnets, d.Hosts = d.Subnets[:1], nil
	for i := range 60 {
		d.Subnets[0].Routes = append(d.Subnets[0].Routes, &enginepb.Route{Destination: fmt.Sprintf("203.113.113.%d/32", 100+i), NextHop: "100.100.100.100"})
	}
	return d
}

// showDnsmasq asks dnsmasq itself whether it takes what was rendered. It looks at its configuration only, so what stands in other files is
// shown as a part of that.
func showDnsmasq(t *testing.T, r *rendered) {
	t.Helper()
	var conf strings.Builder
	for line := range strings.Lines(string(r.conf)) {
		if !strings.HasPrefix(line, "dhcp-hostsfile=") && !strings.HasPrefix(line, "dhcp-optsfile=") {
			conf.WriteString(line)
		}
	}
	for file, prefix := range map[string]string{dhcpHosts: "dhcp-host=", dhcpOptions: "dhcp-option="} {
		for line := range strings.Lines(string(r.files[file])) {
			if len(line) > maxDhcpLine+1 {
				t.Errorf("a line of %d characters: %s", len(line), line)
			}
			conf.WriteString(prefix + line)
		}
	}
	path := filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(path, []byte(conf.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	program, err := dnsmasqProgram()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "--test", "--conf-file="+path).CombinedOutput(); err != nil {
		t.Errorf("dnsmasq --test: %v: %s\n%s", err, out, conf.String())
	}
}

func TestRenderDHCPRefuses(t *testing.T) {
	for name, change := range map[string]func(d *enginepb.Dhcp){
		"bad network":                 func(d *enginepb.Dhcp) { d.NetworkId = "x" },
		"bad port":                    func(d *enginepb.Dhcp) { d.PortId = "../x" },
		"bad subnet":                  func(d *enginepb.Dhcp) { d.Subnets[0].Id = "x,y" },
		"bad CIDR":                    func(d *enginepb.Dhcp) { d.Subnets[0].Cidr = "10.0.0.0" },
		"bad CIDR: of a station":      func(d *enginepb.Dhcp) { d.Subnets[0].Cidr = "10.0.0.1/24" },
		"bad CIDR: IPv4 in IPv6":      func(d *enginepb.Dhcp) { d.Subnets[0].Cidr = "::ffff:10.0.0.0/120" },
		"bad mode":                    func(d *enginepb.Dhcp) { d.Subnets[1].Mode = "slaac" },
		"bad mode: of IPv4":           func(d *enginepb.Dhcp) { d.Subnets[0].Mode = network.DHCPv6Stateful },
		"bad gateway":                 func(d *enginepb.Dhcp) { d.Subnets[0].Gateway = "fd00::1" },
		"bad gateway without routes":  func(d *enginepb.Dhcp) { d.Subnets[0].Gateway, d.Subnets[0].Routes = "10.0.0.1\nx", nil },
		"bad name server":             func(d *enginepb.Dhcp) { d.Subnets[0].DnsServers = []string{"dns.example"} },
		"bad name server: zone":       func(d *enginepb.Dhcp) { d.Subnets[1].DnsServers = []string{"fe80::1%eth0"} },
		"bad name server: of IPv6":    func(d *enginepb.Dhcp) { d.Subnets[0].DnsServers = []string{"fd00::53"} },
		"bad route":                   func(d *enginepb.Dhcp) { d.Subnets[0].Routes[0].Destination = "x" },
		"bad route: of IPv6":          func(d *enginepb.Dhcp) { d.Subnets[0].Routes[0].Destination = "fd00::/64" },
		"bad next hop":                func(d *enginepb.Dhcp) { d.Subnets[0].Routes[0].NextHop = "x" },
		"bad guest":                   func(d *enginepb.Dhcp) { d.Hosts[0].PortId = "" },
		"bad MAC":                     func(d *enginepb.Dhcp) { d.Hosts[0].Mac = "fa:16:3e:00:00:05,ignore" },
		"bad address":                 func(d *enginepb.Dhcp) { d.Hosts[0].Addresses[0] = "10.0.0.5/24" },
		"bad name":                    func(d *enginepb.Dhcp) { d.Hosts[0].Name = "a,ignore" },
		"bad name: the end of a line": func(d *enginepb.Dhcp) { d.Hosts[0].Name = "a\n" },
	} {
		d := fullDHCP()
		change(d)
		if r, err := renderDhcp(d, DHCP{}, underRun); err == nil {
			t.Errorf("%s is taken:\n%s%s%s", name, r.conf, r.files[dhcpHosts], r.files[dhcpOptions])
		}
	}
}

// TestOddOptions has options that cannot be left out, and told of, without harm to the others.
func TestOddOptions(t *testing.T) {
	for name, o := range map[string]*enginepb.DhcpOption{
		"bad name":               {Name: "no-such-option", Value: "x", IpVersion: 4},
		"bad name: two lines":    {Name: "router\ndhcp-script", Value: "x", IpVersion: 4},
		"bad name: a tag":        {Name: "3,tag:x", Value: "x", IpVersion: 4},
		"bad name: of IPv4 only": {Name: "router", Value: "10.0.0.9", IpVersion: 6},
		"bad number":             {Name: "255", Value: "x", IpVersion: 4},
		"bad number: zero":       {Name: "0", Value: "x", IpVersion: 4},
		"bad number: spelling":   {Name: "+3", Value: "x", IpVersion: 4},
		"bad value: two lines":   {Name: "bootfile-name", Value: "x\ny", IpVersion: 4},
		"bad value: a zero":      {Name: "bootfile-name", Value: "x\x00y", IpVersion: 4},
		"bad value: too long":    {Name: "bootfile-name", Value: strings.Repeat("x", 256), IpVersion: 4},
	} {
		d := fullDHCP()
		d.Hosts[1].Options = []*enginepb.DhcpOption{o}
		r, err := renderDhcp(d, DHCP{}, underRun)
		if err != nil || len(r.refused) != 1 || !strings.Contains(r.refused[0].Error(), bareID) {
			t.Errorf("%s: %v, %v", name, err, r)
			continue
		}
		plain, err := renderDhcp(fullDHCP(), DHCP{}, underRun)
		if diff := cmp.Diff(plain.files, r.files); err != nil || diff != "" {
			t.Errorf("%s: %v, other files (-without +with):\n%s", name, err, diff)
		}
	}
}

// TestShortPrefix has an IPv6 subnet that dnsmasq would not start with left out, and told of, without harm to the others.
func TestShortPrefix(t *testing.T) {
	d, without := fullDHCP(), fullDHCP()
	d.Subnets = append(d.Subnets, &enginepb.DhcpSubnet{Id: bareID, Cidr: "fd00:8000::/63", Mode: network.DHCPv6Stateful})
	r, err := renderDhcp(d, DHCP{}, underRun)
	if err != nil || len(r.refused) != 1 || !strings.Contains(r.refused[0].Error(), bareID) {
		t.Fatalf("renderDhcp: %v, %v", err, r)
	}
	plain, err := renderDhcp(without, DHCP{}, underRun)
	if diff := cmp.Diff(string(plain.conf), string(r.conf)); err != nil || diff != "" {
		t.Errorf("renderDhcp: %v (-without +with):\n%s", err, diff)
	}
}

// TestFindDhcps has a namespace that an earlier engine left be found once namespaces can be listed, and not looked for again then.
func TestFindDhcps(t *testing.T) {
	e := &Engine{servants: servants{all: map[string]*servant{dhcpPrefix + guestID: {}}}, config: Config{Instance: "find-" + portID}}
	looks := 0
	listed := func() ([]string, error) {
		looks++
		return []string{network.DHCPNetNS + netID, network.RouterNetNS + bareID}, nil
	}
	refused := func() ([]string, error) { looks++; return nil, os.ErrPermission }
	if err := e.findDhcps(refused); !errors.Is(err, os.ErrPermission) {
		t.Errorf("refused: %v", err)
	}
	e.dhcps[sixID] = true // one that a plan names meanwhile
	for range 2 {
		if err := e.findDhcps(listed); err != nil {
			t.Errorf("listed: %v", err)
		}
	}
	if diff := cmp.Diff(map[string]bool{guestID: true, netID: true, sixID: true}, e.dhcps); diff != "" || looks != 2 {
		t.Errorf("after %d looks, want 2 (-want +got):\n%s", looks, diff)
	}
}

// FuzzDHCPOption has whatever a tenant writes stay a value: one line, of which dnsmasq makes the value again.
func FuzzDHCPOption(f *testing.F) {
	for _, seed := range []string{"", "x", "10.0.0.1,10.0.0.2", `"`, `\`, `a\"b`, " #x", ",,", "a\nb", "tag:x,option:3", "é", "http://x/?a=b#c"} {
		f.Add("bootfile-name", seed, int32(4))
	}
	f.Add("59", `\n\t"`, int32(6))
	f.Fuzz(func(t *testing.T, name, value string, version int32) {
		w := &dhcpWriter{}
		err := w.extra(guestID, &enginepb.DhcpOption{Name: name, Value: value, IpVersion: version})
		line := w.options.String()
		if err != nil {
			if line != "" {
				t.Fatalf("%v, and %q was written", err, line)
			}
			return
		}
		kind := "option:"
		if version == 6 {
			kind = "option6:"
		}
		rest, ok := strings.CutPrefix(line, "tag:"+guestID+","+kind+name)
		rest, ended := strings.CutSuffix(rest, "\n")
		if !ok || !ended || len(line) > maxDhcpLine || strings.ContainsAny(rest, "\n\r\x00") {
			t.Fatalf("%q, %q gives the line %q", name, value, line)
		}
		if got := unquoted(t, strings.TrimPrefix(rest, ",")); got != value {
			t.Fatalf("%q is read as %q", value, got)
		}
	})
}

// unquoted reads a value as dnsmasq reads a line of a file (read_file in its option.c).
func unquoted(t *testing.T, s string) string {
	var out strings.Builder
	quoted, white := false, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\' && i+1 < len(s) && strings.IndexByte("\"\\tnebr", s[i+1]) >= 0:
			i++
			if s[i] != '"' && s[i] != '\\' {
				t.Fatalf("%q has a character in disguise", s)
			}
			out.WriteByte(s[i])
		case !quoted && white && c == '#':
			t.Fatalf("%q has a comment", s)
		default:
			out.WriteByte(c)
		}
		white = c == ' '
	}
	if quoted {
		t.Fatalf("%q has a quote without an end", s)
	}
	return out.String()
}
