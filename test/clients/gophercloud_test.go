package clients

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/pagination"

	"plimsoll/test/harness"
)

func ptr[T any](v T) *T { return &v }

// ok ends the test on an error, and else passes a value on.
func ok[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func done(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// same compares what a client has with what it has to have.
func same[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// all returns what stands on all pages of a list.
func all[T any](t *testing.T, pager pagination.Pager, extract func(pagination.Page) ([]T, error)) []T {
	t.Helper()
	pages, err := pager.AllPages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ok[[]T](t)(extract(pages))
}

// active waits for the load balancer and for an object, of which get gives the status, and returns the object.
func active[T any](f *terraform, get func() (*T, error), status func(*T) string) *T {
	f.t.Helper()
	harness.Eventually(f.t, 30*time.Second, func() error {
		lb, err := loadbalancers.Get(f.t.Context(), f.api, f.lb.ID).Extract()
		if err == nil && lb.ProvisioningStatus != "ACTIVE" {
			err = fmt.Errorf("load balancer %s is %s", lb.ID, lb.ProvisioningStatus)
		}
		return err
	})
	var object *T
	harness.Eventually(f.t, 30*time.Second, func() (err error) {
		if object, err = get(); err == nil && status(object) != "ACTIVE" {
			err = fmt.Errorf("%T is %s", object, status(object))
		}
		return err
	})
	return object
}

// gone waits until an object is missing.
func gone[T any](f *terraform, get func() (*T, error)) {
	f.t.Helper()
	harness.Eventually(f.t, 30*time.Second, func() error {
		object, err := get()
		if gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
			return nil
		}
		return fmt.Errorf("%+v is still there: %w", object, err)
	})
}
