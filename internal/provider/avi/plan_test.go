package avi

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
)

// TestPlan: virtual services that go come first, children before their parents; then all that is wanted, the VsVip before all; then what
// is left over, each before what it refers to.
func TestPlan(t *testing.T) {
	known := objects{}
	for _, k := range []struct{ kind, uuid, of string }{
		{translate.VirtualService, "child", "VS_TYPE_VH_CHILD"}, {translate.VirtualService, "parent", "VS_TYPE_VH_PARENT"},
		{translate.VirtualService, "stays", "VS_TYPE_NORMAL"}, {translate.Pool, "pool", ""}, {translate.PolicySet, "policies", ""},
		{translate.Monitor, "monitor", ""}, {translate.Persistence, "persistence", ""}, {translate.SSLProfile, "ssl", ""},
		{translate.Certificate, "authority", "SSL_CERTIFICATE_TYPE_CA"}, {translate.Certificate, "certificate", "SSL_CERTIFICATE_TYPE_VIRTUALSERVICE"},
		{translate.PKIProfile, "pki", ""}, {translate.VsVip, "vip", ""},
	} {
		known[key{k.kind, k.uuid}] = controller.Object{"type": k.of}
	}
	wanted := []translate.Object{
		{Kind: translate.Monitor, UUID: "new"}, {Kind: translate.VirtualService, UUID: "stays"}, {Kind: translate.VirtualService, UUID: "second"},
		{Kind: translate.VsVip, UUID: "other vip"},
	}
	p := draw(known, wanted)
	var got []string
	for _, k := range p.first {
		got = append(got, "delete "+k.uuid)
	}
	for _, w := range p.ensure {
		got = append(got, "ensure "+w.UUID)
	}
	for _, k := range p.last {
		got = append(got, "delete "+k.uuid)
	}
	want := []string{
		"delete child", "delete parent", "ensure other vip", "ensure new", "ensure stays", "ensure second", "delete policies", "delete pool",
		"delete persistence", "delete monitor", "delete pki", "delete ssl", "delete certificate", "delete authority", "delete vip",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

// TestPlanProperties: of all objects that are known or wanted each is in the plan once, and what refers to others goes before them.
func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		known := objects{}
		var wanted []translate.Object
		for i, kind := range rapid.SliceOfN(rapid.SampledFrom(kinds), 0, 20).Draw(t, "kinds") {
			uuid := fmt.Sprintf("%s-%d", kind, i)
			where := rapid.IntRange(1, 3).Draw(t, "where")
			if where&1 != 0 {
				known[key{kind, uuid}] = controller.Object{}
			}
			if where&2 != 0 {
				wanted = append(wanted, translate.Object{Kind: kind, UUID: uuid})
			}
		}
		p := draw(known, wanted)
		seen := map[string]int{}
		ranks := func(list []key) (all []int) {
			for _, k := range list {
				seen[k.uuid]++
				all = append(all, -rank(k.kind))
			}
			return all
		}
		if !slices.IsSorted(ranks(p.first)) || !slices.IsSorted(ranks(p.last)) {
			t.Fatalf("out of order: %v, %v", p.first, p.last)
		}
		made := -1
		for _, w := range p.ensure {
			seen[w.UUID]++
			if rank(w.Kind) < made {
				t.Fatalf("%s comes too late", w.UUID)
			}
			made = rank(w.Kind)
		}
		for uuid, n := range seen {
			if n != 1 {
				t.Fatalf("%s is %d times in the plan", uuid, n)
			}
		}
		for k := range known {
			if seen[k.uuid] == 0 {
				t.Fatalf("%s is not in the plan", k.uuid)
			}
		}
		if len(p.ensure) != len(wanted) {
			t.Fatalf("%d of %d objects", len(p.ensure), len(wanted))
		}
	})
}

func TestWithout(t *testing.T) {
	missing := func(uuid string) bool { return strings.HasSuffix(uuid, "-x") }
	for _, test := range []struct {
		name     string
		owned    string
		want     string
		possible bool
	}{
		{"bad: no VIP", `{"vsvip_ref": "/api/vsvip/vsvip-x"}`, `{"vsvip_ref": "/api/vsvip/vsvip-x"}`, false},
		{"bad: no certificate", `{"ssl_key_and_certificate_refs": ["/api/sslkeyandcertificate/sslkeyandcertificate-x"]}`,
			`{"ssl_key_and_certificate_refs": ["/api/sslkeyandcertificate/sslkeyandcertificate-x"]}`, false},
		{"nothing is missing", `{"pool_ref": "/api/pool/pool-1", "description": "/api/pool/pool-x"}`,
			`{"pool_ref": "/api/pool/pool-1", "description": "/api/pool/pool-x"}`, true},
		{"no pool", `{"pool_ref": "/api/pool/pool-x", "name": "n"}`, `{"pool_ref": null, "name": "n"}`, true},
		{"one of two monitors", `{"health_monitor_refs": ["/api/healthmonitor/healthmonitor-x", "/api/healthmonitor/healthmonitor-1"]}`,
			`{"health_monitor_refs": ["/api/healthmonitor/healthmonitor-1"]}`, true},
		{"one of two policies", `{"http_request_policy": {"rules": [{"index": 1, "switching_action": {"pool_ref": "/api/pool/pool-x"}}, {"index": 2}]}}`,
			`{"http_request_policy": {"rules": [{"index": 2}]}}`, true},
		{"no policies", `{"http_policies": [{"index": 1, "http_policy_set_ref": "/api/httppolicyset/httppolicyset-x"}]}`, `{"http_policies": []}`, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, possible := without(translate.Object{Owned: decode(t, test.owned)}, missing)
			if diff := cmp.Diff(asJSON(t, decode(t, test.want)), asJSON(t, got.Owned)); diff != "" || possible != test.possible {
				t.Errorf("possible: %v; (-want +got):\n%s", possible, diff)
			}
		})
	}
}
