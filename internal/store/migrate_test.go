package store_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// TestManyOpenAtOnce is several servers that start together on a new database.
func TestManyOpenAtOnce(t *testing.T) {
	for _, engine := range []store.Engine{store.PostgreSQL, store.MariaDB} {
		t.Run(string(engine), func(t *testing.T) {
			connection := storetest.Bare(t, engine)
			atOnce(t, 4, func(int) error {
				s, err := store.Open(t.Context(), connection, nil)
				if err != nil {
					return err
				}
				return s.Close()
			})
		})
	}
}

// TestOldLoadBalancersStay brings a database up to date that has a load balancer of before L7 policies, and in which an update was
// interrupted where the engine commits after each statement.
func TestOldLoadBalancersStay(t *testing.T) {
	for _, engine := range storetest.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			connection := storetest.Bare(t, engine)
			statements := []string{`INSERT INTO load_balancers (id, project_id, name, description, admin_state_up, tags, created_at, updated_at,
				generation, observed, deleted, failed, reason, operating_status, vip_address, vip_port_id, vip_subnet_id, vip_network_id,
				vip_qos_policy_id, vip_port_owned, provider, flavor_id, availability_zone, host, lease_name, pending_since)
				VALUES ('old', 'p', '', '', TRUE, '', 1, 0, 1, 1, FALSE, FALSE, '', 'ONLINE', '', '', '', '', '', TRUE, 'haproxy', '', '', 'h', 'host/h', 0)`}
			if engine != store.SQLite {
				statements = append(statements, "ALTER TABLE load_balancers ADD COLUMN vip_vnic_type VARCHAR(16) NOT NULL DEFAULT 'normal'")
			}
			store.MigrateTo(t, connection, 4, statements...)
			s, err := store.Open(t.Context(), connection, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			lb := tree(t, s, "old")
			want := &lbaas.LoadBalancer{Object: lb.Object, VIPPortOwned: true, Provider: "haproxy", Host: "h", VIPVNICType: lbaas.VNICNormal}
			if diff := cmp.Diff(want, lb, compare); diff != "" {
				t.Errorf("what an old load balancer is now (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMigrationsCanBeRepeated has each migration fail at its end where the engine commits after each statement, so that all of it
// is done again.
func TestMigrationsCanBeRepeated(t *testing.T) {
	for _, engine := range []store.Engine{store.PostgreSQL, store.MariaDB} { // on SQLite a migration is one transaction
		t.Run(string(engine), func(t *testing.T) {
			connection := storetest.Bare(t, engine)
			for version := 1; ; version++ {
				statements := store.Migration(t, engine, version)
				store.MigrateTo(t, connection, int64(version-1), statements...)
				if statements == nil {
					break
				}
			}
			again := storetest.Reopen(t, connection)
			want := storetest.Open(t, engine).Indexes(t)
			got := again.Indexes(t)
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("indexes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestIndexesThatWereReplacedAreGone asks each engine, since each is told in words of its own.
func TestIndexesThatWereReplacedAreGone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		names, replaced := s.Indexes(t), 0
		for _, name := range names {
			table, ok := strings.CutSuffix(name, "_owned")
			if !ok {
				continue
			}
			replaced++
			if slices.Contains(names, table+"_project") {
				t.Errorf("%s has both indexes", table)
			}
		}
		if want := len(lbaas.QuotaNouns()); replaced != want {
			t.Errorf("%d tables have the new index, want %d", replaced, want)
		}
	})
}
