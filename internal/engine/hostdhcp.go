package engine

import (
	"context"

	"plimsoll/internal/engine/enginepb"
)

func (e *Engine) applyDhcps(_ context.Context, _ *enginepb.HostPlan) []*enginepb.HostFailure { return nil }
