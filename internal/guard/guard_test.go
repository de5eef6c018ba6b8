package guard

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"

	"plimsoll/internal/engine/enginepb"
)

var update = flag.Bool("update", false, "write the golden files")

var names = Names{Link: func(id string) string { return "plm" + id[:min(11, len(id))] }, Bridge: func(id string) string { return "brq" + id[:min(11, len(id))] }}

const (
	portID  = "5b0fbd4e-a1a6-4a8c-9d5c-1d9e4a0e2c01"
	portID2 = "6c1fbd4e-a1a6-4a8c-9d5c-1d9e4a0e2c02"
	netID   = "0a1c2e3f-1111-4222-8333-944455566677"
	groupID = "f3b9a0c2-4d5e-4f60-8a7b-9c0d1e2f3a4b"
	peersID = "a7b8c9d0-1e2f-4a3b-8c4d-5e6f7a8b9c0d"
)

// aPlan has two ports, one of them with a range, in groups of which one names the other.
func aPlan() *enginepb.HostPlan {
	const mac = "fa:16:3e:01:02:03"
	return &enginepb.HostPlan{
		Guards: []*enginepb.Guard{
			{PortId: portID, NetworkId: netID, GroupIds: []string{peersID, groupID}, Pairs: []*enginepb.AddressPair{
				{Mac: mac, Address: "10.0.0.5/32"}, {Mac: mac, Address: "2001:db8::5/128"}, {Mac: "02:00:00:00:00:01", Address: "10.8.0.0/13"}, {Mac: mac, Address: "2001:db8:1::/48"}}},
			{PortId: portID2, NetworkId: netID, GroupIds: []string{groupID}, Pairs: []*enginepb.AddressPair{{Mac: "fa:16:3e:01:02:04", Address: "10.0.0.6/32"}}},
		},
		Groups: []*enginepb.Group{
			{Id: groupID, Rules: []*enginepb.GuardRule{
				{Egress: true, Protocol: -1, PortMin: -1, PortMax: -1}, {Egress: true, Six: true, Protocol: -1, PortMin: -1, PortMax: -1},
				{Protocol: 6, PortMin: 80, PortMax: 80, RemotePrefix: "192.0.2.0/24"}, {Six: true, Protocol: 17, PortMin: 1000, PortMax: 2000},
				{Protocol: 1, PortMin: 8, PortMax: 0}, {Six: true, Protocol: 58, PortMin: 128, PortMax: -1}, {Protocol: 112, PortMin: -1, PortMax: -1, RemotePrefix: "0.0.0.0/0"},
				{Protocol: -1, PortMin: -1, PortMax: -1, RemoteGroupId: groupID}, {Six: true, Protocol: -1, PortMin: -1, PortMax: -1, RemoteGroupId: groupID},
			}, Members: []string{"10.0.0.5/32", "10.0.0.6/32", "2001:db8::5/128", "10.8.0.0/13", "10.9.0.0/16"}},
			{Id: peersID, Rules: []*enginepb.GuardRule{{Egress: true, Protocol: 132, PortMin: -1, PortMax: -1, RemoteGroupId: groupID}}},
		},
	}
}

func parsed(t *testing.T, plan *enginepb.HostPlan) Wanted {
	t.Helper()
	ports, groups, refused := Parse(plan, names)
	if len(refused) > 0 {
		t.Fatalf("refused: %v", refused)
	}
	return Wanted{Ports: ports, Groups: groups, Zones: map[string]uint16{names.Bridge(netID): 7}}
}

