package linux

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"

	"plimsoll/internal/failpoint"
	"plimsoll/internal/guard"
)

// changeGuards carries out changes of the tables of guards, all at once or, on an error, none.
func changeGuards(table string, changes []guard.Change) error {
	if len(changes) == 0 {
		return nil
	}
	conn, err := nftables.New(nftables.WithSockOptions(widenForGuards))
	if err != nil {
		return fmt.Errorf("change the tables of guards: %w", err)
	}
	b := &guardBatch{conn, table}
	for i, c := range changes {
		if err := b.change(uint32(i+1), c); err != nil {
			return fmt.Errorf("change the tables of guards: %w", err)
		}
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("change the tables of guards: %w", err)
	}
	failpoint.Here("linux.guards.changed")
	return nil
}

// guardBytes is room for one transaction on the tables of guards and for its answers: some two hundred thousand rules. The kernel takes of
// it what is needed.
const guardBytes = 128 << 20

func widenForGuards[C interface {
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}](c C) error {
	return errors.Join(c.SetReadBuffer(guardBytes), c.SetWriteBuffer(guardBytes))
}

type guardBatch struct {
	conn *nftables.Conn
	name string // of the tables
}

var guardFamilies = map[guard.Family]nftables.TableFamily{guard.Bridge: nftables.TableFamilyBridge, guard.Inet: nftables.TableFamilyINet}

// change appends a change; id is unique in the batch.
func (b *guardBatch) change(id uint32, c guard.Change) error {
	table := &nftables.Table{Name: b.name, Family: guardFamilies[c.Family]}
	chain := &nftables.Chain{Name: c.Name, Table: table}
	switch c.Op {
	case guard.AddTable:
		b.conn.AddTable(table)
	case guard.DeleteTable:
		b.conn.DelTable(table)
	case guard.AddSet:
		return b.conn.AddSet(guardSet(id, table, c), nil)
	case guard.DeleteSet:
		b.conn.DelSet(&nftables.Set{Table: table, Name: c.Name})
	case guard.AddChain:
		hookGuard(chain, c.Hook)
		b.conn.AddChain(chain)
	case guard.DeleteChain:
		b.conn.DelChain(chain)
	case guard.FlushChain:
		b.conn.FlushChain(chain)
	case guard.AddRule:
		b.conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: guardExpressions(c.Rule),
			UserData: userdata.AppendString(nil, userdata.TypeComment, c.Rule.Digest())})
	case guard.AddElements:
		return guardElements(b.conn.SetAddElements, guardSet(id, table, c), c)
	case guard.DeleteElements:
		return guardElements(b.conn.SetDeleteElements, guardSet(id, table, c), c)
	}
	return nil
}

func hookGuard(chain *nftables.Chain, hook guard.Hook) {
	if hook == (guard.Hook{}) {
		return
	}
	chain.Hooknum = nftables.ChainHookPrerouting // the numbers are the same in both families
	if hook.Name == hookNames[unix.NF_INET_FORWARD] {
		chain.Hooknum = nftables.ChainHookForward
	}
	policy := nftables.ChainPolicyAccept
	chain.Type, chain.Priority, chain.Policy = nftables.ChainTypeFilter, nftables.ChainPriorityRef(nftables.ChainPriority(hook.Priority)), &policy
}

var hookNames = map[int64]string{unix.NF_INET_PRE_ROUTING: "prerouting", unix.NF_INET_FORWARD: "forward"}

// setTypes are what the keys and values of a kind of sets consist of.
type setTypes struct {
	key  []nftables.SetDatatype
	data nftables.SetDatatype // the zero one is none
}

var guardTypes = map[guard.Kind]setTypes{
	guard.Links:       {key: []nftables.SetDatatype{nftables.TypeIFName}},
	guard.LinkMACs:    {key: []nftables.SetDatatype{nftables.TypeIFName, nftables.TypeEtherAddr}},
	guard.LinkFour:    {key: []nftables.SetDatatype{nftables.TypeIFName, nftables.TypeEtherAddr, nftables.TypeIPAddr}},
	guard.LinkSix:     {key: []nftables.SetDatatype{nftables.TypeIFName, nftables.TypeEtherAddr, nftables.TypeIP6Addr}},
	guard.AddressFour: {key: []nftables.SetDatatype{nftables.TypeIPAddr}},
	guard.AddressSix:  {key: []nftables.SetDatatype{nftables.TypeIP6Addr}},
	guard.LinkToMark:  {[]nftables.SetDatatype{nftables.TypeIFName}, nftables.TypeMark},
	guard.LinkToChain: {[]nftables.SetDatatype{nftables.TypeIFName}, nftables.TypeVerdict},
	guard.LinkToZone:  {[]nftables.SetDatatype{nftables.TypeIFName}, zoneType()},
	guard.MarkToChain: {[]nftables.SetDatatype{nftables.TypeMark}, nftables.TypeVerdict},
}

