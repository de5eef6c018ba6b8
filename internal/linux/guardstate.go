package linux

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"plimsoll/internal/guard"
)

// readGuards reads the tables of guards.
func readGuards(table string) (guard.State, error) {
	state := guard.State{}
	for family, number := range guardFamilies {
		t, there, err := tableNamed{uint8(number), table}.read()
		if err != nil {
			return nil, fmt.Errorf("read the table of guards of family %s: %w", family, err)
		}
		if there {
			state[family] = t
		}
	}
	return state, nil
}

// tableNamed is a table of nftables in the process's network namespace.
type tableNamed struct {
	family uint8
	name   string
}

// list lists what all of a kind of the table's are.
func (t tableNamed) list(message int, attrs ...nl.NetlinkRequestData) ([]attributes, error) {
	inside := nl.NewRtAttr(unix.NFTA_RULE_TABLE, nl.ZeroTerminated(t.name)) // of this type in all messages
	all, err := listNft(t.family, message, append([]nl.NetlinkRequestData{inside}, attrs...)...)
	// Of some kinds those of all tables are listed.
	return slices.DeleteFunc(all, func(a attributes) bool { return a.text(unix.NFTA_RULE_TABLE) != t.name }), err
}

// listNft lists what all of a kind are in the tables of a family. What changes meanwhile is read again.
func listNft(family uint8, message int, attrs ...nl.NetlinkRequestData) ([]attributes, error) {
	answers, err := whole(func() ([][]byte, error) {
		request := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|message, unix.NLM_F_DUMP)
		request.AddData(&nl.Nfgenmsg{NfgenFamily: family, Version: nl.NFNETLINK_V0})
		for _, a := range attrs {
			request.AddData(a)
		}
		return request.Execute(unix.NETLINK_NETFILTER, 0)
	})
	if err != nil {
		return nil, err
	}
	all := make([]attributes, 0, len(answers))
	for _, answer := range answers {
		a, err := parseAttributes(answer[min(nl.SizeofNfgenmsg, len(answer)):])
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

func (t tableNamed) read() (s guard.TableState, there bool, err error) {
	tables, err := t.list(unix.NFT_MSG_GETTABLE)
	if err != nil || len(tables) == 0 {
		return s, false, err
	}
	s = guard.TableState{Dormant: tables[0].number(unix.NFTA_TABLE_FLAGS)&unix.NFT_TABLE_F_DORMANT != 0,
		Sets: map[string]guard.SetState{}, Chains: map[string]guard.ChainState{}}
	if err := t.readChains(s); err != nil {
		return s, true, err
	}
	return s, true, t.readSets(s)
}

func (t tableNamed) readChains(s guard.TableState) error {
	chains, err := t.list(unix.NFT_MSG_GETCHAIN)
	if err != nil {
		return err
	}
	for _, c := range chains {
		hook, err := readHook(c)
		if err != nil {
			return err
		}
		s.Chains[c.text(unix.NFTA_CHAIN_NAME)] = guard.ChainState{Hook: hook}
	}
	rules, err := t.list(unix.NFT_MSG_GETRULE)
	if err != nil {
		return err
	}
	for _, r := range rules {
		name := r.text(unix.NFTA_RULE_CHAIN)
		chain := s.Chains[name]
		chain.Rules = append(chain.Rules, comment(r[unix.NFTA_RULE_USERDATA]))
		s.Chains[name] = chain
	}
	return nil
}

// readHook reads where a chain meets packets. What no plan has gets a name that no plan has.
func readHook(chain attributes) (guard.Hook, error) {
	if len(chain[unix.NFTA_CHAIN_HOOK]) == 0 {
		return guard.Hook{}, nil
	}
	h, err := chain.nested(unix.NFTA_CHAIN_HOOK)
	if err != nil {
		return guard.Hook{}, err
	}
	hook := guard.Hook{Name: hookNames[h.number(unix.NFTA_HOOK_HOOKNUM)], Priority: int(int32(h.number(unix.NFTA_HOOK_PRIORITY)))}
	const accept = 1 // NF_ACCEPT
	if chain.text(unix.NFTA_CHAIN_TYPE) != "filter" || chain.number(unix.NFTA_CHAIN_POLICY) != accept || hook.Name == "" {
		hook.Name = "strange"
	}
	return hook, nil
}

func (t tableNamed) readSets(s guard.TableState) error {
	sets, err := t.list(unix.NFT_MSG_GETSET)
	if err != nil {
		return err
	}
	for _, set := range sets {
		name, is := set.text(unix.NFTA_SET_NAME), guard.SetState{Kind: readKind(set), Elements: map[guard.Key]guard.Value{}}
		if is.Kind != guard.Strange {
			if err := t.readElements(name, is); err != nil {
				return err
			}
		}
		s.Sets[name] = is
	}
	return nil
}

// readKind finds the kind of a set by the types of its keys and values.
func readKind(set attributes) guard.Kind {
	key, flags := uint32(set.number(unix.NFTA_SET_KEY_TYPE)), set.number(unix.NFTA_SET_FLAGS)
	if flags&(unix.NFT_SET_INTERVAL|unix.NFT_SET_TIMEOUT|unix.NFT_SET_EVAL|unix.NFT_SET_CONSTANT|unix.NFT_SET_OBJECT) != 0 {
		return guard.Strange
	}
	for kind, types := range guardTypes {
		if kind.IsMap() != (flags&unix.NFT_SET_MAP != 0) || key != keyNumber(types.key) {
			continue
		}
		if !kind.IsMap() || uint32(set.number(unix.NFTA_SET_DATA_TYPE)) == dataNumber(types.data) {
			return kind
		}
	}
	return guard.Strange
}

// keyNumber is how the kernel keeps what a key consists of: 6 bits for each part.
func keyNumber(parts []nftables.SetDatatype) uint32 {
	n := uint32(0)
	for _, p := range parts {
		n = n<<nftables.SetConcatTypeBits | p.GetNFTMagic()
	}
	return n
}

func dataNumber(t nftables.SetDatatype) uint32 {
	if t == nftables.TypeVerdict {
		return unix.NFT_DATA_VERDICT
	}
	return t.GetNFTMagic()
}

func (t tableNamed) readElements(set string, into guard.SetState) error {
	answers, err := t.list(unix.NFT_MSG_GETSETELEM, nl.NewRtAttr(unix.NFTA_SET_ELEM_LIST_SET, nl.ZeroTerminated(set)))
	if err != nil {
		return err
	}
	for _, answer := range answers {
		err := eachAttribute(answer[unix.NFTA_SET_ELEM_LIST_ELEMENTS], func(_ uint16, e []byte) error {
			key, value, err := parseGuardElement(into.Kind, e)
			into.Elements[key] = value
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func parseGuardElement(kind guard.Kind, b []byte) (key guard.Key, v guard.Value, err error) {
	e, err := parseAttributes(b)
	if err != nil {
		return key, v, err
	}
	k, err := e.nested(unix.NFTA_SET_ELEM_KEY)
	if err != nil {
		return key, v, err
	}
	if key, err = parseGuardKey(kind, k[unix.NFTA_DATA_VALUE]); err != nil {
		return key, v, err
	}
	data, err := e.nested(unix.NFTA_SET_ELEM_DATA)
	if err != nil {
		return key, v, err
	}
	switch b := data[unix.NFTA_DATA_VALUE]; len(b) {
	case 2:
		v.Number = uint32(binary.NativeEndian.Uint16(b))
	case 4:
		v.Number = binary.NativeEndian.Uint32(b)
	}
	verdict, err := data.nested(unix.NFTA_DATA_VERDICT)
	if kind := int32(verdict.number(unix.NFTA_VERDICT_CODE)); kind == unix.NFT_GOTO {
		v.Chain = verdict.text(unix.NFTA_VERDICT_CHAIN)
	}
	return key, v, err
}

func parseGuardKey(kind guard.Kind, b []byte) (k guard.Key, err error) {
	if len(b) != len(guardKey(kind, guard.Key{Addr: netip.IPv4Unspecified()})) && kind != guard.LinkSix && kind != guard.AddressSix {
		return k, fmt.Errorf("a key of %d bytes", len(b))
	}
	switch kind {
	case guard.AddressFour, guard.AddressSix:
		k.Addr, _ = netip.AddrFromSlice(b)
		return k, nil
	case guard.MarkToChain:
		k.Mark = binary.NativeEndian.Uint32(b)
		return k, nil
	}
	if len(b) < unix.IFNAMSIZ {
		return k, fmt.Errorf("a key of %d bytes", len(b))
	}
	k.Link = unix.ByteSliceToString(b[:unix.IFNAMSIZ])
	if b = b[unix.IFNAMSIZ:]; len(b) >= 8 {
		copy(k.MAC[:], b)
		k.Addr, _ = netip.AddrFromSlice(b[8:])
	}
	return k, nil
}
