package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// fullAmphora is an instance of which every attribute is set that a provider sets.
func fullAmphora(id string) lbaas.Amphora {
	return lbaas.Amphora{
		ID: id, ComputeID: "host-1", LBNetworkIP: netip.MustParseAddr("192.0.2.1"), VRRPIP: netip.MustParseAddr("10.0.0.2"),
		HAIP: netip.MustParseAddr("2001:db8::7"), VRRPPortID: "vrrp port", HAPortID: "ha port",
		CertExpiration: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), CertBusy: true, Role: lbaas.RoleMaster, Status: lbaas.AmphoraAllocated,
		VRRPInterface: "eth1", VRRPID: 1, VRRPPriority: 100, CachedZone: "nova", ImageID: "image", ComputeFlavor: "small",
	}
}

// report is what the loop writes after an Apply.
func report(t *testing.T, s *store.Store, lb *lbaas.LoadBalancer, amphorae []lbaas.Amphora) {
	t.Helper()
	if err := s.Achieved(context.Background(), leaseOf(t, s, lb), lb.ID, 1, nil, amphorae); err != nil {
		t.Fatal(err)
	}
}

func amphoraeOf(t *testing.T, s *store.Store, loadBalancerID string) map[string]*lbaas.Amphora {
	t.Helper()
	q := store.Query{Filters: []store.Filter{{Attribute: "loadbalancer_id", Values: []string{loadBalancerID}}}}
	all, err := s.Amphorae(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*lbaas.Amphora{}
	for _, a := range all {
		found[a.ID] = a
	}
	return found
}

func TestAmphoraeFollowWhatIsAchieved(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		lb, other := create(t, s, fullTree()), create(t, s, fullTree())
		report(t, s, other, []lbaas.Amphora{fullAmphora("other")})
		report(t, s, lb, nil)
		if got := amphoraeOf(t, s, lb.ID); len(got) != 0 {
			t.Errorf("a provider without instances has made %v", got)
		}
		first, second := fullAmphora("1"), fullAmphora("2")
		first.LoadBalancerID, first.ProjectID = "somebody else's", "somebody else's"
		report(t, s, lb, []lbaas.Amphora{first, second})
		made := amphoraeOf(t, s, lb.ID)
		for _, a := range []*lbaas.Amphora{&first, &second} {
			a.LoadBalancerID, a.ProjectID = lb.ID, lb.ProjectID
			timeless := cmpopts.IgnoreFields(lbaas.Amphora{}, "CreatedAt")
			if diff := cmp.Diff(a, made[a.ID], compare, timeless); diff != "" || made[a.ID].CreatedAt.IsZero() {
				t.Errorf("a new amphora, made at %v (-want +got):\n%s", made[a.ID].CreatedAt, diff)
			}
			one, err := s.Amphora(context.Background(), a.ID)
			if diff := cmp.Diff(made[a.ID], one, compare); diff != "" || err != nil {
				t.Errorf("one amphora: %v (-list +one):\n%s", err, diff)
			}
		}
		report(t, s, lb, nil)
		report(t, s, lb, []lbaas.Amphora{second, first})
		if diff := cmp.Diff(made, amphoraeOf(t, s, lb.ID), compare); diff != "" {
			t.Errorf("what is as it was has been touched (-want +got):\n%s", diff)
		}
		first.Status, first.CreatedAt = lbaas.AmphoraError, time.Now()
		report(t, s, lb, []lbaas.Amphora{first, fullAmphora("3")})
		got := amphoraeOf(t, s, lb.ID)
		if len(got) != 2 || got["3"] == nil || got["1"].Status != lbaas.AmphoraError || got["1"].UpdatedAt.IsZero() || got["1"].CreatedAt != made["1"].CreatedAt {
			t.Errorf("one that failed and one in the place of another: %+v", got)
		}
		report(t, s, lb, []lbaas.Amphora{})
		if got := amphoraeOf(t, s, lb.ID); len(got) != 0 {
			t.Errorf("instances that are gone: %v", got)
		}
		if got := amphoraeOf(t, s, other.ID); len(got) != 1 {
			t.Errorf("another load balancer has %v", got)
		}
	})
}

// TestAmphoraeOfFailuresAndOldGenerations are what the data plane consists of, whatever else was achieved.
func TestAmphoraeOfFailuresAndOldGenerations(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb := create(t, s, fullTree())
		lease := leaseOf(t, s, lb)
		change(t, s, lb.ID, func(c *store.Change) error { return c.Touch(c.LB.Pools[0]) })
		if err := s.Achieved(ctx, lease, lb.ID, 1, map[string]string{lb.Pools[0].ID: "no"}, []lbaas.Amphora{fullAmphora("1")}); err != nil {
			t.Fatal(err)
		}
		if got := amphoraeOf(t, s, lb.ID); len(got) != 1 {
			t.Errorf("instances after a failure: %v", got)
		}
		leaseOf(t, s, lb) // under a new epoch
		if err := s.Achieved(ctx, lease, lb.ID, 2, nil, []lbaas.Amphora{}); !errors.Is(err, store.ErrLeaseLost) {
			t.Errorf("an old lease gives %v", err)
		}
		if err := s.Achieved(ctx, leaseOf(t, s, lb), "nothing", 2, nil, []lbaas.Amphora{fullAmphora("2")}); err != nil {
			t.Error(err)
		}
		if got, err := s.Amphorae(ctx, store.Query{}); err != nil || len(got) != 1 {
			t.Errorf("in the end there are %v, %v", got, err)
		}
		change(t, s, lb.ID, func(c *store.Change) error { return c.Delete(c.LB) })
		if err := s.Gone(ctx, leaseOf(t, s, lb), lb.ID, 9); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Amphorae(ctx, store.Query{}); err != nil || len(got) != 0 {
			t.Errorf("of a load balancer that is gone there are %v, %v", got, err)
		}
	})
}