func TestPlanGolden(t *testing.T) {
	closed := Wanted{Closed: []string{"plm5b0fbd4e-a1"}}
	lonely := parsed(t, aPlan())
	lonely.Ports[0].Groups, lonely.Ports = nil, lonely.Ports[:1]
	for name, w := range map[string]Wanted{"none": {}, "closed": closed, "two": parsed(t, aPlan()), "groupless": lonely} {
		file := filepath.Join("testdata", name+".nft")
		got := text(Plan(w))
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestParse(t *testing.T) {
	const guarded, grouped = "guard of port " + portID, "security group " + groupID
	tests := []struct {
		name string
		set  func(p *enginepb.HostPlan)
		want string // of what is refused; "" is nothing
	}{
		{"bad port", func(p *enginepb.HostPlan) { p.Guards[0].PortId = "a b" }, "are no ids"},
		{"bad network", func(p *enginepb.HostPlan) { p.Guards[0].NetworkId = "" }, "are no ids"},
		{"bad MAC address", func(p *enginepb.HostPlan) { p.Guards[0].Pairs[0].Mac = "fa:16:3e" }, guarded + `: "fa:16:3e" is no MAC address`},
		{"bad long MAC address", func(p *enginepb.HostPlan) { p.Guards[0].Pairs[0].Mac = "02:00:5e:10:00:00:00:01" }, "is no MAC address"},
		{"bad address", func(p *enginepb.HostPlan) { p.Guards[0].Pairs[0].Address = "10.0.0.5" }, guarded + `: "10.0.0.5" is no range of addresses`},
		{"bad mapped address", func(p *enginepb.HostPlan) { p.Guards[0].Pairs[0].Address = "::ffff:10.0.0.5/128" }, "is no range of addresses"},
		{"bad group", func(p *enginepb.HostPlan) { p.Guards[0].GroupIds[0] = "b" }, guarded + `: the plan has no security group "b"`},
		{"bad ports: twice", func(p *enginepb.HostPlan) { p.Guards[1].PortId = portID }, guarded + ": it is there twice"},
		{"bad groups: twice", func(p *enginepb.HostPlan) { p.Groups[1].Id = groupID }, grouped + ": it is there twice"},
		{"bad id of a group", func(p *enginepb.HostPlan) { p.Groups[0].Id = "{" }, `"{" is no id`},
		{"bad member", func(p *enginepb.HostPlan) { p.Groups[0].Members[0] = "" }, grouped + `: "" is no range of addresses`},
		{"bad protocol", func(p *enginepb.HostPlan) { p.Groups[0].Rules[0].Protocol = 256 }, grouped + ": 256 is no protocol"},
		{"bad port of a rule", func(p *enginepb.HostPlan) { p.Groups[0].Rules[2].PortMax = 65536 }, "protocol 6 has no 80 to 65536"},
		{"bad range of ports", func(p *enginepb.HostPlan) { p.Groups[0].Rules[2].PortMin = 81 }, "there is no port from 81 to 80"},
		{"bad port of no protocol", func(p *enginepb.HostPlan) { p.Groups[0].Rules[0].PortMin = 1 }, "protocol -1 has no 1 to -1"},
		{"bad type", func(p *enginepb.HostPlan) { p.Groups[0].Rules[4].PortMin = 256 }, "protocol 1 has no 256 to 0"},
		{"bad code", func(p *enginepb.HostPlan) { p.Groups[0].Rules[4].PortMin = -1 }, "the code 0 stands for no type"},
		{"bad remote group", func(p *enginepb.HostPlan) { p.Groups[0].Rules[0].RemoteGroupId = "a;b" }, `"a;b" is no id`},
		{"bad remote range", func(p *enginepb.HostPlan) { p.Groups[0].Rules[0].RemotePrefix = "10.0.0.0" }, "is no range of addresses"},
		{"bad family", func(p *enginepb.HostPlan) { p.Groups[0].Rules[0].RemotePrefix = "::/0" }, "::/0 is of another IP version than its rule"},
		{"an ordinary one", func(*enginepb.HostPlan) {}, ""},
		{"no groups and no addresses", func(p *enginepb.HostPlan) { p.Guards[0].GroupIds, p.Guards[0].Pairs = nil, nil }, ""},
		{"a remote group that is not there", func(p *enginepb.HostPlan) { p.Groups[0].Rules[0].RemoteGroupId = "none" }, ""},
	}
	for _, test := range tests {
		plan := aPlan()
		test.set(plan)
		ports, _, refused := Parse(plan, names)
		var all []string
		for _, err := range refused {
			all = append(all, err.Error())
		}
		if got := strings.Join(all, "; "); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: refused %q, want %q", test.name, got, test.want)
		}
		if test.want == "" && len(ports) != 2 {
			t.Errorf("%s: %d ports", test.name, len(ports))
		}
	}
}

// TestRefusedGroup wants the ports of a group that is refused to be refused, and no others.
func TestRefusedGroup(t *testing.T) {
	plan := aPlan()
	plan.Groups[1].Rules[0].Protocol = -2
	ports, _, refused := Parse(plan, names)
	if len(ports) != 1 || ports[0].ID != portID2 || refused[portID] == nil || refused[portID2] != nil {
		t.Errorf("ports %v, refused %v", ports, refused)
	}
}

// FuzzParse wants whatever is taken to be planned.
func FuzzParse(f *testing.F) {
	seed, err := protojson.Marshal(aPlan())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"guards":[{"portId":"a","networkId":"b","pairs":[{"mac":"fa:16:3e:01:02:03","address":"10.0.0.5/32"}]}],"groups":[{"id":"c"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		plan := &enginepb.HostPlan{}
		if protojson.Unmarshal(text, plan) != nil {
			return
		}
		ports, groups, _ := Parse(plan, names)
		w := Wanted{Ports: ports, Groups: groups}
		for _, table := range Plan(w) {
			for _, c := range table.Chains {
				if len(c.Name) > 255 || strings.ContainsAny(c.Name, " \n;{}\"") {
					t.Errorf("a chain is called %q", c.Name)
				}
			}
		}
		if left := Diff(State(nil).After(Diff(nil, Plan(w))), Plan(w)); len(left) > 0 {
			t.Errorf("%d changes are left, the first: %+v", len(left), left[0])
		}
	})
}

func TestMerged(t *testing.T) {
	var members []netip.Prefix
	for _, text := range []string{"10.1.0.0/16", "10.0.0.0/8", "10.0.0.5/32", "10.0.0.0/9", "11.0.0.0/8", "2001:db8::/32", "2001:db8:1::/48"} {
		members = append(members, netip.MustParsePrefix(text))
	}
	var got []string
	for _, r := range merged(members) {
		got = append(got, r.String())
	}
	if diff := cmp.Diff([]string{"10.0.0.0/8", "11.0.0.0/8", "2001:db8::/32"}, got); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
}
