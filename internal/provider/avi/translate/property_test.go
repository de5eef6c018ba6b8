package translate

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

// Names are few, so that many have the same, and one is longer than Avi takes.
var someNames = []string{"", "web", "api", strings.Repeat("long ", 51), "ünï:code#?&"}

// drawTree is any load balancer that Avi can make.
func drawTree(t *rapid.T) *lbaas.LoadBalancer {
	lb := &lbaas.LoadBalancer{
		Object: drawObject(t, number(9, 1)), VIPPortID: number(9, 2), VIPSubnetID: sessionSubnet,
		VIPAddress: rapid.SampledFrom([]netip.Addr{netip.MustParseAddr("10.0.3.3"), netip.MustParseAddr("2001:db8::3")}).Draw(t, "VIP"),
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "pools") {
		lb.Pools = append(lb.Pools, drawPool(t, i))
	}
	for i := range rapid.IntRange(0, 5).Draw(t, "listeners") {
		lb.Listeners = append(lb.Listeners, drawListener(t, i, len(lb.Pools)))
	}
	return lb
}

func drawObject(t *rapid.T, id string) lbaas.Object {
	return lbaas.Object{ID: id, Name: rapid.SampledFrom(someNames).Draw(t, "name"), AdminStateUp: rapid.IntRange(0, 3).Draw(t, "up") > 0}
}

// drawRef refers to one of few containers, the last of which cannot be read.
func drawRef(t *rapid.T) string { return certificateOf(rapid.IntRange(1, 4).Draw(t, "container")).Ref }

func drawPoolID(t *rapid.T, pools int) string {
	if n := rapid.IntRange(-1, pools-1).Draw(t, "pool"); n >= 0 {
		return number(4, n)
	}
	return ""
}

func drawListener(t *rapid.T, n, pools int) *lbaas.Listener {
	l := &lbaas.Listener{
		Object: drawObject(t, number(1, n)), ProtocolPort: 80 + n, DefaultPoolID: drawPoolID(t, pools),
		Protocol: rapid.SampledFrom([]lbaas.Protocol{lbaas.TCP, lbaas.HTTP, lbaas.HTTPS, lbaas.TerminatedHTTPS, lbaas.TerminatedHTTPS}).Draw(t, "protocol"),
	}
	if l.Protocol == lbaas.TerminatedHTTPS {
		for range rapid.IntRange(0, 3).Draw(t, "names") {
			l.SNIContainerRefs = append(l.SNIContainerRefs, drawRef(t))
		}
		if l.SNIContainerRefs == nil || rapid.Bool().Draw(t, "default") {
			l.DefaultTLSContainerRef = drawRef(t)
		}
		l.DefaultTLS(lbaas.DefaultTLS())
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "policies") {
		l.L7Policies = append(l.L7Policies, drawPolicy(t, 100*n+i, pools))
	}
	return l
}

func drawPolicy(t *rapid.T, n, pools int) *lbaas.L7Policy {
	p := &lbaas.L7Policy{
		Object: drawObject(t, number(3, n)), Position: n, Action: lbaas.Reject,
		Rules: []*lbaas.L7Rule{{Object: drawObject(t, number(5, n)), Type: lbaas.RulePath, CompareType: lbaas.CompareEqualTo, Value: "/"}},
	}
	if id := drawPoolID(t, pools); id != "" {
		p.Action, p.RedirectPoolID = lbaas.RedirectToPool, id
	}
	return p
}