func TestDeleteAmphora(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb := create(t, s, fullTree())
		broken := fullAmphora("broken")
		broken.Status = lbaas.AmphoraError
		report(t, s, lb, []lbaas.Amphora{fullAmphora("well"), broken})
		for id, want := range map[string]error{
			"nothing": lbaas.Missing(lbaas.NounAmphora, "nothing"),
			"well":    lbaas.Errorf(lbaas.Immutable, "amphora well is immutable and cannot be updated."),
			"broken":  nil,
		} {
			if diff := cmp.Diff(want, s.DeleteAmphora(ctx, id)); diff != "" {
				t.Errorf("delete %s (-want +got):\n%s", id, diff)
			}
		}
		if _, err := s.Amphora(ctx, "broken"); !errors.Is(err, lbaas.NotFound) || len(amphoraeOf(t, s, lb.ID)) != 1 {
			t.Errorf("a deleted amphora gives %v, and there are %v", err, amphoraeOf(t, s, lb.ID))
		}
		report(t, s, lb, []lbaas.Amphora{broken})
		if got := amphoraeOf(t, s, lb.ID); len(got) != 1 {
			t.Errorf("what is still there is reported again: %v", got)
		}
	})
}

// TestAmphoraFilters asks for an amphora by each of its attributes.
func TestAmphoraFilters(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb, other := create(t, s, fullTree()), create(t, s, fullTree())
		a := fullAmphora("1")
		report(t, s, lb, []lbaas.Amphora{a})
		a.CertExpiration = a.CertExpiration.Add(time.Hour)
		report(t, s, lb, []lbaas.Amphora{a}) // so that there is an updated_at
		report(t, s, other, []lbaas.Amphora{{ID: "2"}})
		kept, err := s.Amphora(ctx, "1")
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]string{
			"LoadBalancerID": "loadbalancer_id", "ProjectID": "project_id", "ComputeID": "compute_id", "ID": "id", "LBNetworkIP": "lb_network_ip",
			"VRRPIP": "vrrp_ip", "HAIP": "ha_ip", "VRRPPortID": "vrrp_port_id", "HAPortID": "ha_port_id", "CertExpiration": "cert_expiration",
			"CertBusy": "cert_busy", "Role": "role", "Status": "status", "VRRPInterface": "vrrp_interface", "VRRPID": "vrrp_id",
			"VRRPPriority": "vrrp_priority", "CachedZone": "cached_zone", "ImageID": "image_id", "ComputeFlavor": "compute_flavor",
			"CreatedAt": "created_at", "UpdatedAt": "updated_at",
		}
		v := reflect.ValueOf(kept).Elem()
		for i := range v.NumField() {
			field, value := v.Type().Field(i).Name, fmt.Sprint(v.Field(i))
			if at, ok := v.Field(i).Interface().(time.Time); ok {
				value = at.Format(time.RFC3339Nano)
			}
			want := 1
			if field == "ProjectID" {
				want = 2
			}
			for _, c := range []struct {
				value string
				want  int
			}{{value, want}, {unlike(value), 0}} {
				q := store.Query{Filters: []store.Filter{{Attribute: names[field], Values: []string{c.value}}}}
				if field == "CertBusy" && c.want == 0 {
					q.Filters = append(q.Filters, store.Filter{Attribute: "id", Values: []string{"1"}})
				}
				if got, err := s.Amphorae(ctx, q); err != nil || len(got) != c.want {
					t.Errorf("%s=%s lists %d, want %d; %v", names[field], c.value, len(got), c.want, err)
				}
			}
			if _, err := s.Amphorae(ctx, store.Query{Sort: []store.Order{{Attribute: names[field]}}, Marker: "1"}); err != nil {
				t.Errorf("sorted by %s: %v", names[field], err)
			}
		}
	})
}

// unlike is another value of the same sort.
func unlike(value string) string {
	if at, err := time.Parse(time.RFC3339Nano, value); err == nil {
		return at.Add(time.Hour).Format(time.RFC3339Nano)
	}
	if n, err := strconv.Atoi(value); err == nil {
		return strconv.Itoa(n + 7)
	}
	if value == "true" {
		return "false"
	}
	return value + "x"
}
