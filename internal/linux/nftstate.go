package linux

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables/userdata"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"plimsoll/internal/datagram"
)

// Datagrams is what a namespace's kernel says of the datagrams that it forwards.
type Datagrams struct {
	Generation uint32          // of all tables: it changes whenever somebody changes any of them
	State      *datagram.State // nil when the generation is the one that the caller knows
	Counters   map[string]datagram.Counter
	Forwards   bool // between links
}

// ReadDatagrams reads what a namespace forwards, but for its flows. Without a table all is empty. The state is left out when the
// generation is still known, for which 0 stands for none.
func ReadDatagrams(namespace string, known uint32) (d Datagrams, err error) {
	err = Within(namespace, func() (err error) {
		if d.Generation, err = generation(); err != nil {
			return err
		}
		if known == 0 || d.Generation != known {
			if d.State, err = readState(); err != nil {
				return err
			}
		}
		if d.Counters, err = readCounters(); err != nil {
			return err
		}
		d.Forwards, err = forwards()
		return err
	})
	if err != nil {
		return Datagrams{}, fmt.Errorf("read the table of datagrams: %w", err)
	}
	return d, nil
}

// DatagramGeneration reads only the generation.
func DatagramGeneration(namespace string) (n uint32, err error) {
	err = Within(namespace, func() (err error) {
		n, err = generation()
		return err
	})
	return n, err
}

// attributes are those of one netlink message, or nested in one attribute, by type. None that is looked at has a higher one; an array
// costs a table of a hundred thousand flows a tenth of the memory that maps would.
type attributes [32][]byte

func parseAttributes(b []byte) (a attributes, err error) {
	err = eachAttribute(b, func(kind uint16, value []byte) error {
		if int(kind) < len(a) {
			a[kind] = value
		}
		return nil
	})
	return a, err
}

// eachAttribute goes through the attributes of netlink in b. The library's own parser ends the program where the last is cut short.
func eachAttribute(b []byte, see func(kind uint16, value []byte) error) error {
	for len(b) >= unix.SizeofNlAttr {
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofNlAttr || length > len(b) {
			return fmt.Errorf("an attribute of %d bytes in %d", length, len(b))
		}
		if err := see(binary.NativeEndian.Uint16(b[2:])&nl.NLA_TYPE_MASK, b[unix.SizeofNlAttr:length]); err != nil {
			return err
		}
		b = b[min((length+unix.NLA_ALIGNTO-1) & ^(unix.NLA_ALIGNTO-1), len(b)):]
	}
	return nil
}

func (a attributes) text(kind uint16) string { return strings.TrimRight(string(a[kind]), "\x00") }

// number reads 4 or 8 bytes in the network's order; what is shorter is 0.
func (a attributes) number(kind uint16) int64 {
	switch b := a[kind]; {
	case len(b) >= 8:
		return int64(binary.BigEndian.Uint64(b))
	case len(b) >= 4:
		return int64(binary.BigEndian.Uint32(b))
	}
	return 0
}

// nested parses what is in an attribute.
func (a attributes) nested(kind uint16) (attributes, error) { return parseAttributes(a[kind]) }

// list lists what all of the table's objects of a kind are. A table that changes meanwhile is read again.
func list(message int, attrs ...nl.NetlinkRequestData) ([]attributes, error) {
	answers, err := whole(func() ([][]byte, error) { return ask(message, unix.NLM_F_DUMP, attrs...) })
	if err != nil {
		return nil, err
	}
	var all []attributes
	for _, answer := range answers {
		a, err := parseAttributes(answer[min(nl.SizeofNfgenmsg, len(answer)):])
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

func ask(message, flags int, attrs ...nl.NetlinkRequestData) ([][]byte, error) {
	request := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|message, flags)
	request.AddData(&nl.Nfgenmsg{NfgenFamily: unix.NFPROTO_INET, Version: nl.NFNETLINK_V0})
	for _, a := range attrs {
		request.AddData(a)
	}
	return request.Execute(unix.NETLINK_NETFILTER, 0)
}

// inTable is the attribute that names our table; its type is the same in all messages but one.
func inTable() *nl.RtAttr {
	return nl.NewRtAttr(unix.NFTA_RULE_TABLE, nl.ZeroTerminated(datagram.TableName))
}

func generation() (uint32, error) {
	answers, err := ask(unix.NFT_MSG_GETGEN, 0)
	if err != nil || len(answers) == 0 || len(answers[0]) < nl.SizeofNfgenmsg {
		return 0, fmt.Errorf("read the generation: %w", err)
	}
	a, err := parseAttributes(answers[0][nl.SizeofNfgenmsg:])
	return uint32(a.number(unix.NFTA_GEN_ID)), err
}

func readState() (*datagram.State, error) {
	s := &datagram.State{Maps: map[string]map[uint32]datagram.Value{}, Chains: map[string][]string{}}
	chains, err := list(unix.NFT_MSG_GETCHAIN)
	if err != nil {
		return nil, err
	}
	for _, c := range chains {
		if c.text(unix.NFTA_CHAIN_TABLE) == datagram.TableName {
			s.Chains[c.text(unix.NFTA_CHAIN_NAME)] = nil
		}
	}
	if len(s.Chains) == 0 {
		return &datagram.State{}, nil
	}
	rules, err := list(unix.NFT_MSG_GETRULE, inTable())
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		chain := r.text(unix.NFTA_RULE_CHAIN)
		s.Chains[chain] = append(s.Chains[chain], comment(r[unix.NFTA_RULE_USERDATA]))
	}
	counters, err := readCounters()
	if err != nil {
		return nil, err
	}
	for name := range counters {
		s.Counters = append(s.Counters, name)
	}
	slices.Sort(s.Counters)
	return s, readMaps(s)
}

