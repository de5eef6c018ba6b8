package translate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The objects of the documents' session, and what the driver of LBaaS v2 called their copies.
const (
	sessionPool     = "27533aa8-0fde-4016-8129-09ac99e8215c"
	sessionListener = "42aa799f-2cfe-48b2-9fa9-198936b1906f"
	sampleContainer = "https://keys.example.com/v1/containers/0b0b0b0b-1111-4222-8333-444444444444"
	sampleChild     = "285c7d80-bacf-50f4-bba8-02b4f3be979f"
)

func TestUUIDsAreThoseOfTheDriverBefore(t *testing.T) {
	tests := []struct{ name, got, want string }{
		{"tenant of an id without dashes", UUID(Tenant, "b2c6b0cb6ef542568051ae9c65170da6"), "tenant-b2c6b0cb-6ef5-4256-8051-ae9c65170da6"},
		{"virtual service", UUID(VirtualService, sessionListener), "virtualservice-" + sessionListener},
		{"pool of a listener", PoolUUID(sessionPool, sessionListener), "pool-796ac906-265d-597e-bd51-f19cf5a659f0"},
		{"child", ChildID(sampleContainer, sessionListener), sampleChild},
		{"child, reference with a slash", ChildID(sampleContainer+"/", sessionListener), sampleChild},
		{"pool of a child", PoolUUID(sessionPool, sampleChild), "pool-9dcd2f37-cbde-5e32-8c8f-0b8181275630"},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("%s: %s, want %s", test.name, test.got, test.want)
		}
	}
}

func TestIDIsWhatUUIDWasGiven(t *testing.T) {
	for _, id := range []string{"", "x", "a-b", sessionPool} {
		if got := ID(UUID(SSLProfile, id)); got != id {
			t.Errorf("ID(UUID(%q)) = %q", id, got)
		}
	}
}

func TestContainersOfOtherKeyManagers(t *testing.T) {
	one, other := ChildID("https://keys/v9/bundle-1", sessionListener), ChildID("https://keys/v9/bundle-2", sessionListener)
	if one == other || len(one) != 36 {
		t.Errorf("ids %q, %q", one, other)
	}
}

func TestParseRef(t *testing.T) {
	type parsed struct{ Kind, UUID, Name string }
	tests := map[string]parsed{
		"":                                    {},
		"nonsense":                            {Kind: "nonsense"},
		"/api/":                               {},
		Ref(Pool, "pool-1"):                   {"pool", "pool-1", ""},
		NamedRef("cloud", "a b&c#d?/e%"):      {"cloud", "", "a b&c#d?/e%"},
		"/api/cloud/?name=Default-Cloud":      {"cloud", "", "Default-Cloud"},
		"/api/pool?name=p&cloud=c":            {"pool", "", "p"},
		"/api/pool?cloud=c&name=p#p":          {"pool", "", "p"},
		"/api/serviceenginegroup?name=a b":    {"serviceenginegroup", "", "a b"},
		"https://10.1.1.1/api/pool/pool-1":    {"pool", "pool-1", ""},
		"https://10.1.1.1/api/pool/pool-1#":   {"pool", "pool-1", ""},
		"https://avi:8443/api/tenant/admin#a": {"tenant", "admin", "a"},
		"https://[::1]/api/pool/p#lb:l #1/%?": {"pool", "p", "lb:l #1/%?"},
		"pool-1":                              {"pool", "pool-1", ""},
	}
	for ref, want := range tests {
		kind, uuid, name := ParseRef(ref)
		if diff := cmp.Diff(want, parsed{kind, uuid, name}); diff != "" {
			t.Errorf("ParseRef(%q) (-want +got):\n%s", ref, diff)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	f.Add("https://10.1.1.1/api/pool/pool-1#name", "a name")
	f.Fuzz(func(t *testing.T, ref, name string) {
		ParseRef(ref)
		if kind, uuid, got := ParseRef(NamedRef(Pool, name)); kind != Pool || uuid != "" || got != name {
			t.Errorf("ParseRef(NamedRef(%q)) = %q %q %q", name, kind, uuid, got)
		}
		if kind, uuid, got := ParseRef("https://avi" + Ref(Pool, "pool-1") + "#" + name); kind != Pool || uuid != "pool-1" || got != name {
			t.Errorf("ParseRef of an answer with the name %q = %q %q %q", name, kind, uuid, got)
		}
	})
}
