package network

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"plimsoll/lbaas"
)

var addresses = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

// anyPrefix draws a CIDR of either family.
func anyPrefix(t *rapid.T) netip.Prefix {
	if rapid.Bool().Draw(t, "four") {
		var b [4]byte
		copy(b[:], rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address"))
		return netip.PrefixFrom(netip.AddrFrom4(b), rapid.IntRange(1, 32).Draw(t, "bits")).Masked()
	}
	b := [16]byte{0x20, 0x01}
	copy(b[2:], rapid.SliceOfN(rapid.Byte(), 14, 14).Draw(t, "address"))
	return netip.PrefixFrom(netip.AddrFrom16(b), rapid.IntRange(1, 128).Draw(t, "bits")).Masked()
}

// smallRange draws a range of at most a few hundred addresses.
func smallRange(t *rapid.T) Range {
	start := anyPrefix(t).Addr()
	if !start.IsValid() {
		start = netip.IPv4Unspecified()
	}
	end := start
	for range rapid.IntRange(0, 300).Draw(t, "more") {
		if next := end.Next(); next.IsValid() {
			end = next
		}
	}
	return Range{start, end}
}

func all(r Range) []netip.Addr {
	var list []netip.Addr
	for a := r.Start; a.IsValid() && !r.End.Less(a); a = a.Next() {
		list = append(list, a)
	}
	return list
}

// TestFree finds what a look at every address finds.
func TestFree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := smallRange(t)
		var taken, free []netip.Addr
		for _, a := range all(r) {
			if rapid.Bool().Draw(t, "taken") {
				taken = append(taken, a)
			} else {
				free = append(free, a)
			}
		}
		n := rapid.IntRange(1, 20).Draw(t, "n")
		want := free[:min(n, len(free))]
		if got := Free(r, taken, n); !slices.Equal(want, got) {
			t.Fatalf("Free(%v, %v, %d) = %v, want %v", r, taken, n, got, want)
		}
	})
}

// TestDefaultPools leave out the gateway and what no station may have, and nothing else.
func TestDefaultPools(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cidr := anyPrefix(t)
		gateway := DefaultGateway(cidr)
		switch rapid.IntRange(0, 2).Draw(t, "gateway") {
		case 1:
			gateway = netip.Addr{}
		case 2:
			gateway = hosts(cidr).at(new(big.Int).Rsh(hosts(cidr).size(), 1))
		}
		pools := DefaultPools(cidr, gateway)
		if gateway.IsValid() && Usable(cidr, gateway) || !gateway.IsValid() {
			if err := ValidatePools(cidr, gateway, pools); err != nil {
				t.Fatalf("the default pools %v of %s with gateway %s: %v", pools, cidr, gateway, err)
			}
		}
		total := new(big.Int)
		for _, p := range pools {
			total.Add(total, p.size())
		}
		want := hosts(cidr).size()
		if gateway.IsValid() && Usable(cidr, gateway) {
			want.Sub(want, big.NewInt(1))
		}
		if total.Cmp(want) != 0 {
			t.Fatalf("the default pools %v of %s with gateway %s have %s addresses, want %s", pools, cidr, gateway, total, want)
		}
	})
}

// TestSearchOrder covers the pools, each address once.
func TestSearchOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cidr := anyPrefix(t)
		pools := DefaultPools(cidr, hosts(cidr).at(new(big.Int).Rsh(hosts(cidr).size(), 1)))
		var seed [32]byte
		copy(seed[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
		order, err := SearchOrder(pools, rand.NewChaCha8(seed))
		if err != nil {
			t.Fatal(err)
		}
		covered := sortedPools(order)
		joined := []Range{}
		for _, r := range covered {
			if n := len(joined); n > 0 && joined[n-1].End.Next() == r.Start && !slices.ContainsFunc(pools, func(p Range) bool { return p.Start == r.Start }) {
				joined[n-1].End = r.End
			} else {
				joined = append(joined, r)
			}
		}
		if diff := cmp.Diff(sortedPools(pools), joined, addresses, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("the search does not cover the pools (-want +got):\n%s", diff)
		}
	})
}