// zoneType is a number of 16 bits in the host's order.
func zoneType() nftables.SetDatatype {
	t := nftables.TypeInteger
	t.Bytes = 2
	return t
}

// guardSet has an id, since the library would else take one from a number that it does not lock.
func guardSet(id uint32, table *nftables.Table, c guard.Change) *nftables.Set {
	types := guardTypes[c.Kind]
	s := &nftables.Set{Table: table, ID: id, Name: c.Name, IsMap: c.Kind.IsMap(), DataType: types.data, KeyType: types.key[0],
		KeyByteOrder: binaryutil.NativeEndian}
	if len(types.key) > 1 {
		s.Concatenation = true
		s.KeyType = nftables.MustConcatSetType(types.key...)
	}
	return s
}

func guardElements(send func(*nftables.Set, []nftables.SetElement) error, set *nftables.Set, c guard.Change) error {
	var all []nftables.SetElement
	for k, v := range c.Elements {
		e := nftables.SetElement{Key: guardKey(c.Kind, k)}
		switch c.Kind {
		case guard.LinkToMark:
			e.Val = native(v.Number)
		case guard.LinkToZone:
			e.Val = binary.NativeEndian.AppendUint16(nil, uint16(v.Number))
		case guard.LinkToChain, guard.MarkToChain:
			e.VerdictData = &expr.Verdict{Kind: expr.VerdictGoto, Chain: v.Chain}
		}
		all = append(all, e)
	}
	for some := range slices.Chunk(all, elementsMost) {
		if err := send(set, some); err != nil {
			return err
		}
	}
	return nil
}

// guardKey are the bytes of a key: each of its parts begins at a multiple of 4 bytes.
func guardKey(kind guard.Kind, k guard.Key) []byte {
	switch kind {
	case guard.AddressFour, guard.AddressSix:
		return k.Addr.AsSlice()
	case guard.MarkToChain:
		return native(k.Mark)
	}
	key := interfaceName(k.Link)
	if kind == guard.LinkMACs || kind == guard.LinkFour || kind == guard.LinkSix {
		key = append(append(key, k.MAC[:]...), 0, 0)
	}
	if kind == guard.LinkFour || kind == guard.LinkSix {
		key = append(key, k.Addr.AsSlice()...)
	}
	return key
}

// interfaceName is a link's name as sets have it.
func interfaceName(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}

func guardExpressions(r guard.Rule) []expr.Any {
	var all []expr.Any
	for _, s := range r {
		all = append(all, guardExpression(s)...)
	}
	return all
}

func guardExpression(s guard.Statement) []expr.Any {
	switch s := s.(type) {
	case guard.On:
		return []expr.Any{interfaceOf(s.Out), &expr.Lookup{SourceRegister: first, SetName: s.Set, Invert: s.Not}}
	case guard.MarkBy:
		return []expr.Any{interfaceOf(s.Out), lookUp(s.Map), setMark()}
	case guard.Unmark:
		return []expr.Any{&expr.Immediate{Register: first, Data: native(0)}, setMark()}
	case guard.Marked:
		return []expr.Any{markOf(), equal(native(s.Mark))}
	case guard.Foreign:
		return []expr.Any{markOf(), masked(native(guard.MarkMask)), &expr.Cmp{Op: expr.CmpOpNeq, Register: first, Data: native(guard.MarkOurs)}}
	case guard.Zone:
		return []expr.Any{interfaceOf(false), lookUp(s.Map), &expr.Ct{Key: expr.CtKeyZONE, Register: first, SourceRegister: true}}
	case guard.Follow:
		load := markOf()
		if s.On {
			load = interfaceOf(false)
		}
		return []expr.Any{load, &expr.Lookup{SourceRegister: first, DestRegister: verdictRegister, IsDestRegSet: true, SetName: s.Map}}
	case guard.Known:
		return known(s)
	case guard.Count:
		return []expr.Any{&expr.Counter{}}
	case guard.Verdict:
		return []expr.Any{guardVerdict(s)}
	}
	return guardMatch(s)
}

// guardMatch are the statements that look into the packet.
func guardMatch(s guard.Statement) []expr.Any {
	switch s := s.(type) {
	case guard.EtherType:
		return []expr.Any{&expr.Payload{DestRegister: first, Base: expr.PayloadBaseLLHeader, Offset: 12, Len: 2},
			equal(binaryutil.BigEndian.PutUint16(s.Type))}
	case guard.From:
		return []expr.Any{&expr.Payload{DestRegister: first, Base: expr.PayloadBaseLLHeader, Offset: 6, Len: 8}, // both stand together
			equal(binary.BigEndian.AppendUint16(s.MAC[:], s.Type.Type))}
	case guard.Sender:
		return sender(s)
	case guard.Within:
		return append([]expr.Any{load(s.Field, first)}, inRange(s.Range)...)
	case guard.Unset:
		return []expr.Any{load(s.Field, first), equal(make([]byte, frameFields[s.Field].length))}
	case guard.Member:
		return []expr.Any{load(s.Field, first), &expr.Lookup{SourceRegister: first, SetName: s.Set}}
	case guard.Version:
		return version(s.Six)
	case guard.Protocol:
		return protocol(s.Number)
	case guard.PortRange:
		return append([]expr.Any{transport(2, 2)}, between(s.Min, s.Max)...)
	case guard.Datagram:
		return append(protocol(unix.IPPROTO_UDP), transport(0, 4),
			equal(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, s.From), s.To)))
	case guard.Control:
		if s.Code < 0 {
			return append(protocol(control(s.Six)), transport(0, 1), equal([]byte{s.Type}))
		}
		return append(protocol(control(s.Six)), transport(0, 2), equal([]byte{s.Type, byte(s.Code)}))
	}
	panic(fmt.Sprintf("no expression for %T", s)) // a test has every statement
}

