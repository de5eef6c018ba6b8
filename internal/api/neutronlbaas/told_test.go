package neutronlbaas

import (
	"errors"
	"testing"

	"plimsoll/lbaas"
)

// TestTold holds what becomes of Octavia's errors.
func TestTold(t *testing.T) {
	internal := errors.New("the database is away")
	for _, test := range []struct {
		err        error
		kind       lbaas.Kind
		name, text string
	}{
		{lbaas.Missing(lbaas.NounL7Policy, "p1"), lbaas.NotFound, "EntityNotFound", "l7policy p1 could not be found"},
		{lbaas.Errorf(lbaas.Invalid, "Subnet s1 not found."), lbaas.NotFound, "EntityNotFound", "Subnet s1 could not be found"},
		{lbaas.Errorf(lbaas.Invalid, "Something else not found."), lbaas.Invalid, "BadRequest", "Something else not found."},
		{lbaas.Errorf(lbaas.Forbidden, "Policy does not allow this request to be performed."), lbaas.Forbidden, "PolicyNotAuthorized", "rule:update_pool is disallowed by policy"},
		{lbaas.Errorf(lbaas.Immutable, "Load Balancer l1 is immutable and cannot be updated."), lbaas.Conflict, "StateInvalid", "Invalid state PENDING_DELETE of loadbalancer resource l1"},
		{lbaas.QuotaMet(lbaas.NounHealthMonitor), lbaas.QuotaExceeded, "OverQuota", "Quota exceeded for resources: ['healthmonitor']."},
		{lbaas.Errorf(lbaas.Unsupported, "Provider 'x' does not support a requested option: y"), lbaas.Unsupported, "LBConfigurationUnsupported", "Provider 'x' does not support a requested option: y"},
		{lbaas.Errorf(lbaas.Invalid, "Could not retrieve certificate: ['a', 'b']"), lbaas.NotFound, "TLSContainerNotFound", "TLS container a, b could not be found"},
		{lbaas.Errorf(lbaas.Invalid, "Could not retrieve certificate: ['a'] It has expired."), lbaas.Invalid, "TLSContainerInvalid", "TLS container a is invalid. It has expired."},
		{lbaas.Errorf(lbaas.Invalid, "Could not retrieve certificate: ['a'] Secret a not found."), lbaas.NotFound, "TLSContainerNotFound", "TLS container a could not be found"},
		{lbaas.Errorf(lbaas.Invalid, "Could not retrieve certificate: ['a', 'b'] Secret a not found. It has expired."), lbaas.Invalid, "TLSContainerInvalid", "TLS container a, b is invalid. Secret a not found. It has expired."},
		{lbaas.ValidationFailure("No."), lbaas.Invalid, "BadRequest", "Validation failure: No."},
		{lbaas.Errorf(lbaas.Unavailable, "Later."), lbaas.Unavailable, "", "Later."},
		{entityInUse("pool", "healthmonitor", "h1"), lbaas.Conflict, "EntityInUse", "pool is using healthmonitor h1"},
	} {
		var got *lbaas.Error
		if err := told(test.err, "update_pool"); !errors.As(err, &got) || got.Kind != test.kind || got.Type != test.name || got.Text != test.text {
			t.Errorf("told(%q) = %+v", test.err, got)
		}
	}
	if err := told(internal, "update_pool"); !errors.Is(err, internal) {
		t.Errorf("told(%v) = %v", internal, err)
	}
}
