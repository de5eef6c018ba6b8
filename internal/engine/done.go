package engine

import (
	"sync/atomic"

	"plimsoll/internal/engine/enginepb"
)

// done counts what the engine did since it started, and the HAProxy processes that it watches.
type done struct{ processes, starts, reloads, changes atomic.Int64 }

// count counts an Apply.
func (d *done) count(reply *enginepb.ApplyReply) {
	switch reply.Method {
	case methodStart:
		d.starts.Add(1)
	case methodReload:
		d.reloads.Add(1)
	}
	d.changes.Add(int64(reply.RuntimeChanges))
}
