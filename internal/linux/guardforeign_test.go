package linux

import (
	"errors"
	"slices"
	"testing"

	"plimsoll/internal/guard"
)

// TestGuardsOfOthersStay wants a plan that names what another instance has made to change nothing of it, and the rest to be guarded.
func TestGuardsOfOthersStay(t *testing.T) {
	theirs, y := newYard(t), newYard(t)
	outside, one, free := theirs.station(1, false), theirs.station(2, true, "g"), theirs.station(3, false)
	theirs.groups = []guard.Group{{ID: "g", Rules: append(egress(), ingress(false, 6, 80, 80))}}
	theirs.apply()
	y.groups = theirs.groups
	stranger, mine := y.station(4, false), y.station(5, true, "g")
	good := slices.Clone(y.ports)
	asBefore := func(when string) {
		t.Helper()
		t.Log(when)
		outside.reach(one, true, web)
		outside.reach(one, false, other)
		one.reach(outside, true, web)
		outside.reach(free, true, web, other)
		stranger.reach(mine, true, web)
		stranger.reach(mine, false, other)
	}
	// Their link in their network, and a link of ours that would be in it.
	spare := guard.Port{ID: "spare", Link: "plmspare", Bridge: BridgeName(theirs.network), Groups: []string{"g"}}
	foreign := guard.Port{ID: free.port.ID, Link: HostName(free.port.ID), Bridge: BridgeName(theirs.network), Groups: []string{"g"}}
	y.ports = append(y.ports, spare, foreign)
	err := y.h.SetGuards(y.ports, y.groups)
	var failed GuardErrors
	if !errors.As(err, &failed) || len(failed) != 2 || !errors.Is(failed[spare.ID], ErrForeign) || !errors.Is(failed[foreign.ID], ErrForeign) {
		t.Errorf("SetGuards: %v", err)
	}
	asBefore("with a plan that names their bridge and link")
	if _, err := y.h.AuditGuards(); !errors.Is(err, ErrForeign) {
		t.Errorf("AuditGuards: %v", err)
	}
	late := y.station(6, true) // the failures of others are not its own
	if _, err := y.h.CheckPort(late.namespace, late.port); err != nil {
		t.Error(err)
	}
	y.ports = good
	y.apply()
	asBefore("with a plan that names them no more")
}
