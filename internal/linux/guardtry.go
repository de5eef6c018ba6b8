package linux

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

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

// ForeignFilters are the chains of others that drop what the host forwards unless a rule of theirs accepts it, as Docker's do: what guarded
// ports send and get comes by them, too.
func ForeignFilters() ([]string, error) {
	var found []string
	for _, family := range []uint8{unix.NFPROTO_IPV4, unix.NFPROTO_IPV6, unix.NFPROTO_INET} {
		chains, err := listNft(family, unix.NFT_MSG_GETCHAIN)
		if err != nil {
			return nil, fmt.Errorf("list chains: %w", err)
		}
		for _, c := range chains {
			hook, err := c.nested(unix.NFTA_CHAIN_HOOK)
			if err != nil {
				return nil, fmt.Errorf("list chains: %w", err)
			}
			forwards := len(c[unix.NFTA_CHAIN_HOOK]) > 0 && hook.number(unix.NFTA_HOOK_HOOKNUM) == unix.NF_INET_FORWARD
			const drop = 0 // NF_DROP
			if forwards && len(c[unix.NFTA_CHAIN_POLICY]) > 0 && c.number(unix.NFTA_CHAIN_POLICY) == drop {
				found = append(found, c.text(unix.NFTA_CHAIN_TABLE)+" "+c.text(unix.NFTA_CHAIN_NAME))
			}
		}
	}
	for _, l := range legacyFilters {
		drops, err := l.drops()
		if err != nil {
			return found, err
		}
		if drops {
			found = append(found, l.program+" "+legacyTable+" FORWARD")
		}
	}
	return found, nil
}
