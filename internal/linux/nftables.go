package linux

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"

	"plimsoll/internal/datagram"
	"plimsoll/internal/failpoint"
)

const (
	// batchBytes is room for one transaction: some ten thousand elements.
	batchBytes = 16 << 20
	// elementsMost is how many elements one message holds, whose length is a number of 16 bits.
	elementsMost = 300
)

// ChangeDatagrams carries out changes of the table of datagrams in a namespace, all at once or, on an error, none. start is
// what counters begin with that are made.
func ChangeDatagrams(namespace string, changes []datagram.Change, start func(counter string) datagram.Counter) error {
	if len(changes) == 0 {
		return nil
	}
	err := Within(namespace, func() error {
		conn, err := nftables.New(nftables.WithSockOptions(widen))
		if err != nil {
			return err
		}
		b := &batch{conn: conn, table: &nftables.Table{Name: datagram.TableName, Family: nftables.TableFamilyINet}, start: start}
		for i, c := range changes {
			if err := b.change(uint32(i+1), c); err != nil {
				return err
			}
		}
		return conn.Flush()
	})
	if err != nil {
		return fmt.Errorf("change the table of datagrams: %w", err)
	}
	failpoint.Here("linux.datagrams.changed")
	return nil
}

// widen makes room in a socket for a transaction and for its answers.
func widen[C interface {
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}](c C) error {
	return errors.Join(c.SetReadBuffer(batchBytes), c.SetWriteBuffer(batchBytes))
}

type batch struct {
	conn  *nftables.Conn
	table *nftables.Table
	start func(counter string) datagram.Counter
}

// change appends a change; id is unique in the batch.
func (b *batch) change(id uint32, c datagram.Change) error {
	chain := &nftables.Chain{Name: c.Name, Table: b.table}
	switch c.Op {
	case datagram.AddTable:
		b.conn.AddTable(b.table)
	case datagram.DeleteTable:
		b.conn.DelTable(b.table)
	case datagram.AddCounter:
		b.conn.AddObj(b.counter(c.Name, b.start(c.Name)))
	case datagram.DeleteCounter:
		b.conn.DeleteObject(b.counter(c.Name, datagram.Counter{}))
	case datagram.AddMap:
		return b.conn.AddSet(b.set(id, c.Map), nil)
	case datagram.DeleteMap:
		b.conn.DelSet(&nftables.Set{Table: b.table, Name: c.Name})
	case datagram.AddChain:
		b.conn.AddChain(b.chain(c.Chain))
	case datagram.DeleteChain:
		b.conn.DelChain(chain)
	case datagram.FlushChain:
		b.conn.FlushChain(chain)
	case datagram.AddRule:
		b.conn.AddRule(&nftables.Rule{Table: b.table, Chain: chain, Exprs: expressions(c.Rule),
			UserData: userdata.AppendString(nil, userdata.TypeComment, c.Rule.Digest())})
	case datagram.AddElements, datagram.DeleteElements:
		return b.elements(id, c)
	}
	return nil
}

func (b *batch) counter(name string, c datagram.Counter) *nftables.NamedObj {
	return &nftables.NamedObj{Table: b.table, Name: name, Type: nftables.ObjTypeCounter,
		Obj: &expr.Counter{Bytes: uint64(c.Bytes), Packets: uint64(c.Packets)}}
}

// set has an id, since the library would else take one from a number that it does not lock.
func (b *batch) set(id uint32, m datagram.Map) *nftables.Set {
	s := &nftables.Set{Table: b.table, ID: id, Name: m.Name, IsMap: true, DataType: nftables.TypeMark, KeyByteOrder: binaryutil.NativeEndian}
	switch m.Kind {
	case datagram.Slots:
		s.KeyType = nftables.TypeInteger
	case datagram.Members:
		s.KeyType, s.DataType = nftables.TypeMark, nftables.TypeVerdict
	case datagram.Learned:
		s.KeyType, s.KeyByteOrder = nftables.TypeIPAddr, binaryutil.BigEndian
		if m.Six {
			s.KeyType = nftables.TypeIP6Addr
		}
		s.Dynamic, s.HasTimeout, s.Size = true, true, m.Size()
	}
	return s
}

func (b *batch) elements(id uint32, c datagram.Change) error {
	var all []nftables.SetElement
	for key, v := range c.Elements {
		e := nftables.SetElement{Key: native(key), Val: native(v.Number)}
		if v.Chain != "" {
			e.Val, e.VerdictData = nil, &expr.Verdict{Kind: expr.VerdictGoto, Chain: v.Chain}
		}
		all = append(all, e)
	}
	set, send := b.set(id, c.Map), b.conn.SetAddElements
	if c.Op == datagram.DeleteElements {
		send = b.conn.SetDeleteElements
	}
	for some := range slices.Chunk(all, elementsMost) {
		if err := send(set, some); err != nil {
			return err
		}
	}
	return nil
}

