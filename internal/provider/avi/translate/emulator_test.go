package translate

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/internal/provider/avi/controller"
)

// What is translated is shown to the emulated controller, which refuses unknown fields, fields that the data model does not have yet,
// wrong values and references that lead nowhere.
func TestControllerTakesObjects(t *testing.T) {
	all := samples(t)
	maps.Copy(all, poolSamples(t))
	for name, lb := range l7Samples() {
		all[name] = sample{lb, testCertificates(t), Options{Cloud: "Default-Cloud"}}
	}
	for name, s := range all {
		for _, version := range []string{"18.1.2", "18.2.6"} {
			t.Run(name+" "+version, func(t *testing.T) {
				ctl := connect(t, version)
				prepare(t, ctl)
				s.options.Version = version
				makeAndDelete(t, ctl, Objects(s.lb, s.certificates, s.options))
			})
		}
	}
}

func TestControllerTakesAnyTree(t *testing.T) {
	const version = "18.2.6"
	ctl := connect(t, version)
	prepare(t, ctl)
	trees := rapid.Custom(drawTree)
	for seed := range 40 {
		lb := trees.Example(seed)
		makeAndDelete(t, ctl, Objects(lb, testCertificates(t), Options{Cloud: "Default-Cloud", Version: version}))
		if t.Failed() {
			t.Fatalf("of the tree of seed %d", seed)
		}
	}
}

// makeAndDelete makes objects, in order, and deletes them in the opposite order. Those that are held are left out, and what needs them.
func makeAndDelete(t *testing.T, ctl *controller.Client, objects []Object) {
	t.Helper()
	missing := map[string]bool{}
	var made []Object
	for _, o := range objects {
		if o.Held || needs(o.Owned, missing) {
			missing[o.UUID] = true
			continue
		}
		create(t, ctl, o)
		made = append(made, o)
	}
	for _, o := range slices.Backward(made) {
		if err := ctl.Delete(t.Context(), controller.Admin, o.Kind, o.UUID); err != nil {
			t.Errorf("delete %s: %v", o.UUID, err)
		}
	}
}

// needs tells whether there is a reference to something missing in a value.
func needs(value any, missing map[string]bool) bool {
	switch v := value.(type) {
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), func(e any) bool { return needs(e, missing) })
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return needs(e, missing) })
	case string:
		_, uuid, _ := ParseRef(v)
		return missing[uuid]
	}
	return false
}

func connect(t *testing.T, version string) *controller.Client {
	t.Helper()
	s := avitest.Start(t, avitest.Options{})
	ctl, err := controller.New(controller.Config{
		Addresses: []string{s.Address}, User: s.User, Password: s.Password, Roots: s.Roots, Version: version,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ctl.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return ctl
}

// prepare makes what operators, clouds and the provider make: VRF contexts, a service engine group, networks.
func prepare(t *testing.T, ctl *controller.Client) {
	t.Helper()
	for _, o := range []Object{
		{Kind: VRFContext, UUID: UUID(VRFContext, sessionSubnet), Owned: map[string]any{"name": "subnet-" + sessionSubnet}},
		{Kind: VRFContext, UUID: "vrfcontext-red", Owned: map[string]any{"name": "red"}},
		{Kind: "serviceenginegroup", UUID: "serviceenginegroup-1", Owned: map[string]any{"name": "se-group-1"}},
	} {
		create(t, ctl, o)
	}
	for id, subnet := range testSubnets() {
		create(t, ctl, Object{Kind: "network", UUID: subnet.NetworkID, Owned: map[string]any{"name": "network of " + id}})
	}
}

// create makes an object, under its second name where the first is another's.
func create(t *testing.T, ctl *controller.Client, o Object) {
	t.Helper()
	body := map[string]any{}
	for field, v := range o.Owned {
		if v != nil {
			body[field] = v
		}
	}
	maps.Copy(body, o.WriteOnly)
	_, err := ctl.Create(t.Context(), controller.Admin, o.Kind, o.UUID, body)
	if controller.Taken(err) {
		body["name"] = o.Alias
		_, err = ctl.Create(t.Context(), controller.Admin, o.Kind, o.UUID, body)
	}
	if err != nil {
		t.Fatalf("create %s: %v\n%v", o.UUID, err, o.Owned)
	}
}
