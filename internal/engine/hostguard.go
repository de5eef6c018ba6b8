package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/guard"
	"plimsoll/internal/linux"
)

// applyGuards has the kernel let pass guarded ports what the plan says. A guard that cannot be made leaves its port closed.
func (e *Engine) applyGuards(_ context.Context, plan *enginepb.HostPlan) []*enginepb.HostFailure {
	ports, groups, refused := guard.Parse(plan, guard.Names{Link: linux.HostName, Bridge: linux.BridgeName})
	var failed []*enginepb.HostFailure
	for id, err := range refused {
		failed = append(failed, &enginepb.HostFailure{ObjectId: id, Reason: err.Error()})
	}
	err, only := e.host.SetGuards(ports, groups), linux.GuardErrors{}
	if errors.As(err, &only) {
		for id, err := range only {
			failed = append(failed, &enginepb.HostFailure{ObjectId: id, Reason: err.Error()})
		}
	} else if err != nil {
		for _, p := range ports {
			failed = append(failed, &enginepb.HostFailure{ObjectId: p.ID, Reason: err.Error()})
		}
		if len(ports) == 0 {
			failed = append(failed, &enginepb.HostFailure{Reason: err.Error()})
		}
	}
	slices.SortFunc(failed, func(a, b *enginepb.HostFailure) int {
		return cmp.Or(strings.Compare(a.ObjectId, b.ObjectId), strings.Compare(a.Reason, b.Reason))
	})
	return failed
}

// guardPause lies between two looks whether somebody changed the tables of guards, guardMost where a look takes long.
const guardPause, guardMost = 5 * time.Second, time.Minute

// keepGuards mends the tables of guards when somebody else changed them. What cannot be mended is told once.
func (e *Engine) keepGuards(ctx context.Context) error {
	var took time.Duration
	told := ""
	for pause(ctx, pace(guardPause, took, guardMost)) {
		began := time.Now()
		n, err := e.host.AuditGuards()
		if took = time.Since(began); err == nil && n > 0 {
			e.log.Warn("guards mended: somebody else had changed them", "changes", n)
		}
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != told && err != nil {
			e.log.Warn("guards not mended", "err", err)
		}
		told = text
	}
	return nil
}
