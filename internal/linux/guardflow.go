package linux

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"plimsoll/internal/failpoint"
)

// ctaZone is the attribute of a flow's zone (linux/netfilter/nfnetlink_conntrack.h); it is left out where the zone is 0.
const ctaZone = 18

// zonedFlow is a flow of a zone.
type zonedFlow struct {
	entry
	zone     uint16
	from, to netip.Addr
}

// forgetAddresses has the host's kernel forget the flows of zones from or to some of their addresses. It looks through all flows of the host.
func forgetAddresses(zones map[uint16]map[netip.Addr]bool) error {
	if len(zones) == 0 {
		return nil
	}
	old, err := whole(func() (all []zonedFlow, err error) {
		var unread error
		request := conntrackMessage(1, unix.NLM_F_DUMP, unix.AF_UNSPEC)
		for z := range zones {
			if len(zones) == 1 { // kernels since 6.8 tell of that zone only, others of all
				request.AddData(nl.NewRtAttr(ctaZone, binary.BigEndian.AppendUint16(nil, z)))
			}
		}
		err = request.ExecuteIter(unix.NETLINK_NETFILTER, 0, func(answer []byte) bool {
			f, err := parseZonedFlow(answer)
			if of := zones[f.zone]; err == nil && (of[f.from] || of[f.to]) {
				all = append(all, f)
			}
			unread = err
			return err == nil
		})
		return all, cmp.Or(err, unread)
	})
	if err != nil {
		return fmt.Errorf("list flows: %w", err)
	}
	for _, f := range old {
		if err := f.forget(); err != nil {
			return fmt.Errorf("forget the flow of %s to %s: %w", f.from, f.to, err)
		}
		failpoint.Here("linux.guard.flow.forgotten")
	}
	return nil
}

// parseZonedFlow reads a message about one flow, of any protocol.
func parseZonedFlow(b []byte) (f zonedFlow, err error) {
	if len(b) < nl.SizeofNfgenmsg {
		return f, fmt.Errorf("a message of %d bytes", len(b))
	}
	a, err := parseAttributes(b[nl.SizeofNfgenmsg:])
	if err != nil {
		return f, err
	}
	f.entry = entry{family: b[0], original: a[ctaTupleOriginal], id: a[ctaID]}
	if z := a[ctaZone]; len(z) == 2 {
		f.zone = binary.BigEndian.Uint16(z)
	}
	f.from, f.to, err = tupleAddresses(f.original)
	return f, err
}

// forget names the zone, too: of a flow's addresses there may be one in each.
func (f zonedFlow) forget() error {
	return f.entry.forget(nl.NewRtAttr(ctaZone, binary.BigEndian.AppendUint16(nil, f.zone)))
}
