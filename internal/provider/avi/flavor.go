package avi

import (
	"context"
	"errors"
)

// Flavor is what the data of a flavor profile says.
type Flavor struct {
	SEGroup      string // se_group_ref
	VRF          string // vrf_ref or vrf_context_ref
	VRFPerSubnet *bool  // vrf_context_per_subnet; nil where it is not said
}

// ParseFlavor reads the data of a flavor profile. Its errors are *lbaas.Error and name the key.
func ParseFlavor(data map[string]any) (Flavor, error) { return Flavor{}, errors.ErrUnsupported }

// CheckFlavor judges the data of a flavor profile, and asks the controller whether what it names is there.
func (p *Provider) CheckFlavor(ctx context.Context, data map[string]any) error {
	return errors.ErrUnsupported
}
