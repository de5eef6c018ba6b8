package translate

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/lbaas"
)

var update = flag.Bool("update", false, "write the golden files")

// perSubnet is what the provider says of the documents' session.
func perSubnet() Options {
	return Options{Cloud: "Default-Cloud", VRF: Ref(VRFContext, UUID(VRFContext, sessionSubnet)), OneArm: true}
}

// sample is a load balancer and what else its objects depend on.
type sample struct {
	lb           *lbaas.LoadBalancer
	certificates Certificates
	options      Options
}

// samples are the trees of the golden files.
func samples(t *testing.T) map[string]sample {
	plain := Options{Cloud: "Default-Cloud", Version: "18.1.2"}
	return map[string]sample{
		"session":   {sessionTree(), nil, perSubnet()},
		"shared":    {sharedTree(), testCertificates(t), plain},
		"protocols": {manyTree(), testCertificates(t), Options{Cloud: "Default-Cloud", Version: "18.2.6"}},
		"off":       {offTree(), testCertificates(t), plain},
		"ipv6":      {sixTree(), nil, plain},
		"held":      {sharedTree(), nil, plain},
		"flavor": {sessionTree(), nil, Options{
			Cloud: "Default-Cloud", VRF: NamedRef(VRFContext, "red"), SEGroup: "/api/serviceenginegroup?name=se-group-1",
		}},
	}
}

func TestObjects(t *testing.T) {
	for name, s := range samples(t) {
		t.Run(name, func(t *testing.T) {
			checkGolden(t, name, Objects(s.lb, s.certificates, s.options))
		})
	}
}

// checkGolden compares objects with a golden file, in which secrets are not.
func checkGolden(t *testing.T, name string, objects []Object) {
	t.Helper()
	for i := range objects {
		for field := range objects[i].WriteOnly {
			objects[i].WriteOnly[field] = "(not shown)"
		}
	}
	text, err := json.MarshalIndent(objects, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(golden, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(text)+"\n"); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestNothingWithoutListeners(t *testing.T) {
	lb := sessionTree()
	lb.Listeners = nil
	if got := Objects(lb, nil, Options{}); got != nil {
		t.Errorf("objects of a load balancer without listeners: %v", got)
	}
	lb = sessionTree()
	lb.Listeners[0].Protocol = lbaas.UDP
	if got := Objects(lb, nil, Options{}); got != nil {
		t.Errorf("objects of a listener that Avi does not make: %v", got)
	}
}