// native are the bytes of a number that the kernel keeps in its own order.
func native(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

func (b *batch) chain(c datagram.Chain) *nftables.Chain {
	chain := &nftables.Chain{Name: c.Name, Table: b.table}
	kind, hook, priority := nftables.ChainTypeFilter, (*nftables.ChainHook)(nil), nftables.ChainPriorityFilter
	policy := nftables.ChainPolicyAccept
	switch c.Hook {
	case datagram.Reached:
		return chain
	case datagram.Prerouting:
		kind, hook, priority = nftables.ChainTypeNAT, nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest
	case datagram.Postrouting:
		kind, hook, priority = nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource
	case datagram.Input:
		hook = nftables.ChainHookInput
	case datagram.Forward:
		hook, policy = nftables.ChainHookForward, nftables.ChainPolicyDrop
	case datagram.Output:
		hook = nftables.ChainHookOutput
	case datagram.Arriving:
		hook, priority = nftables.ChainHookPrerouting, nftables.ChainPriorityRaw
	case datagram.Leaving:
		hook, priority = nftables.ChainHookOutput, nftables.ChainPriorityRaw
	}
	chain.Type, chain.Hooknum, chain.Priority, chain.Policy = kind, hook, priority, &policy
	return chain
}

// expressions are a rule as the kernel's machine runs it.
func expressions(r datagram.Rule) []expr.Any {
	var all []expr.Any
	for _, s := range r {
		all = append(all, expression(s)...)
	}
	return all
}

// The registers of the kernel's machine (linux/netfilter/nf_tables.h): of 16 bytes, and those of 4 bytes that the second of them
// consists of.
const (
	verdictRegister = unix.NFT_REG_VERDICT
	first           = unix.NFT_REG_1
	second          = unix.NFT_REG_2
	withinSecond    = unix.NFT_REG32_04
)

func expression(s datagram.Statement) []expr.Any {
	switch s := s.(type) {
	case datagram.Source:
		return match(source(s.Prefix.Addr().Is6(), s.Prefix.Bits()), s.Prefix.Masked().Addr())
	case datagram.Destination:
		return match(address(destinationField, s.Addr.Is6(), first), s.Addr)
	case datagram.Recall:
		return append(source(s.Six, s.Bits), lookUp(s.Map), setMark())
	case datagram.Choose:
		return append(slot(s), lookUp(s.Map), setMark())
	case datagram.Follow:
		return []expr.Any{&expr.Meta{Key: expr.MetaKeyMARK, Register: first},
			&expr.Lookup{SourceRegister: first, DestRegister: verdictRegister, IsDestRegSet: true, SetName: s.Map}}
	case datagram.Learn:
		return append(source(s.Six, s.Bits), &expr.Immediate{Register: second, Data: native(s.Member)},
			&expr.Dynset{SrcRegKey: first, SrcRegData: second, SetName: s.Map, Operation: unix.NFT_DYNSET_OP_UPDATE,
				Timeout: time.Duration(s.Seconds) * time.Second})
	case datagram.Translate:
		return translate(s)
	case datagram.Verdict:
		return []expr.Any{verdict(s)}
	}
	return plain(s)
}

// plain are the statements that name no address and no map.
func plain(s datagram.Statement) []expr.Any {
	switch s := s.(type) {
	case datagram.Port:
		return append(protocol(protocolNumber(s.Protocol)), transport(2, 2), equal(binaryutil.BigEndian.PutUint16(s.Number)))
	case datagram.Flow:
		all := append(protocol(protocolNumber(s.Protocol)), translated()...)
		all = append(all, direction(s.Answers)...)
		return append(all, &expr.Ct{Key: expr.CtKeyPROTODST, Register: first}, equal(binaryutil.BigEndian.PutUint16(s.Number)))
	case datagram.Translated:
		return translated()
	case datagram.Asking:
		return direction(false)
	case datagram.Stream:
		return protocol(unix.IPPROTO_TCP)
	case datagram.Control:
		return protocol(control(s.Six))
	case datagram.Redirect:
		kind := byte(5) // RFC 792
		if s.Six {
			kind = 137 // RFC 4861
		}
		all := append(version(s.Six), protocol(control(s.Six))...)
		return append(all, transport(0, 1), equal([]byte{kind}))
	case datagram.Untracked:
		return []expr.Any{&expr.Notrack{}}
	case datagram.Over:
		return []expr.Any{&expr.Connlimit{Count: s.N, Flags: expr.NFT_CONNLIMIT_F_INV}}
	case datagram.Count:
		return []expr.Any{&expr.Objref{Type: unix.NFT_OBJECT_COUNTER, Name: s.Name}}
	case datagram.Masquerade:
		return []expr.Any{&expr.Masq{}}
	case datagram.Refuse:
		return []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_PORT_UNREACH}}
	}
	panic(fmt.Sprintf("no expression for %T", s)) // a test has every statement
}