// comment is the comment in a rule's user data, which anybody may have written.
func comment(data []byte) string {
	if len(data) < 2 || int(data[1]) > len(data)-2 {
		return ""
	}
	text, _ := userdata.GetString(data[:2+int(data[1])], userdata.TypeComment)
	return text
}

func readMaps(s *datagram.State) error {
	sets, err := list(unix.NFT_MSG_GETSET, inTable())
	if err != nil {
		return err
	}
	for _, set := range sets {
		name := set.text(unix.NFTA_SET_NAME)
		s.Maps[name] = nil
		if set.number(unix.NFTA_SET_FLAGS)&unix.NFT_SET_TIMEOUT != 0 {
			continue // the kernel's own
		}
		if s.Maps[name], err = readElements(name); err != nil {
			return err
		}
	}
	return nil
}

func readElements(set string) (map[uint32]datagram.Value, error) {
	answers, err := list(unix.NFT_MSG_GETSETELEM, inTable(), nl.NewRtAttr(unix.NFTA_SET_ELEM_LIST_SET, nl.ZeroTerminated(set)))
	if err != nil {
		return nil, err
	}
	all := map[uint32]datagram.Value{}
	for _, answer := range answers {
		err := eachAttribute(answer[unix.NFTA_SET_ELEM_LIST_ELEMENTS], func(_ uint16, e []byte) error {
			key, value, err := parseElement(e)
			all[key] = value
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func parseElement(b []byte) (key uint32, v datagram.Value, err error) {
	e, err := parseAttributes(b)
	if err != nil {
		return 0, v, err
	}
	k, err := e.nested(unix.NFTA_SET_ELEM_KEY)
	if err != nil {
		return 0, v, err
	}
	data, err := e.nested(unix.NFTA_SET_ELEM_DATA)
	if err != nil {
		return 0, v, err
	}
	if b := data[unix.NFTA_DATA_VALUE]; len(b) == 4 {
		v.Number = binary.NativeEndian.Uint32(b)
	}
	if nested, err := data.nested(unix.NFTA_DATA_VERDICT); err == nil {
		v.Chain = nested.text(unix.NFTA_VERDICT_CHAIN)
	}
	if b := k[unix.NFTA_DATA_VALUE]; len(b) == 4 {
		return binary.NativeEndian.Uint32(b), v, nil
	}
	return 0, v, fmt.Errorf("a key of %d bytes", len(k[unix.NFTA_DATA_VALUE]))
}

func readCounters() (map[string]datagram.Counter, error) {
	objects, err := list(unix.NFT_MSG_GETOBJ, inTable())
	if err != nil {
		return nil, err
	}
	all := map[string]datagram.Counter{}
	for _, o := range objects {
		if o.text(unix.NFTA_OBJ_TABLE) != datagram.TableName || o.number(unix.NFTA_OBJ_TYPE) != unix.NFT_OBJECT_COUNTER {
			continue
		}
		c, err := o.nested(unix.NFTA_OBJ_DATA)
		if err != nil {
			return nil, err
		}
		all[o.text(unix.NFTA_OBJ_NAME)] = datagram.Counter{
			Packets: c.number(unix.NFTA_COUNTER_PACKETS), Bytes: c.number(unix.NFTA_COUNTER_BYTES)}
	}
	return all, nil
}
