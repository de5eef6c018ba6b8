package store_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

func someSegments() network.Segments {
	return network.Segments{
		FlatNetworks: []string{"physnet1"}, VNIs: []network.IDRange{{Min: 5, Max: 6}, {Min: 9, Max: 9}},
		VLANs: map[string][]network.IDRange{"physnet1": {{Min: 100, Max: 100}}, "physnet2": nil},
	}
}

// TestSegments makes networks one after another, so that what was taken before counts.
func TestSegments(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		s.SetSegments(someSegments())
		for _, c := range []struct {
			name     string
			segment  network.Segment
			mtu      int
			want     network.Segment
			wantMTU  int
			wantType string // of the error
			wantText string
		}{
			{name: "bad type", segment: network.Segment{Type: "gre"}, wantType: "InvalidInput", wantText: "Invalid input for operation: network_type value 'gre' not supported."},
			{name: "bad local", segment: network.Segment{Type: "local", ID: 4}, wantType: "InvalidInput", wantText: "Invalid input for operation: segmentation_id prohibited for local provider network."},
			{name: "bad flat: no name", segment: network.Segment{Type: "flat"}, wantType: "InvalidInput", wantText: "Invalid input for operation: physical_network required for flat provider network."},
			{name: "bad flat: unknown", segment: network.Segment{Type: "flat", Physical: "x"}, wantType: "InvalidInput", wantText: "Invalid input for operation: physical_network 'x' unknown for flat provider network."},
			{name: "bad flat: id", segment: network.Segment{Type: "flat", Physical: "physnet1", ID: 1}, wantType: "InvalidInput", wantText: "Invalid input for operation: segmentation_id prohibited for flat provider network."},
			{name: "bad VLAN: nowhere", segment: network.Segment{Type: "vlan", ID: 7}, wantType: "InvalidInput", wantText: "Invalid input for operation: segmentation_id requires physical_network for VLAN provider network."},
			{name: "bad VLAN: unknown", segment: network.Segment{Type: "vlan", Physical: "x", ID: 7}, wantType: "InvalidInput", wantText: "Invalid input for operation: physical_network 'x' unknown for VLAN provider network."},
			{name: "bad VLAN: id", segment: network.Segment{Type: "vlan", Physical: "physnet1", ID: 4095}, wantType: "InvalidInput", wantText: "Invalid input for operation: segmentation_id out of range (1 through 4094)."},
			{name: "bad VLAN: none is given out", segment: network.Segment{Type: "vlan", Physical: "physnet2"}, wantType: "NoNetworkAvailable", wantText: "Unable to create the network. No tenant network is available for allocation."},
			{name: "bad VXLAN: physical", segment: network.Segment{Type: "vxlan", Physical: "physnet1"}, wantType: "InvalidInput", wantText: "Invalid input for operation: provider:physical_network specified for vxlan network."},
			{name: "bad VXLAN: id", segment: network.Segment{Type: "vxlan", ID: 1 << 24}, wantType: "InvalidInput", wantText: "Invalid input for operation: segmentation_id out of range (1 through 16777215)."},
			{name: "bad MTU", segment: network.Segment{Type: "vxlan", ID: 77}, mtu: 1451, wantType: "InvalidInput", wantText: "Invalid input for operation: Requested MTU is too big, maximum is 1450."},
			{name: "nothing said", want: network.Segment{Type: "local"}, wantMTU: 1500},
			{name: "a wide bridge", mtu: 9000, want: network.Segment{Type: "local"}, wantMTU: 9000},
			{name: "flat", segment: network.Segment{Type: "flat", Physical: "physnet1"}, want: network.Segment{Type: "flat", Physical: "physnet1"}, wantMTU: 1500},
			{name: "bad flat again", segment: network.Segment{Type: "flat", Physical: "physnet1"}, wantType: "FlatNetworkInUse", wantText: "Unable to create the flat network. Physical network physnet1 is in use."},
			{name: "VLAN", segment: network.Segment{Type: "vlan", Physical: "physnet2", ID: 7}, want: network.Segment{Type: "vlan", Physical: "physnet2", ID: 7}, wantMTU: 1500},
			{name: "bad VLAN again", segment: network.Segment{Type: "vlan", Physical: "physnet2", ID: 7}, wantType: "VlanIdInUse", wantText: "Unable to create the network. The VLAN 7 on physical network physnet2 is in use."},
			{name: "that VLAN elsewhere", segment: network.Segment{Type: "vlan", Physical: "physnet1", ID: 7}, want: network.Segment{Type: "vlan", Physical: "physnet1", ID: 7}, wantMTU: 1500},
			{name: "any VLAN", segment: network.Segment{Type: "vlan"}, want: network.Segment{Type: "vlan", Physical: "physnet1", ID: 100}, wantMTU: 1500},
			{name: "bad VLAN: no more", segment: network.Segment{Type: "vlan"}, wantType: "NoNetworkAvailable", wantText: "Unable to create the network. No tenant network is available for allocation."},
			{name: "VXLAN of no range", segment: network.Segment{Type: "vxlan", ID: 77}, mtu: 1400, want: network.Segment{Type: "vxlan", ID: 77}, wantMTU: 1400},
			{name: "bad VXLAN again", segment: network.Segment{Type: "vxlan", ID: 77}, wantType: "TunnelIdInUse", wantText: "Unable to create the network. The tunnel ID 77 is in use."},
			{name: "VXLAN of a range", segment: network.Segment{Type: "vxlan", ID: 5}, want: network.Segment{Type: "vxlan", ID: 5}, wantMTU: 1450},
			{name: "another", segment: network.Segment{Type: "vxlan", ID: 9}, want: network.Segment{Type: "vxlan", ID: 9}, wantMTU: 1450},
			{name: "any VXLAN", segment: network.Segment{Type: "vxlan"}, want: network.Segment{Type: "vxlan", ID: 6}, wantMTU: 1450},
			{name: "bad VXLAN: no more", segment: network.Segment{Type: "vxlan"}, wantType: "NoNetworkAvailable", wantText: "Unable to create the network. No tenant network is available for allocation."},
		} {
			n := &network.Network{ProjectID: "p", AdminStateUp: true, Segment: c.segment, MTU: c.mtu}
			err := s.CreateNetwork(t.Context(), n)
			if c.wantType != "" {
				var fault *lbaas.Error
				if !errors.As(err, &fault) || fault.Type != c.wantType || fault.Text != c.wantText {
					t.Errorf("%s: %v, want %s: %s", c.name, err, c.wantType, c.wantText)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			got, err := s.Network(t.Context(), n.ID)
			if err != nil {
				t.Fatal(err)
			}
			if got.Segment != c.want || got.MTU != c.wantMTU || n.Segment != c.want || n.MTU != c.wantMTU {
				t.Errorf("%s: %+v with an MTU of %d, want %+v with %d", c.name, got.Segment, got.MTU, c.want, c.wantMTU)
			}
		}
	})
}