func protocolNumber(protocol string) byte {
	if protocol == datagram.SCTP {
		return unix.IPPROTO_SCTP
	}
	return unix.IPPROTO_UDP
}

func control(six bool) byte {
	if six {
		return unix.IPPROTO_ICMPV6
	}
	return unix.IPPROTO_ICMP
}

func equal(data []byte) expr.Any {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: first, Data: data}
}

func protocol(n byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: first}, equal([]byte{n})}
}

func transport(offset, length uint32) expr.Any {
	return &expr.Payload{DestRegister: first, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: length}
}

// statusTranslated is IPS_DST_NAT (linux/netfilter/nf_conntrack_common.h).
const statusTranslated = 1 << 5

func translated() []expr.Any {
	return []expr.Any{&expr.Ct{Key: expr.CtKeySTATUS, Register: first},
		&expr.Bitwise{SourceRegister: first, DestRegister: first, Len: 4, Mask: native(statusTranslated), Xor: native(0)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: first, Data: native(0)}}
}

func direction(answers bool) []expr.Any {
	way := byte(0)
	if answers {
		way = 1
	}
	return []expr.Any{&expr.Ct{Key: expr.CtKeyDIRECTION, Register: first}, equal([]byte{way})}
}

// A field of both kinds of IP headers, by its offset and length.
type field struct{ offset, length uint32 }

// addressFields are where the addresses stand in the headers of IPv4 and IPv6.
type addressFields struct{ four, six field }

var (
	sourceField      = addressFields{field{12, 4}, field{8, 16}}
	destinationField = addressFields{field{16, 4}, field{24, 16}}
)

// address loads an address of packets of its family.
func address(of addressFields, six bool, register uint32) []expr.Any {
	f := of.four
	if six {
		f = of.six
	}
	return append(version(six), &expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: f.offset, Len: f.length})
}

// version matches packets of an IP version.
func version(six bool) []expr.Any {
	number := byte(unix.NFPROTO_IPV4)
	if six {
		number = unix.NFPROTO_IPV6
	}
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: first}, equal([]byte{number})}
}

// source loads so many bits of the source's address.
func source(six bool, bits int) []expr.Any {
	all := address(sourceField, six, first)
	width := 32
	if six {
		width = 128
	}
	if bits == width {
		return all
	}
	return append(all, &expr.Bitwise{SourceRegister: first, DestRegister: first, Len: uint32(width / 8),
		Mask: maskOf(bits, width), Xor: make([]byte, width/8)})
}

func maskOf(bits, width int) []byte {
	mask := make([]byte, width/8)
	for i := range bits {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return mask
}

func match(load []expr.Any, a netip.Addr) []expr.Any { return append(load, equal(a.AsSlice())) }

func lookUp(set string) expr.Any {
	return &expr.Lookup{SourceRegister: first, DestRegister: first, IsDestRegSet: true, SetName: set}
}

func setMark() expr.Any {
	return &expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: first}
}

// slot makes the number of a slot.
func slot(c datagram.Choose) []expr.Any {
	if c.How == datagram.InTurn {
		return []expr.Any{&expr.Numgen{Register: first, Modulus: c.Size, Type: unix.NFT_NG_INCREMENTAL}}
	}
	length := uint32(4)
	if c.Six {
		length = 16
	}
	all := address(sourceField, c.Six, second)
	if c.How == datagram.BySourcePort { // in the register behind the address; the kernel fills it up with zeros
		all = append(all, &expr.Payload{DestRegister: withinSecond + length/4, Base: expr.PayloadBaseTransportHeader, Len: 2})
		length += 4
	}
	return append(all, &expr.Hash{SourceRegister: second, DestRegister: first, Length: length, Modulus: c.Size, Seed: datagram.Seed,
		Type: expr.HashTypeJenkins})
}

func translate(s datagram.Translate) []expr.Any {
	number := uint32(unix.NFPROTO_IPV4)
	if s.To.Addr().Is6() {
		number = unix.NFPROTO_IPV6
	}
	return append(protocol(protocolNumber(s.Protocol)),
		&expr.Immediate{Register: first, Data: s.To.Addr().AsSlice()},
		&expr.Immediate{Register: second, Data: binaryutil.BigEndian.PutUint16(s.To.Port())},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: number, RegAddrMin: first, RegProtoMin: second})
}

func verdict(v datagram.Verdict) expr.Any {
	kinds := map[string]expr.VerdictKind{
		"accept": expr.VerdictAccept, "drop": expr.VerdictDrop, "goto": expr.VerdictGoto, "jump": expr.VerdictJump}
	return &expr.Verdict{Kind: kinds[v.Word], Chain: v.Chain}
}