func interfaceOf(out bool) expr.Any {
	key := expr.MetaKeyIIFNAME
	if out {
		key = expr.MetaKeyOIFNAME
	}
	return &expr.Meta{Key: key, Register: first}
}

func markOf() expr.Any { return &expr.Meta{Key: expr.MetaKeyMARK, Register: first} }

func masked(mask []byte) expr.Any {
	return &expr.Bitwise{SourceRegister: first, DestRegister: first, Len: uint32(len(mask)), Mask: mask, Xor: make([]byte, len(mask))}
}

// The states of a packet for the connection tracker (NF_CT_STATE_BIT and NF_CT_STATE_INVALID_BIT of
// linux/netfilter/nf_conntrack_common.h).
const (
	stateInvalid     = 1 << 0
	stateEstablished = 1 << 1
	stateRelated     = 1 << 2
)

func known(s guard.Known) []expr.Any {
	bits := uint32(stateEstablished | stateRelated)
	if s.Invalid {
		bits = stateInvalid
	}
	return []expr.Any{&expr.Ct{Key: expr.CtKeySTATE, Register: first}, masked(native(bits)),
		&expr.Cmp{Op: expr.CmpOpNeq, Register: first, Data: native(0)}}
}

func guardVerdict(v guard.Verdict) expr.Any {
	kinds := map[string]expr.VerdictKind{
		"accept": expr.VerdictAccept, "drop": expr.VerdictDrop, "goto": expr.VerdictGoto, "jump": expr.VerdictJump}
	return &expr.Verdict{Kind: kinds[v.Word], Chain: v.Chain}
}

// frameField is where a field stands.
type frameField struct {
	base           expr.PayloadBase
	offset, length uint32
}

var frameFields = map[guard.Field]frameField{
	guard.EtherSource:     {expr.PayloadBaseLLHeader, 6, 6},
	guard.ARPSenderMAC:    {expr.PayloadBaseNetworkHeader, 8, 6}, // RFC 826, over Ethernet and IPv4
	guard.ARPSender:       {expr.PayloadBaseNetworkHeader, 14, 4},
	guard.ARPTarget:       {expr.PayloadBaseNetworkHeader, 24, 4},
	guard.Source4:         {expr.PayloadBaseNetworkHeader, 12, 4},
	guard.Destination4:    {expr.PayloadBaseNetworkHeader, 16, 4},
	guard.Source6:         {expr.PayloadBaseNetworkHeader, 8, 16},
	guard.Destination6:    {expr.PayloadBaseNetworkHeader, 24, 16},
	guard.NeighbourTarget: {expr.PayloadBaseTransportHeader, 8, 16}, // RFC 4861
}

func load(f guard.Field, register uint32) expr.Any {
	at := frameFields[f]
	return &expr.Payload{DestRegister: register, Base: at.base, Offset: at.offset, Len: at.length}
}

// withinSecondHalf is the register of 4 bytes behind a MAC address in the second register.
const withinSecondHalf = unix.NFT_REG32_06

func sender(s guard.Sender) []expr.Any {
	all := []expr.Any{interfaceOf(false), load(s.MAC, second)}
	if s.Address != guard.EtherSource {
		all = append(all, load(s.Address, withinSecondHalf))
	}
	return append(all, &expr.Lookup{SourceRegister: first, SetName: s.Set})
}

func inRange(p netip.Prefix) []expr.Any {
	if p.IsSingleIP() {
		return []expr.Any{equal(p.Addr().AsSlice())}
	}
	return []expr.Any{masked(maskOf(p.Bits(), p.Addr().BitLen())), equal(p.Masked().Addr().AsSlice())}
}

func between(low, high uint16) []expr.Any {
	if low == high {
		return []expr.Any{equal(binaryutil.BigEndian.PutUint16(low))}
	}
	return []expr.Any{&expr.Cmp{Op: expr.CmpOpGte, Register: first, Data: binaryutil.BigEndian.PutUint16(low)},
		&expr.Cmp{Op: expr.CmpOpLte, Register: first, Data: binaryutil.BigEndian.PutUint16(high)}}
}
