package engine

import (
	"context"

	"plimsoll/internal/engine/enginepb"
)

func (e *Engine) applyGuards(_ context.Context, _ *enginepb.HostPlan) []*enginepb.HostFailure { return nil }
