package engine

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"plimsoll/internal/engine/enginepb"
)

// TestParsePortSegment refuses segments that no network has: their ids become names of links.
func TestParsePortSegment(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		segment *enginepb.Segment
		want    string // part of the error; "" is none
	}{
		{"bad type", &enginepb.Segment{Type: "gre", Id: 7}, `"gre" is no type of networks`},
		{"bad flat with an id", &enginepb.Segment{Type: "flat", Physical: "p", Id: 7}, "a flat network has no id"},
		{"bad flat of nothing", &enginepb.Segment{Type: "flat"}, "physical network"},
		{"bad VLAN of nothing", &enginepb.Segment{Type: "vlan", Id: 7}, "physical network"},
		{"bad VLAN 0", &enginepb.Segment{Type: "vlan", Physical: "p"}, "no VLAN 0"},
		{"bad VLAN -2147483648", &enginepb.Segment{Type: "vlan", Physical: "p", Id: -2147483648}, "no VLAN -2147483648"},
		{"bad VLAN 4095", &enginepb.Segment{Type: "vlan", Physical: "p", Id: 4095}, "no VLAN 4095"},
		{"bad VXLAN 0", &enginepb.Segment{Type: "vxlan"}, "no VXLAN 0"},
		{"bad VXLAN 16777216", &enginepb.Segment{Type: "vxlan", Id: 1 << 24}, "no VXLAN 16777216"},
		{"none", nil, ""},
		{"local", &enginepb.Segment{Type: "local"}, ""},
		{"flat", &enginepb.Segment{Type: "flat", Physical: "p"}, ""},
		{"VLAN", &enginepb.Segment{Type: "vlan", Physical: "p", Id: 4094}, ""},
		{"VXLAN", &enginepb.Segment{Type: "vxlan", Id: 1<<24 - 1}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := parsePort(&enginepb.Port{Id: uuid.NewString(), NetworkId: uuid.NewString(), Mac: "fa:16:3e:00:00:01", Segment: tt.segment})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("parsePort: %v, want %q", err, tt.want)
			}
		})
	}
}
