package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// TestOldNetworksAndFlavorsStay brings a database up to date that has a network, a subnet, a port and a flavor of before security groups
// and Neutron's flavors. Where the engine commits after each statement, an update was interrupted before.
func TestOldNetworksAndFlavorsStay(t *testing.T) {
	const before = 10
	for _, engine := range storetest.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			connection := storetest.Bare(t, engine)
			statements := []string{
				`INSERT INTO networks (id, project_id, name, description, admin_state_up, shared, external, mtu, tags, revision, epoch, created_at, updated_at)
					VALUES ('n', 'p', 'net', '', TRUE, FALSE, FALSE, 1500, '', 1, 1, 1, 1)`,
				`INSERT INTO subnets (id, project_id, network_id, name, description, ip_version, cidr, gateway_ip, allocation_pools, dns_nameservers, host_routes,
					enable_dhcp, ipv6_address_mode, ipv6_ra_mode, tags, revision, created_at, updated_at)
					VALUES ('s', 'p', 'n', '', '', 4, '10.0.0.0/24', '10.0.0.1', '[{"Start":"10.0.0.2","End":"10.0.0.254"}]', '', '[]', TRUE, '', '', '', 1, 1, 1)`,
				`INSERT INTO ports (id, project_id, network_id, name, description, admin_state_up, mac_address, device_id, device_owner, tags, revision, created_at,
					updated_at, host, netns, wanted_host, plugged_host, generation, observed, reason, deleted)
					VALUES ('o', 'p', 'n', '', '', TRUE, 'fa:16:3e:00:00:01', '', '', '', 1, 1, 1, 'h', 'web', 'h', 'h', 1, 1, '', FALSE)`,
				`INSERT INTO flavor_profiles (id, name, provider_name, flavor_data, created_at, epoch) VALUES ('fp', 'profile', 'haproxy', '{"a": 1}', 1, 1)`,
				`INSERT INTO flavors (id, name, description, enabled, flavor_profile_id, created_at, epoch) VALUES ('f', 'gold', 'd', TRUE, 'fp', 1, 1)`,
			}
			if engine != store.SQLite {
				statements = append(statements, store.Migration(t, engine, before+1)[:12]...)
			}
			store.MigrateTo(t, connection, before, statements...)
			s := storetest.Reopen(t, connection)
			oldNetworkStays(t, s)
			oldFlavorStays(t, s)
		})
	}
}

func oldNetworkStays(t *testing.T, s *store.Store) {
	t.Helper()
	n, err := s.Network(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	want := &network.Network{ID: "n", ProjectID: "p", Name: "net", AdminStateUp: true, MTU: 1500, Segment: network.Segment{Type: network.TypeLocal},
		SubnetIDs: []string{"s"}, Revision: 1, CreatedAt: n.CreatedAt, UpdatedAt: n.UpdatedAt, Tags: n.Tags}
	if diff := cmp.Diff(want, n, compare); diff != "" {
		t.Errorf("an old network (-want +got):\n%s", diff)
	}
	p, err := s.Port(t.Context(), "o")
	if err != nil {
		t.Fatal(err)
	}
	if p.Guarded() || len(p.SecurityGroupIDs) > 0 || len(p.AddressPairs) > 0 || len(p.DHCPOptions) > 0 || p.Binding.Generation != 1 || !p.Binding.Plugged {
		t.Errorf("an old port is %+v, want it open, and plugged as it is", p)
	}
	keepDHCP(t, s, "h", "n")
	if _, err := s.HostState(t.Context(), "h", nil); err != nil {
		t.Error(err)
	}
	if err := s.DeletePort(t.Context(), "o"); err != nil {
		t.Error(err)
	}
	if err := s.DeleteNetwork(t.Context(), "n"); err != nil {
		t.Error(err)
	}
}

func oldFlavorStays(t *testing.T, s *store.Store) {
	t.Helper()
	f, err := s.Flavor(t.Context(), "f")
	if diff := cmp.Diff(&lbaas.Flavor{ID: "f", Name: "gold", Description: "d", Enabled: true, FlavorProfileID: "fp"}, f); diff != "" || err != nil {
		t.Errorf("an old flavor: %v (-want +got):\n%s", err, diff)
	}
	p, err := s.FlavorProfile(t.Context(), "fp")
	if diff := cmp.Diff(&lbaas.FlavorProfile{ID: "fp", Name: "profile", Provider: "haproxy", Data: `{"a": 1}`}, p); diff != "" || err != nil {
		t.Errorf("an old profile: %v (-want +got):\n%s", err, diff)
	}
	sf, err := s.ServiceFlavor(t.Context(), "f")
	if diff := cmp.Diff(&network.ServiceFlavor{ID: "f", Name: "gold", Description: "d", Enabled: true, ProfileIDs: []string{"fp"}}, sf); diff != "" || err != nil {
		t.Errorf("as Neutron has the flavor: %v (-want +got):\n%s", err, diff)
	}
	sp, err := s.UsableServiceProfile(t.Context(), "f")
	want := &network.ServiceProfile{ID: "fp", Driver: "haproxy", Metainfo: `{"a": 1}`, Enabled: true, Provider: "haproxy", Data: `{"a": 1}`}
	if diff := cmp.Diff(want, sp); diff != "" || err != nil {
		t.Errorf("as Neutron has the profile: %v (-want +got):\n%s", err, diff)
	}
	if err := s.CreateFlavor(t.Context(), &lbaas.Flavor{Name: "gold", FlavorProfileID: "fp"}); err == nil || err.Error() != "A flavor of gold already exists." {
		t.Errorf("a second flavor of the name: %v", err)
	}
}
