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

const (
	// guardPause lies between two looks whether somebody changed the tables of guards, guardMost where a look takes long.
	guardPause, guardMost = 5 * time.Second, time.Minute
	// guardHurries is how many looks more there are meanwhile when the kernel tells of changes: who makes them without end keeps no core busy.
	guardHurries = 10
)

// keepGuards mends the tables of guards when somebody else changed them: when the kernel tells of it, and from time to time. What cannot be
// mended is told once.
func (e *Engine) keepGuards(ctx context.Context) error {
	told, wait, hurries := "", guardPause, guardHurries
	for {
		program, touched := "", e.touched
		if hurries == 0 {
			touched = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case program = <-touched:
			hurries--
		case <-time.After(wait):
			hurries = guardHurries
		}
		began := time.Now()
		told = e.mendGuards(program, told)
		wait = pace(guardPause, time.Since(began), guardMost)
	}
}

// mendGuards looks at the guards once, of which a program may be known to have changed them. It returns what cannot be mended.
func (e *Engine) mendGuards(program, told string) string {
	n, err := e.host.AuditGuards()
	if err == nil && n > 0 {
		e.log.Warn("guards mended: somebody else had changed them", "changes", n, "program", program)
	}
	if err == nil {
		return ""
	}
	if err.Error() != told {
		e.log.Warn("guards not mended", "err", err)
	}
	return err.Error()
}
