package hostplan

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	"plimsoll/internal/engine/enginepb"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a plan with a golden file. What prototext writes is not stable, so the file is read as a plan.
func golden(t *testing.T, file string, plan *enginepb.HostPlan) {
	t.Helper()
	file = filepath.Join("testdata", file)
	if *update {
		text := prototext.MarshalOptions{Multiline: true, Indent: "  "}.Format(plan)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := &enginepb.HostPlan{}
	if err := prototext.Unmarshal(data, want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, plan, protocmp.Transform()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
