package web

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"plimsoll/lbaas"
)

// TestSerious shows which faults are told to operators, who cannot help with the rest.
func TestSerious(t *testing.T) {
	for _, test := range []struct {
		status int
		err    error
		want   bool
	}{
		{500, errors.New("broken"), true},
		{503, lbaas.Errorf(lbaas.Unavailable, "no answer"), true},
		{503, fmt.Errorf("find a flavor: %w", lbaas.Errorf(lbaas.SwitchedOff, "not enabled")), false},
		{501, lbaas.Errorf(lbaas.Unsupported, "not here"), false},
		{500, fmt.Errorf("read: %w", context.Canceled), false},
		{409, lbaas.Errorf(lbaas.Conflict, "in use"), false},
	} {
		if got := serious(test.status, test.err); got != test.want {
			t.Errorf("serious(%d, %v) = %v", test.status, test.err, got)
		}
	}
}