func TestValidatePools(t *testing.T) {
	cidr, gateway := netip.MustParsePrefix("10.0.0.0/24"), netip.MustParseAddr("10.0.0.1")
	r := func(start, end string) Range { return Range{netip.MustParseAddr(start), netip.MustParseAddr(end)} }
	tests := map[string]struct {
		pools []Range
		want  string
	}{
		"bad: backwards":    {[]Range{r("10.0.0.9", "10.0.0.8")}, "InvalidAllocationPool"},
		"bad: two families": {[]Range{r("10.0.0.9", "2001:db8::")}, "InvalidAllocationPool"},
		"bad: other family": {[]Range{r("2001:db8::1", "2001:db8::2")}, "InvalidAllocationPool"},
		"bad: network":      {[]Range{r("10.0.0.0", "10.0.0.8")}, "OutOfBoundsAllocationPool"},
		"bad: broadcast":    {[]Range{r("10.0.0.2", "10.0.0.255")}, "OutOfBoundsAllocationPool"},
		"bad: overlap":      {[]Range{r("10.0.0.8", "10.0.0.9"), r("10.0.0.2", "10.0.0.8")}, "OverlappingAllocationPools"},
		"bad: twice":        {[]Range{r("10.0.0.8", "10.0.0.9"), r("10.0.0.8", "10.0.0.9")}, "OverlappingAllocationPools"},
		"bad: gateway":      {[]Range{r("10.0.0.1", "10.0.0.9")}, "GatewayConflictWithAllocationPools"},
		"none":              {nil, ""},
		"apart":             {[]Range{r("10.0.0.8", "10.0.0.9"), r("10.0.0.2", "10.0.0.7")}, ""},
	}
	for name, test := range tests {
		got := ""
		if err := ValidatePools(cidr, gateway, test.pools); err != nil {
			got = errorType(t, err)
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestHosts(t *testing.T) {
	tests := map[string]string{
		"10.0.0.0/24": "10.0.0.1-10.0.0.254", "10.0.0.0/30": "10.0.0.1-10.0.0.2", "10.0.0.0/31": "10.0.0.0-10.0.0.1", "10.0.0.5/32": "10.0.0.5-10.0.0.5",
		"2001:db8::/64": "2001:db8::1-2001:db8::ffff:ffff:ffff:ffff", "2001:db8::/127": "2001:db8::-2001:db8::1", "2001:db8::/126": "2001:db8::1-2001:db8::3",
	}
	for cidr, want := range tests {
		if got := hosts(netip.MustParsePrefix(cidr)).String(); got != want {
			t.Errorf("stations of %s: %s, want %s", cidr, got, want)
		}
	}
}

func TestChangeIPs(t *testing.T) {
	a := func(subnet, address string) FixedIP {
		f := FixedIP{SubnetID: subnet}
		if address != "" {
			f.Address = netip.MustParseAddr(address)
		}
		return f
	}
	have := []FixedIP{a("s", "10.0.0.2"), a("s", "10.0.0.3"), a("t", "10.1.0.2")}
	tests := map[string]struct{ want, get []FixedIP }{
		"nothing":            {nil, nil},
		"the same":           {have, have},
		"turned round":       {[]FixedIP{have[2], have[0]}, []FixedIP{have[2], have[0]}},
		"by address alone":   {[]FixedIP{a("", "10.0.0.3")}, []FixedIP{have[1]}},
		"by subnet alone":    {[]FixedIP{a("s", "")}, []FixedIP{have[0]}},
		"subnet and address": {[]FixedIP{a("s", ""), a("", "10.0.0.2")}, []FixedIP{have[1], have[0]}},
		"more than it has":   {[]FixedIP{a("t", ""), a("t", "")}, []FixedIP{have[2], a("t", "")}},
		"a new one":          {[]FixedIP{a("s", "10.0.0.9")}, []FixedIP{a("s", "10.0.0.9")}},
	}
	for name, test := range tests {
		before := slices.Clone(have)
		if diff := cmp.Diff(test.get, ChangeIPs(have, test.want), addresses); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(before, have, addresses); diff != "" {
			t.Errorf("%s changed what the port has (-want +got):\n%s", name, diff)
		}
	}
}

func TestPlanPort(t *testing.T) {
	route := Route{netip.MustParsePrefix("10.9.0.0/16"), netip.MustParseAddr("10.0.0.2")}
	own := Route{netip.MustParsePrefix("10.8.0.0/16"), netip.MustParseAddr("10.0.0.9")}
	four := &Subnet{ID: "4", CIDR: netip.MustParsePrefix("10.0.0.0/24"), Gateway: netip.MustParseAddr("10.0.0.1"), HostRoutes: []Route{route, own}}
	six := &Subnet{ID: "6", CIDR: netip.MustParsePrefix("2001:db8::/64"), Gateway: netip.MustParseAddr("2001:db8::9")}
	p := &Port{ID: "p", NetworkID: "n", MAC: "fa:16:3e:00:00:01", FixedIPs: []FixedIP{
		{"4", netip.MustParseAddr("10.0.0.9")}, {"4", netip.MustParseAddr("10.0.0.10")}, {"6", netip.MustParseAddr("2001:db8::9")}, {"gone", netip.MustParseAddr("10.7.0.1")}}}
	want := &PortPlan{PortID: "p", NetworkID: "n", MAC: p.MAC, MTU: 1400, Gateways: []netip.Addr{four.Gateway}, Routes: []Route{route},
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.9/24"), netip.MustParsePrefix("10.0.0.10/24"), netip.MustParsePrefix("2001:db8::9/64")}}
	got := PlanPort(p, &Network{ID: "n", MTU: 1400}, []*Subnet{four, six})
	if diff := cmp.Diff(want, got, addresses); diff != "" {
		t.Errorf("PlanPort (-want +got):\n%s", diff)
	}
}

func TestEUI64(t *testing.T) {
	got, err := EUI64(netip.MustParsePrefix("2001:db8:1:2::/64"), "fa:16:3e:33:44:55")
	if err != nil || got != netip.MustParseAddr("2001:db8:1:2:f816:3eff:fe33:4455") {
		t.Errorf("EUI64: %s %v", got, err)
	}
	for cidr, mac := range map[string]string{"2001:db8::/63": "fa:16:3e:33:44:55", "10.0.0.0/24": "fa:16:3e:33:44:55", "2001:db8::/64": "x"} {
		if got, err := EUI64(netip.MustParsePrefix(cidr), mac); err == nil {
			t.Errorf("EUI64(%s, %s) = %s", cidr, mac, got)
		}
	}
}

func TestRandomMAC(t *testing.T) {
	for range 1000 {
		mac := RandomMAC()
		if got, err := ParseMAC(mac); err != nil || got != mac || !strings.HasPrefix(mac, "fa:16:3e:") {
			t.Fatalf("the MAC %s is read as %s, %v", mac, got, err)
		}
	}
}

func FuzzParseMAC(f *testing.F) {
	for _, seed := range []string{"fa:16:3e:00:00:01", "FA-16-3E-00-00-01", "fa16.3e00.0001", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "", "x", "00:00:5e:00:53:01:02:03"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		mac, err := ParseMAC(text)
		if err != nil {
			return
		}
		if again, err := ParseMAC(mac); err != nil || again != mac || len(mac) != 17 {
			t.Errorf("%q is read as %q, and that as %q, %v", text, mac, again, err)
		}
	})
}

func FuzzParseAddr(f *testing.F) {
	for _, seed := range []string{"10.0.0.1", "2001:db8::1", "fe80::1%eth0", "::ffff:10.0.0.1", "010.0.0.1", "10.0.0.0/24", "2001:db8::5/64", "x", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := ParseAddr(text); err == nil && (a.Zone() != "" || a.Is4In6() || a.Unmap() != a) {
			t.Errorf("%q is read as %v", text, a)
		}
		if p, err := ParseCIDR(text); err == nil && (p != p.Masked() || !p.IsValid() || p.Addr().Is4In6()) {
			t.Errorf("%q is read as %v", text, p)
		}
	})
}

// FuzzValidateNetNS lets nothing through that could be more than the name of a file in a directory.
func FuzzValidateNetNS(f *testing.F) {
	for _, seed := range []string{"web-1", "..", ".", "../x", "a/b", "qlbaas-x", "a\nb", "a\x00", "-x", strings.Repeat("a", 65), "ü", "a b", "$(x)", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if ValidateNetNS(name) != nil {
			return
		}
		safe := func(r rune) bool {
			return strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", r)
		}
		if name == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool { return !safe(r) }) || strings.ContainsAny(name[:1], ".-_") || strings.HasPrefix(name, LoadBalancerNetNS) {
			t.Errorf("the name %q is let through", name)
		}
	})
}

func errorType(t *testing.T, err error) string {
	t.Helper()
	var e *lbaas.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is not for users", err)
	}
	return e.Type
}
