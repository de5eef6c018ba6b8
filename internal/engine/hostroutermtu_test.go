package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
)

// TestRouterMTU has stations send more than the router's next link takes: the router's word of that reaches them through the translation.
func TestRouterMTU(t *testing.T) {
	r := newRouted(t, newWorld(t))
	for _, test := range []struct {
		name, from, to, want string
		narrow               *enginepb.Port
	}{
		{"to a floating address", upstream, floatingA, upstream + " asks " + stationA, r.inner},
		{"from a floating address", stationA, upstream, floatingA + " asks " + upstream, r.external},
		{"from the gateway's", stationB, upstream, gateway + " asks " + upstream, r.external},
	} {
		for _, space := range r.spaces { // what was learned before is forgotten
			run(t, "ip", "-n", space, "route", "flush", "cache")
		}
		narrow := proto.CloneOf(test.narrow)
		narrow.Mtu = 1300
		r.plugAt(r.netns(), narrow)
		c := r.hears(test.from, test.to, test.want)
		if c == nil {
			t.Fatal(test.name)
		}
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := fmt.Fprintln(c, strings.Repeat("x", 30000)); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if line, err := c.lines.ReadString('\n'); err != nil || strings.TrimSpace(line) != test.want {
			t.Errorf("%s: %q, %v", test.name, line, err)
		}
		if way := run(t, "ip", "-n", r.spaces[test.from], "route", "get", test.to); !strings.Contains(way, "mtu 1300") {
			t.Errorf("%s: nobody told the sender: %s", test.name, way)
		}
		r.plugAt(r.netns(), test.narrow)
	}
}
