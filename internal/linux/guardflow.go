package linux

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"plimsoll/internal/failpoint"
)

// ctaZone is the attribute of a flow's zone (linux/netfilter/nfnetlink_conntrack.h); it is left out where the zone is 0.
const ctaZone = 18

// zonedFlow is a flow of a zone, with what the kernel knows it by.
type zonedFlow struct {
	family       uint8
	zone         uint16
	from, to     netip.Addr
	original, id []byte
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
	f = zonedFlow{family: b[0], original: a[ctaTupleOriginal], id: a[ctaID]}
	if z := a[ctaZone]; len(z) == 2 {
		f.zone = binary.BigEndian.Uint16(z)
	}
	tuple, err := a.nested(ctaTupleOriginal)
	if err != nil {
		return f, err
	}
	addresses, err := tuple.nested(ctaTupleIP)
	if err != nil {
		return f, err
	}
	f.from, f.to = eitherAddress(addresses, ctaIP4Source, ctaIP6Source), eitherAddress(addresses, ctaIP4Destination, ctaIP6Destination)
	return f, nil
}

func eitherAddress(a attributes, four, six uint16) netip.Addr {
	text := a[four]
	if len(text) == 0 {
		text = a[six]
	}
	address, _ := netip.AddrFromSlice(text)
	return address
}

func (f zonedFlow) forget() error {
	request := conntrackMessage(2, unix.NLM_F_ACK, f.family)
	request.AddData(nl.NewRtAttr(ctaTupleOriginal|unix.NLA_F_NESTED, f.original))
	request.AddData(nl.NewRtAttr(ctaZone, binary.BigEndian.AppendUint16(nil, f.zone)))
	if len(f.id) > 0 { // so that one that began anew meanwhile is not meant
		request.AddData(nl.NewRtAttr(ctaID, f.id))
	}
	_, err := request.Execute(unix.NETLINK_NETFILTER, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}
