package engine

import (
	"slices"
	"time"

	"plimsoll/internal/engine/enginepb"
)

// needed returns the leaving ports of a Spec that connections may still need: those of servers that were taken out, and of
// replaced processes. HAProxy tells nobody which connection goes by which port, so while there are any, all ports are
// needed, but none for longer than the Spec's hard stop: a load balancer that is reloaded again and again always has some.
// The caller has settled and followed the processes.
func (b *balancer) needed(spec *enginepb.Spec) []string {
	ids := b.leave(spec)
	if len(b.draining) == 0 && len(b.removals) == 0 {
		return nil
	}
	most := time.Duration(spec.HardStopAfterSeconds) * time.Second
	return slices.DeleteFunc(ids, func(id string) bool { return time.Since(b.leaving[id]) > most })
}

// leave notes since when the leaving ports of a Spec leave, and returns them. A new engine counts from its start.
func (b *balancer) leave(spec *enginepb.Spec) []string {
	var ids []string
	since := map[string]time.Time{}
	for _, p := range spec.Ports {
		if !p.Leaving {
			continue
		}
		began, known := b.leaving[p.Id]
		if !known {
			began = time.Now()
		}
		ids, since[p.Id] = append(ids, p.Id), began
	}
	b.leaving = since
	return ids
}

// unneeded returns a leaving port of the last Spec that is not needed any more, or "".
func (b *balancer) unneeded() string {
	needed := b.needed(b.spec())
	for _, p := range b.spec().Ports {
		if p.Leaving && !slices.Contains(needed, p.Id) {
			return p.Id
		}
	}
	return ""
}
