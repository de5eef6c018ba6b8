package translate

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

// find is the object of that UUID.
func find(t *testing.T, objects []Object, uuid string) Object {
	t.Helper()
	for _, o := range objects {
		if o.UUID == uuid {
			return o
		}
	}
	t.Fatalf("there is no %s", uuid)
	return Object{}
}

func TestDomainsOfChildren(t *testing.T) {
	address := issue(t, nil, "", "192.0.2.1")
	sub := issue(t, nil, "Upper", "WWW.Example.com", "www.example.com", "api.example.com")
	mixed := issue(t, nil, "", "www.example.com", "own.example.com")
	tests := []struct {
		name    string
		leaves  []*pair
		domains []any // of the last
	}{
		{"bad: no name at all", []*pair{issue(t, nil, "")}, []any{}},
		{"bad: an address only", []*pair{address}, []any{}},
		{"an address and a common name", []*pair{issue(t, nil, "Host.example.com", "192.0.2.1")}, []any{"host.example.com"}},
		{"a common name", []*pair{issue(t, nil, "host.example.com")}, []any{"host.example.com"}},
		{"a wildcard", []*pair{issue(t, nil, "a", "*.example.com")}, []any{"*.example.com"}},
		{"names twice, in two cases", []*pair{sub}, []any{"www.example.com", "api.example.com"}},
		{"names that are taken", []*pair{sub, mixed}, []any{"own.example.com"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			lb, certificates := sessionTree(), Certificates{}
			var refs []string
			for i, leaf := range test.leaves {
				certificates[certificateOf(i)] = material(leaf)
				refs = append(refs, certificateOf(i).Ref)
			}
			l := secureListener(1, "", refs...)
			lb.Listeners = []*lbaas.Listener{l}
			child := find(t, Objects(lb, certificates, Options{}), UUID(VirtualService, ChildID(refs[len(refs)-1], l.ID)))
			if diff := cmp.Diff(test.domains, child.Owned["vh_domain_name"]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A certificate all of whose names belong to others before it makes nothing, not even itself; they may be of several of these.
func TestNoDomainLeft(t *testing.T) {
	lb := sessionTree()
	refs := []string{certificateOf(0).Ref, certificateOf(1).Ref, certificateOf(2).Ref, certificateOf(3).Ref}
	certificates := Certificates{
		certificateOf(0): material(issue(t, nil, "a", "a.example.com")),
		certificateOf(1): material(issue(t, nil, "b", "b.example.com", "a.example.com")),
		certificateOf(2): material(issue(t, nil, "c", "A.example.com", "b.example.com")),
		certificateOf(3): material(issue(t, nil, "d", "d.example.com")),
	}
	l := secureListener(1, "", refs...)
	lb.Listeners = []*lbaas.Listener{l}
	var uuids []string
	for _, o := range Objects(lb, certificates, Options{}) {
		uuids = append(uuids, o.UUID)
	}
	want := []string{UUID(VsVip, lb.ID)}
	for _, i := range []int{0, 1, 3} {
		want = append(want, certificateUUID(refs[i], lb.ID))
	}
	want = append(want, UUID(SSLProfile, l.ID), PoolUUID(sessionPool, l.ID))
	for _, i := range []int{0, 1, 3} {
		want = append(want, PoolUUID(sessionPool, ChildID(refs[i], l.ID)))
	}
	want = append(want, UUID(VirtualService, l.ID))
	for _, i := range []int{0, 1, 3} {
		want = append(want, UUID(VirtualService, ChildID(refs[i], l.ID)))
	}
	if diff := cmp.Diff(want, uuids); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNamesOfChildren(t *testing.T) {
	ref := keyServer + number(2, 9)
	tests := []struct{ name, want string }{
		{"shop.example.com", "demo-lb:secure-shop.example.com"},
		{"two\nlines\x00", "demo-lb:secure-twolines"},
		{"", "demo-lb:secure-san.example.com"},
	}
	for _, test := range tests {
		lb := sessionTree()
		l := secureListener(1, "", ref)
		lb.Listeners = []*lbaas.Listener{l}
		certificates := Certificates{{Ref: ref, Use: keymanager.Certificate}: material(issue(t, nil, test.name, "san.example.com"))}
		child := find(t, Objects(lb, certificates, Options{}), UUID(VirtualService, ChildID(ref, l.ID)))
		if child.Owned["name"] != test.want {
			t.Errorf("child of the certificate of %q: %q, want %q", test.name, child.Owned["name"], test.want)
		}
	}
}

// One container named twice is one child; without a certificate of its own the listener shows that of the first.
func TestChildrenAlone(t *testing.T) {
	lb := sessionTree()
	l := secureListener(1, "", certificateOf(2).Ref, certificateOf(3).Ref, certificateOf(2).Ref+"/")
	lb.Listeners = []*lbaas.Listener{l}
	var services []any
	for _, o := range Objects(lb, testCertificates(t), Options{}) {
		if o.Kind == VirtualService {
			services = append(services, o.UUID, o.Owned["type"], o.Owned["ssl_key_and_certificate_refs"])
		}
	}
	one := []any{Ref(Certificate, certificateUUID(certificateOf(2).Ref, lb.ID))}
	other := []any{Ref(Certificate, certificateUUID(certificateOf(3).Ref, lb.ID))}
	want := []any{
		UUID(VirtualService, l.ID), "VS_TYPE_VH_PARENT", one,
		UUID(VirtualService, ChildID(certificateOf(2).Ref, l.ID)), "VS_TYPE_VH_CHILD", one,
		UUID(VirtualService, ChildID(certificateOf(3).Ref, l.ID)), "VS_TYPE_VH_CHILD", other,
	}
	if diff := cmp.Diff(want, services); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
