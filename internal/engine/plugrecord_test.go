package engine

import (
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"plimsoll/internal/engine/enginepb"
)

// TestPlugRecords stores and removes plugs in any order, and asks that what is known of them is what the files say.
func TestPlugRecords(t *testing.T) {
	portA, portB, bad := uuid.NewString(), uuid.NewString(), uuid.NewString()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "plugs")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		f, err := openFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		e := &Engine{files: folders{plugs: f}, log: slog.New(slog.DiscardHandler)}
		if err := os.WriteFile(e.plugPath(bad), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		ids := rapid.SampledFrom([]string{portA, portB})
		t.Repeat(map[string]func(*rapid.T){
			"store": func(t *rapid.T) {
				req := &enginepb.PlugRequest{Port: &enginepb.Port{Id: ids.Draw(t, "id")}, Netns: rapid.SampledFrom([]string{"n", "m"}).Draw(t, "netns")}
				if err := e.writePlug(plug{PlugRequest: req, former: rapid.SliceOfN(rapid.Just("10.0.0.1/24"), 0, 1).Draw(t, "former")}); err != nil {
					t.Fatal(err)
				}
			},
			"remove": func(t *rapid.T) {
				if err := e.erasePlug(ids.Draw(t, "id")); err != nil {
					t.Fatal(err)
				}
			},
			"restart": func(*rapid.T) { e.plugs.forget() },
			"": func(t *rapid.T) {
				fresh := &Engine{files: e.files, log: e.log}
				if diff := cmp.Diff(plugTexts(fresh.storedPlugs()), plugTexts(e.storedPlugs())); diff != "" {
					t.Fatalf("plugs (-in files +known):\n%s", diff)
				}
				if e.plugUses("n", portA) != fresh.plugUses("n", portA) {
					t.Fatal("it is not known which plugs a namespace has")
				}
			},
		})
	})
}

// plugTexts are plugs as a test reads them.
func plugTexts(plugs []plug) (all []string) {
	for _, p := range plugs {
		all = append(all, fmt.Sprint(p.id(), " in ", p.Netns, ", before with ", p.former))
	}
	return all
}
