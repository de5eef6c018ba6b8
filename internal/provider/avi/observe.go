package avi

import (
	"context"
	"errors"

	"plimsoll/internal/provider"
	"plimsoll/lbaas"
)

// Observe tells of many load balancers with one poll of the controller.
func (p *Provider) Observe(ctx context.Context, lbs []*lbaas.LoadBalancer) (map[string]provider.Observation, error) {
	return nil, errors.ErrUnsupported
}
