package linux

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"plimsoll/internal/failpoint"
)

// translation are the addresses of a flow as its first packet had them, and as its answers have them.
type translation struct {
	from, to       netip.Addr
	answers, backs netip.Addr // whom answers come from, and whom they go to
}

// stale tells whether the router's table would not have made a flow: one of a floating address that has another fixed address now, or
// none, or one that got an address of the gateway's that it has no more. IPv6 is not translated.
func (r Router) stale(t translation) bool {
	if !t.from.Is4() || !t.answers.IsValid() {
		return false
	}
	fixed, floating := r.Floating[t.to]
	if floating || t.answers != t.to {
		return t.answers != fixed || r.wrongSource(t)
	}
	return t.backs != t.from && t.backs != r.SNAT && r.Floating[t.backs] != t.from
}

// wrongSource is about a flow to a floating address from inside. Any address of the router's brings its answers back, but for another's.
func (r Router) wrongSource(t translation) bool {
	fixed, floating := r.Floating[t.backs]
	return floating && t.backs != t.from && fixed != t.from
}

// forgetTranslations has the kernel forget the stale ones among the flows of the thread's namespace. The kernel looks through a table
// that all namespaces share, so it is not asked where there are none.
func forgetTranslations(stale func(translation) bool) error {
	count, err := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_count")
	if err == nil && strings.TrimSpace(string(count)) == "0" {
		return nil
	}
	old, err := whole(func() ([]entry, error) { return translations(stale) })
	if err != nil {
		return fmt.Errorf("list flows: %w", err)
	}
	for _, e := range old {
		if err := e.forget(); err != nil {
			return fmt.Errorf("forget a flow: %w", err)
		}
		failpoint.Here("linux.router.flow.forgotten")
	}
	return nil
}

// translations lists the flows that are wanted.
func translations(wanted func(translation) bool) (all []entry, err error) {
	var unread error
	err = conntrackMessage(1, unix.NLM_F_DUMP, unix.AF_INET).ExecuteIter(unix.NETLINK_NETFILTER, 0, func(answer []byte) bool {
		e, t, err := parseTranslation(answer)
		if err == nil && wanted(t) {
			all = append(all, e)
		}
		unread = err
		return err == nil
	})
	return all, cmp.Or(err, unread)
}

// parseTranslation reads a message about one flow, of any protocol.
func parseTranslation(b []byte) (entry, translation, error) {
	if len(b) < nl.SizeofNfgenmsg {
		return entry{}, translation{}, fmt.Errorf("a message of %d bytes", len(b))
	}
	a, err := parseAttributes(b[nl.SizeofNfgenmsg:])
	if err != nil {
		return entry{}, translation{}, err
	}
	var t translation
	if t.from, t.to, err = tupleAddresses(a[ctaTupleOriginal]); err != nil {
		return entry{}, t, err
	}
	t.answers, t.backs, err = tupleAddresses(a[ctaTupleReply])
	return entry{family: b[0], original: a[ctaTupleOriginal], id: a[ctaID]}, t, err
}

func tupleAddresses(b []byte) (from, to netip.Addr, err error) {
	t, err := parseAttributes(b)
	if err != nil {
		return from, to, err
	}
	addresses, err := t.nested(ctaTupleIP)
	if err != nil {
		return from, to, err
	}
	return either(addresses, ctaIP4Source, ctaIP6Source), either(addresses, ctaIP4Destination, ctaIP6Destination), nil
}

// either is the address of the family that there is, or the zero Addr.
func either(a attributes, four, six uint16) netip.Addr {
	text := a[four]
	if len(text) == 0 {
		text = a[six]
	}
	address, _ := netip.AddrFromSlice(text)
	return address
}
