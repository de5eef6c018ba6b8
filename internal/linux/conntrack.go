package linux

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"plimsoll/internal/datagram"
	"plimsoll/internal/failpoint"
)

// The attributes of the connection tracker's messages that are read here (linux/netfilter/nfnetlink_conntrack.h).
const (
	ctaTupleOriginal = 1
	ctaTupleReply    = 2
	ctaID            = 12

	ctaTupleIP    = 1
	ctaTupleProto = 2

	ctaIP4Source, ctaIP4Destination = 1, 2
	ctaIP6Source, ctaIP6Destination = 3, 4

	ctaProtoNumber, ctaProtoSource, ctaProtoDestination = 1, 2, 3
)

// conntrackMessage is a message of the connection tracker; 1 is IPCTNL_MSG_CT_GET, 2 IPCTNL_MSG_CT_DELETE.
func conntrackMessage(kind, flags int, family uint8) *nl.NetlinkRequest {
	request := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_CTNETLINK<<8|kind, flags)
	request.AddData(&nl.Nfgenmsg{NfgenFamily: family, Version: nl.NFNETLINK_V0})
	return request
}

// entry is a flow with what the kernel knows it by.
type entry struct {
	datagram.Tracked
	family       uint8
	original, id []byte
}

// Flows lists the flows of UDP and SCTP of a namespace. Where there are any this takes milliseconds, however few they are.
func Flows(namespace string) (all []datagram.Tracked, err error) {
	err = Within(namespace, func() (err error) {
		all, err = flows(func(e entry) (datagram.Tracked, bool) { return e.Tracked, true })
		return err
	})
	return all, err
}

// flows lists what is made of the flows of UDP and SCTP. The kernel looks through a table that all namespaces share, so it is not asked
// where there are none. Strangers can make hundreds of thousands of them: what is not wanted of one is not kept.
func flows[T any](of func(entry) (one T, wanted bool)) ([]T, error) {
	if count, err := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_count"); err == nil && strings.TrimSpace(string(count)) == "0" {
		return nil, nil
	}
	all, err := whole(func() (all []T, err error) {
		var unread error
		err = conntrackMessage(1, unix.NLM_F_DUMP, unix.AF_UNSPEC).ExecuteIter(unix.NETLINK_NETFILTER, 0, func(answer []byte) bool {
			e, err := parseFlow(answer)
			if one, wanted := of(e); err == nil && wanted && e.Protocol != "" {
				all = append(all, one)
			}
			unread = err
			return err == nil
		})
		return all, cmp.Or(err, unread)
	})
	if err != nil {
		return nil, fmt.Errorf("list flows: %w", err)
	}
	return all, nil
}

// parseFlow reads a message about one flow. The protocol of one that is neither UDP nor SCTP is "".
func parseFlow(b []byte) (entry, error) {
	if len(b) < nl.SizeofNfgenmsg {
		return entry{}, errors.New("a message is too short")
	}
	a, err := parseAttributes(b[nl.SizeofNfgenmsg:])
	if err != nil {
		return entry{}, err
	}
	e := entry{family: b[0], original: a[ctaTupleOriginal], id: a[ctaID]}
	if e.Protocol, e.Source, e.To, err = parseTuple(a[ctaTupleOriginal]); err != nil || e.Protocol == "" {
		return e, err
	}
	_, e.Member, _, err = parseTuple(a[ctaTupleReply])
	return e, err
}

func parseTuple(b []byte) (protocol string, from, to netip.AddrPort, err error) {
	t, err := parseAttributes(b)
	if err != nil {
		return "", from, to, err
	}
	addresses, err := t.nested(ctaTupleIP)
	if err != nil {
		return "", from, to, err
	}
	ports, err := t.nested(ctaTupleProto)
	if err != nil {
		return "", from, to, err
	}
	switch kind := ports[ctaProtoNumber]; {
	case len(kind) == 1 && kind[0] == unix.IPPROTO_UDP:
		protocol = datagram.UDP
	case len(kind) == 1 && kind[0] == unix.IPPROTO_SCTP:
		protocol = datagram.SCTP
	default:
		return "", from, to, nil
	}
	from = endpoint(addresses, ctaIP4Source, ctaIP6Source, ports[ctaProtoSource])
	to = endpoint(addresses, ctaIP4Destination, ctaIP6Destination, ports[ctaProtoDestination])
	return protocol, from, to, nil
}

func endpoint(a attributes, four, six uint16, port []byte) netip.AddrPort {
	address := either(a, four, six)
	if !address.IsValid() || len(port) != 2 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(address, binary.BigEndian.Uint16(port))
}

// ForgetFlows has a namespace's kernel forget the flows of UDP and SCTP that are stale, and returns how many. With its next packet a flow
// begins anew.
func ForgetFlows(namespace string, stale func(datagram.Tracked) bool) (n int, err error) {
	err = Within(namespace, func() error {
		all, err := flows(func(e entry) (entry, bool) { return e, stale(e.Tracked) })
		if err != nil {
			return err
		}
		for _, e := range all {
			if err := e.forget(); err != nil {
				return fmt.Errorf("forget the flow of %s to %s: %w", e.Source, e.Member, err)
			}
			failpoint.Here("linux.flow.forgotten")
			n++
		}
		return nil
	})
	return n, err
}

// forget has the kernel forget the flow, which is gone if it is not there; more tells it from others.
func (e entry) forget(more ...nl.NetlinkRequestData) error {
	request := conntrackMessage(2, unix.NLM_F_ACK, e.family)
	request.AddData(nl.NewRtAttr(ctaTupleOriginal|unix.NLA_F_NESTED, e.original))
	for _, m := range more {
		request.AddData(m)
	}
	if len(e.id) > 0 { // so that one that began anew meanwhile is not meant
		request.AddData(nl.NewRtAttr(ctaID, e.id))
	}
	_, err := request.Execute(unix.NETLINK_NETFILTER, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// The kernel's own bounds for flows that rest, in seconds (Documentation/networking/nf_conntrack-sysctl.rst).
const (
	restUDP         = 30
	restUDPAnswered = 120
	restSCTP        = 210
)

const forwarding = "/proc/sys/net/ipv4/ip_forward"

func forwards() (bool, error) {
	text, err := os.ReadFile(forwarding)
	return strings.TrimSpace(string(text)) == "1", err
}

// ForwardDatagrams lets a namespace forward between its links, or no more, and sets how long flows may rest; 0 seconds are the kernel's
// own bound. What may be forwarded, a table says, which is there before and goes after.
func ForwardDatagrams(namespace string, on bool, restsUDP, restsSCTP int) error {
	udp, answered, sctp := restUDP, restUDPAnswered, restSCTP
	if restsUDP > 0 {
		udp, answered = restsUDP, restsUDP
	}
	if restsSCTP > 0 {
		sctp = restsSCTP
	}
	way := "0"
	if on {
		way = "1"
	}
	err := Within(namespace, func() error {
		return setSysctls([]sysctl{
			{"net/netfilter/nf_conntrack_udp_timeout", strconv.Itoa(udp)},
			{"net/netfilter/nf_conntrack_udp_timeout_stream", strconv.Itoa(answered)},
			{"net/netfilter/nf_conntrack_sctp_timeout_established", strconv.Itoa(sctp)},
			{"net/ipv4/ip_forward", way},
			{"net/ipv6/conf/all/forwarding", way},
		})
	})
	if err != nil {
		return fmt.Errorf("forward datagrams: %w", err)
	}
	return nil
}
