package network_test

import (
	"strconv"
	"testing"

	"plimsoll/internal/network"
)

func TestInUse(t *testing.T) {
	const subnet = "Unable to complete operation on subnet s: One or more ports have an IP allocation from this subnet."
	const lan = "Unable to complete operation on network n. There are one or more ports still in use on the network."
	const collected = " Those named Avi-… are of an Avi Controller: its garbage collection frees them some minutes after the load balancers are gone. Try again then."
	vip := &network.Port{ID: "a", Name: "octavia-lb-1", DeviceOwner: "Octavia"}
	se := &network.Port{ID: "b", Name: "Avi-Data-1"}
	var many []*network.Port
	for i := range network.FewPorts + 1 {
		many = append(many, &network.Port{ID: strconv.Itoa(i)})
	}
	for _, test := range []struct {
		ports []*network.Port
		want  string
	}{
		{nil, ""},
		{[]*network.Port{vip}, " In use: a (octavia-lb-1, Octavia)."},
		{[]*network.Port{se, vip}, " In use: b (Avi-Data-1), a (octavia-lb-1, Octavia)." + collected},
		{many, " In use: 0, 1, 2, 3, 4 and others."},
	} {
		if got := network.SubnetInUse("s", test.ports...).Text; got != subnet+test.want {
			t.Errorf("SubnetInUse gives %q, want %q", got, subnet+test.want)
		}
		if got := network.NetworkInUse("n", test.ports...).Text; got != lan+test.want {
			t.Errorf("NetworkInUse gives %q, want %q", got, lan+test.want)
		}
	}
}