// TestSegmentTypes has networks of tenants be of the first type that has an id left, and ids come back with the network that had them.
func TestSegmentTypes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c := someSegments()
		c.TenantTypes = []string{"vlan", "vxlan"}
		s.SetSegments(c)
		var list []*network.Network
		var types []string
		for range 4 {
			n := &network.Network{ProjectID: "p"}
			if err := s.CreateNetwork(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			list, types = append(list, n), append(types, n.Segment.Type)
		}
		if diff := cmp.Diff([]string{"vlan", "vxlan", "vxlan", "vxlan"}, types); diff != "" {
			t.Errorf("types (-want +got):\n%s", diff)
		}
		if err := s.CreateNetwork(t.Context(), &network.Network{ProjectID: "p"}); !errors.Is(err, lbaas.Unavailable) {
			t.Errorf("bad: a fifth network: %v", err)
		}
		both := []*network.Network{{ProjectID: "p", Segment: network.Segment{Type: "vxlan", ID: 50}}, {ProjectID: "p"}}
		if err := s.CreateNetworks(t.Context(), both); !errors.Is(err, lbaas.Unavailable) {
			t.Errorf("bad: two, of which one cannot be: %v", err)
		}
		if err := s.DeleteNetwork(t.Context(), list[2].ID); err != nil {
			t.Fatal(err)
		}
		again := []*network.Network{{ProjectID: "p", Segment: network.Segment{Type: "vxlan", ID: 50}}, {ProjectID: "p"}}
		if err := s.CreateNetworks(t.Context(), again); err != nil || again[1].Segment != list[2].Segment {
			t.Errorf("after a deletion: %v, %+v, want %+v", err, again[1].Segment, list[2].Segment)
		}
		if _, err := s.UpdateNetwork(t.Context(), again[1].ID, func(n *network.Network) error { n.MTU = 1451; return nil }); !errors.Is(err, lbaas.Invalid) {
			t.Errorf("bad: an MTU that the tunnel does not carry: %v", err)
		}
		after, err := s.UpdateNetwork(t.Context(), again[1].ID, func(n *network.Network) error { n.MTU = 0; return nil })
		if err != nil || after.MTU != 1450 {
			t.Errorf("the MTU of the type: %v, %+v", err, after)
		}
	})
}

// TestSegmentsAtOnce has many ask for the last ids, of two processes: each id is one network's, and the rest is refused.
func TestSegmentsAtOnce(t *testing.T) {
	for _, engine := range storetest.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			connection := storetest.Connection(t, engine)
			stores := []*store.Store{storetest.Reopen(t, connection), storetest.Reopen(t, connection)}
			c := network.Segments{TenantTypes: []string{"vxlan"}, VNIs: []network.IDRange{{Min: 10, Max: 19}, {Min: 30, Max: 31}}}
			for _, s := range stores {
				s.SetSegments(c)
			}
			const ids = 12
			for range 2 { // the second time, all ids have come back
				var mu sync.Mutex
				var made []*network.Network
				done := race(t, ids+4, network.NoNetworkAvailable(), func(i int) error {
					n := &network.Network{ProjectID: "p"}
					err := stores[i%2].CreateNetwork(context.Background(), n)
					if err == nil {
						mu.Lock()
						made = append(made, n)
						mu.Unlock()
					}
					return err
				})
				var got []int
				for _, n := range made {
					got = append(got, n.Segment.ID)
				}
				slices.Sort(got)
				if diff := cmp.Diff([]int{10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 30, 31}, got); done != ids || diff != "" {
					t.Errorf("%d networks, with the ids (-want +got):\n%s", done, diff)
				}
				for _, n := range made {
					if err := stores[0].DeleteNetwork(t.Context(), n.ID); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}