func drawPool(t *rapid.T, n int) *lbaas.Pool {
	p := &lbaas.Pool{
		Object: drawObject(t, number(4, n)), Protocol: lbaas.HTTP, Algorithm: rapid.SampledFrom(lbaas.Algorithms()).Draw(t, "algorithm"),
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "members") {
		p.Members = append(p.Members, &lbaas.Member{
			Object: drawObject(t, number(6, 100*n+i)), Address: netip.AddrFrom4([4]byte{10, 0, 3, byte(i)}), ProtocolPort: 80,
		})
	}
	if rapid.Bool().Draw(t, "monitor") {
		p.HealthMonitor = &lbaas.HealthMonitor{
			Object: drawObject(t, number(7, n)), Type: lbaas.MonitorHTTP, Delay: 5, Timeout: 5, MaxRetries: 3, MaxRetriesDown: 3,
		}
	}
	if rapid.Bool().Draw(t, "persistence") {
		p.SessionPersistence = &lbaas.SessionPersistence{Type: lbaas.PersistAppCookie, CookieName: "JSESSIONID"}
	}
	if p.TLSEnabled = rapid.Bool().Draw(t, "TLS"); p.TLSEnabled {
		p.TLSContainerRef = drawRef(t)
		p.DefaultTLS(lbaas.DefaultTLS())
	}
	return p
}

func drawOptions(t *rapid.T) Options {
	return Options{
		Cloud: "Default-Cloud", OneArm: rapid.Bool().Draw(t, "one arm"),
		VRF:     rapid.SampledFrom([]string{"", Ref(VRFContext, UUID(VRFContext, sessionSubnet))}).Draw(t, "VRF"),
		SEGroup: rapid.SampledFrom([]string{"", NamedRef("serviceenginegroup", "g")}).Draw(t, "SE group"),
		Version: rapid.SampledFrom([]string{"18.1.2", "20.1.1"}).Draw(t, "version"),
	}
}

func TestPropertiesOfObjects(t *testing.T) {
	certificates := testCertificates(t)
	rapid.Check(t, func(t *rapid.T) {
		lb, o := drawTree(t), drawOptions(t)
		before := fmt.Sprintf("%#v", lb.Parts())
		objects := Objects(lb, certificates, o)
		if diff := cmp.Diff(objects, Objects(lb, certificates, o)); diff != "" {
			t.Fatalf("another time it is (-first +second):\n%s", diff)
		}
		if after := fmt.Sprintf("%#v", lb.Parts()); after != before {
			t.Fatalf("the tree was changed:\n%s\n%s", before, after)
		}
		if (objects == nil) != (len(lb.Listeners) == 0) {
			t.Fatalf("%d listeners give %d objects", len(lb.Listeners), len(objects))
		}
		checkUnique(t, objects)
		checkReferences(t, objects)
		checkParts(t, lb, objects)
		checkSecrets(t, objects, certificates)
		checkPoolsHaveOneUser(t, objects)
	})
}

// checkUnique wants each UUID once, each alias once in its kind, and no name longer than Avi takes.
func checkUnique(t *rapid.T, objects []Object) {
	uuids, aliases := map[string]bool{}, map[string]bool{}
	for _, o := range objects {
		if uuids[o.UUID] || !strings.HasPrefix(o.UUID, o.Kind+"-") {
			t.Fatalf("UUID %s of a %s", o.UUID, o.Kind)
		}
		if aliases[o.Kind+o.Alias] {
			t.Fatalf("two of kind %s have the alias %s", o.Kind, o.Alias)
		}
		uuids[o.UUID], aliases[o.Kind+o.Alias] = true, true
		for _, name := range []any{o.Alias, o.Owned["name"]} {
			if text, _ := name.(string); text == "" || utf8.RuneCountInString(text) > maxName {
				t.Fatalf("%s has the name %q", o.UUID, name)
			}
		}
	}
}

// checkReferences wants objects to refer to those before them, to what is named in admin, or to the VRF context.
func checkReferences(t *rapid.T, objects []Object) {
	kind := ""
	seen := map[string]bool{}
	for _, o := range objects {
		if slices.Index(Kinds, o.Kind) < slices.Index(Kinds, kind) {
			t.Fatalf("%s comes after %s", o.Kind, kind)
		}
		kind = o.Kind
		for _, ref := range references(t, o.Owned) {
			to, uuid, name := ParseRef(ref)
			if !seen[uuid] && name == "" && to != VRFContext {
				t.Fatalf("%s refers to %s, which is not there yet", o.UUID, ref)
			}
		}
		seen[o.UUID] = true
	}
}

