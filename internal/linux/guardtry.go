package linux

import (
	"errors"
	"net/netip"

	"github.com/google/uuid"

	"plimsoll/internal/guard"
)

// TryGuards tells what a kernel lacks for guarding ports. It makes tables that look at nothing, in the thread's network namespace, and takes
// them away again; no module is loaded by it but those that the kernel loads itself.
func TryGuards() (err error) {
	if !filterThere() && !loadable() {
		return ErrNoBridgeFilter
	}
	group := uuid.NewString()
	everything := guard.GroupRule{Protocol: -1, Min: -1, Max: -1, Remote: group}
	tables := guard.Plan(guard.Wanted{
		Ports: []guard.Port{{Link: "plm-doctor", Bridge: "brq-doctor", Groups: []string{group},
			Pairs: []guard.Pair{{Addresses: netip.MustParsePrefix("192.0.2.1/32")}}}},
		Groups: []guard.Group{{ID: group, Rules: []guard.GroupRule{everything}}}, Zones: map[string]uint16{"brq-doctor": 1}})
	name := GuardTable("doctor-" + group)
	if err := changeGuards(name, guard.Diff(nil, tables)); err != nil {
		return err
	}
	defer func() {
		left, failed := readGuards(name)
		err = errors.Join(err, failed, changeGuards(name, guard.Diff(left, nil)))
	}()
	state, err := readGuards(name)
	if err == nil && len(guard.Diff(state, tables)) > 0 {
		err = errors.New("the kernel keeps other tables than it was given")
	}
	return err
}