// references are all references in a value, which has to be in the form of JSON.
func references(t *rapid.T, value any) (refs []string) {
	switch v := value.(type) {
	case map[string]any:
		for _, e := range v {
			refs = append(refs, references(t, e)...)
		}
	case []any:
		for _, e := range v {
			refs = append(refs, references(t, e)...)
		}
	case string:
		if strings.HasPrefix(v, "/api/") {
			refs = append(refs, v)
		}
	case nil, bool, int64:
	default:
		t.Fatalf("a %T is none of JSON's", value)
	}
	return refs
}

// checkParts wants each object to stand for parts of the tree, and each listener to have its virtual service.
func checkParts(t *rapid.T, lb *lbaas.LoadBalancer, objects []Object) {
	parts := map[string]bool{}
	for _, p := range lb.Parts() {
		parts[p.Base().ID] = true
	}
	for _, o := range objects {
		if len(o.For) == 0 || slices.ContainsFunc(o.For, func(id string) bool { return !parts[id] }) {
			t.Fatalf("%s stands for %v", o.UUID, o.For)
		}
	}
	for _, l := range lb.Listeners {
		if !slices.ContainsFunc(objects, func(o Object) bool { return o.UUID == UUID(VirtualService, l.ID) && o.For[0] == l.ID }) {
			t.Fatalf("listener %s has no virtual service", l.ID)
		}
	}
}

// checkSecrets wants private keys in no field that is ever shown.
func checkSecrets(t *rapid.T, objects []Object, certificates Certificates) {
	for i := range objects {
		o := objects[i]
		if _, secret := o.WriteOnly["key"]; secret == o.Held && o.Kind == Certificate && o.Owned["type"] != "SSL_CERTIFICATE_TYPE_CA" {
			t.Fatalf("%s, held %v: a key %v", o.UUID, o.Held, secret)
		}
		o.WriteOnly = nil
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "PRIVATE") {
			t.Fatalf("%s shows a private key", o.UUID)
		}
		for _, m := range certificates {
			if _, key := parts(m.PEM); strings.Contains(string(text), strings.Split(key, "\n")[1]) {
				t.Fatalf("%s shows a private key", o.UUID)
			}
		}
	}
}

// checkPoolsHaveOneUser wants no pool to be that of two virtual services, nor two policy sets.
func checkPoolsHaveOneUser(t *rapid.T, objects []Object) {
	users := map[string]string{}
	use := func(by string, fields any) {
		for _, ref := range references(t, fields) {
			kind, uuid, _ := ParseRef(ref)
			if kind != Pool && kind != PolicySet {
				continue
			}
			if other, used := users[uuid]; used && other != by {
				t.Fatalf("%s is used by %s and %s", uuid, other, by)
			}
			users[uuid] = by
		}
	}
	for _, o := range objects {
		if o.Kind == VirtualService || o.Kind == PolicySet {
			use(ID(o.UUID), o.Owned)
		}
	}
	for _, o := range objects {
		if _, used := users[o.UUID]; !used && (o.Kind == Pool || o.Kind == PolicySet) {
			t.Fatalf("nothing uses %s", o.UUID)
		}
	}
}

func TestHeldWhenAnyCertificateIsMissing(t *testing.T) {
	full := testCertificates(t)
	for missing := range full {
		certificates := Certificates{}
		for ref, m := range full {
			if ref != missing {
				certificates[ref] = m
			}
		}
		var held []string
		for _, o := range Objects(sharedTree(), certificates, Options{}) {
			if o.Held {
				held = append(held, o.UUID)
			}
		}
		l := number(1, 1)
		want := []string{
			certificateUUID(missing.Ref, sessionTree().ID), UUID(VirtualService, l),
			UUID(VirtualService, ChildID(certificateOf(2).Ref, l)), UUID(VirtualService, ChildID(certificateOf(3).Ref, l)),
		}
		if diff := cmp.Diff(want, held); diff != "" {
			t.Errorf("held without %s (-want +got):\n%s", missing.Ref, diff)
		}
	}
	if _, found := full[keymanager.Reference{Ref: certificateOf(1).Ref, Use: keymanager.Authorities}]; found {
		t.Error("uses are not told apart")
	}
}
