package linux

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"plimsoll/internal/datagram"
)

// The maps of a router's table.
const (
	byAddress = "floating" // address outside → fixed one
	byFixed   = "fixed"    // fixed address → the one outside
)

// fromOutside marks the first packet of a flow that came in by the gateway.
const fromOutside = 1

// A routerChain is a chain of a router's table: what nft(8) would be told of it, and what the kernel is.
type routerChain struct {
	name, head string
	kind       nftables.ChainType
	hook       *nftables.ChainHook
	priority   *nftables.ChainPriority
	rules      []routerRule
}

type routerRule struct {
	text  string
	exprs []expr.Any
}

// chains are those of the router's table. A new flow walks so: in `arriving` the floating address that it is for becomes the fixed one;
// `through` lets nothing out by a gateway that this table does not know, whose addresses it could not give; in `leaving` what stays
// inside is left alone, what comes from a fixed address gets its floating one, what else leaves by the gateway gets the gateway's, and
// so does who asks from inside for a floating address, so that the answers come back here.
func (r Router) chains() []routerChain {
	var all []routerChain
	if r.External != "" {
		all = append(all,
			routerChain{"arriving", "type nat hook prerouting priority dstnat; policy accept;",
				nftables.ChainTypeNAT, nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest, []routerRule{r.markArrival(), toFixed()}},
			routerChain{"own", "type nat hook output priority -100; policy accept;",
				nftables.ChainTypeNAT, nftables.ChainHookOutput, nftables.ChainPriorityNATDest, []routerRule{toFixed()}},
			routerChain{"leaving", "type nat hook postrouting priority srcnat; policy accept;",
				nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource, r.leaving()})
	}
	all = append(all, routerChain{"through", "type filter hook forward priority filter; policy accept;",
		nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter, []routerRule{r.knownGateway()}})
	if r.Advertises {
		all = append(all, routerChain{"asked", "type filter hook input priority filter; policy accept;",
			nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter, []routerRule{noDHCP()}})
	}
	return all
}

func (r Router) markArrival() routerRule {
	return routerRule{fmt.Sprintf("iifname %q meta mark set %d", r.External, fromOutside),
		append(linkIs(expr.MetaKeyIIFNAME, expr.CmpOpEq, r.External), &expr.Immediate{Register: first, Data: native(fromOutside)}, setMark())}
}

func toFixed() routerRule {
	return routerRule{"meta nfproto ipv4 dnat ip to ip daddr map @" + byAddress,
		append(address(destinationField, false, first), lookUp(byAddress), nat(expr.NATTypeDestNAT))}
}

func (r Router) leaving() []routerRule {
	all := []routerRule{
		{"meta nfproto ipv6 accept", append(version(true), &expr.Verdict{Kind: expr.VerdictAccept})},
		{fmt.Sprintf("oifname != %q ct status and dnat == 0 accept", r.External), slices.Concat(
			linkIs(expr.MetaKeyOIFNAME, expr.CmpOpNeq, r.External), destinationTranslated(expr.CmpOpEq), []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}})},
		{"meta nfproto ipv4 snat ip to ip saddr map @" + byFixed,
			append(address(sourceField, false, first), lookUp(byFixed), nat(expr.NATTypeSourceNAT))},
	}
	if r.SNAT.IsValid() {
		all = append(all, routerRule{fmt.Sprintf("oifname %q snat ip to %s", r.External, r.SNAT),
			append(linkIs(expr.MetaKeyOIFNAME, expr.CmpOpEq, r.External), r.toGateway()...)})
	}
	return append(all, r.hairpin())
}

// hairpin gives who asks from inside for a floating address one of the router's: the gateway's, or where that translates nothing, that of
// the link on which the flow leaves.
func (r Router) hairpin() routerRule {
	text := fmt.Sprintf("meta mark != %d ct status and dnat != 0 ", fromOutside)
	exprs := append([]expr.Any{&expr.Meta{Key: expr.MetaKeyMARK, Register: first},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: first, Data: native(fromOutside)}}, destinationTranslated(expr.CmpOpNeq)...)
	if !r.SNAT.IsValid() {
		return routerRule{text + "masquerade", append(exprs, &expr.Masq{})}
	}
	return routerRule{text + "snat ip to " + r.SNAT.String(), append(exprs, r.toGateway()...)}
}

func (r Router) toGateway() []expr.Any {
	return []expr.Any{&expr.Immediate{Register: first, Data: r.SNAT.AsSlice()}, nat(expr.NATTypeSourceNAT)}
}

// knownGateway holds back what would leave by a gateway that is plugged before the plan, or after it.
func (r Router) knownGateway() routerRule {
	const begin = "qg-"
	out := routerRule{`oifname "qg-*"`, []expr.Any{&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: first}, equal([]byte(begin))}}
	if r.External != "" {
		out.text += fmt.Sprintf(" oifname != %q", r.External)
		out.exprs = append(out.exprs, linkIs(expr.MetaKeyOIFNAME, expr.CmpOpNeq, r.External)...)
	}
	return routerRule{out.text + " drop", append(out.exprs, &expr.Verdict{Kind: expr.VerdictDrop})}
}

// noDHCP keeps requests of DHCPv6 from the process that advertises: the network's own DHCP server answers them.
func noDHCP() routerRule {
	return routerRule{"udp dport 547 drop",
		append(protocol(unix.IPPROTO_UDP), transport(2, 2), equal(binaryutil.BigEndian.PutUint16(547)), &expr.Verdict{Kind: expr.VerdictDrop})}
}

func linkIs(key expr.MetaKey, op expr.CmpOp, name string) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: first}, &expr.Cmp{Op: op, Register: first, Data: interfaceName(name)}}
}

// destinationTranslated asks whether the flow's destination was translated (Neq) or not (Eq).
func destinationTranslated(op expr.CmpOp) []expr.Any {
	all := translated()
	all[len(all)-1] = &expr.Cmp{Op: op, Register: first, Data: native(0)}
	return all
}

func nat(kind expr.NATType) expr.Any {
	return &expr.NAT{Type: kind, Family: unix.NFPROTO_IPV4, RegAddrMin: first}
}

// maps are those of the table: the pairs of floating and fixed addresses, both ways. Of two floating addresses of one fixed address the
// lower one is what it is known by outside.
func (r Router) maps() map[string]map[netip.Addr]netip.Addr {
	out := map[netip.Addr]netip.Addr{}
	for address, fixed := range r.Floating {
		if other, taken := out[fixed]; !taken || address.Less(other) {
			out[fixed] = address
		}
	}
	return map[string]map[netip.Addr]netip.Addr{byAddress: r.Floating, byFixed: out}
}

// table is the router's table as nft(8) reads it.
func (r Router) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s {\n", datagram.TableName)
	for _, name := range []string{byAddress, byFixed} {
		if r.External == "" {
			break
		}
		fmt.Fprintf(&b, "\tmap %s {\n\t\ttype ipv4_addr : ipv4_addr\n", name)
		if pairs := pairsText(r.maps()[name]); pairs != "" {
			fmt.Fprintf(&b, "\t\telements = { %s }\n", pairs)
		}
		b.WriteString("\t}\n")
	}
	for _, c := range r.chains() {
		fmt.Fprintf(&b, "\tchain %s {\n\t\t%s\n", c.name, c.head)
		for _, rule := range c.rules {
			fmt.Fprintf(&b, "\t\t%s\n", rule.text)
		}
		b.WriteString("\t}\n")
	}
	b.WriteString("}\n")
	return b.String()
}

func pairsText(pairs map[netip.Addr]netip.Addr) string {
	var all []string
	for _, from := range sortedAddresses(pairs) {
		all = append(all, fmt.Sprintf("%s : %s", from, pairs[from]))
	}
	return strings.Join(all, ", ")
}

func sortedAddresses(pairs map[netip.Addr]netip.Addr) []netip.Addr {
	var all []netip.Addr
	for a := range pairs {
		all = append(all, a)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

// replaceTable gives the thread's namespace the router's table, in one transaction: no packet meets half of it, and flows that were
// translated before stay so.
func (r Router) replaceTable() error {
	conn, err := nftables.New(nftables.WithSockOptions(widen))
	if err != nil {
		return err
	}
	table := clearTable(conn)
	conn.AddTable(table)
	if err := r.addMaps(conn, table); err != nil {
		return err
	}
	accept := nftables.ChainPolicyAccept
	for _, c := range r.chains() {
		chain := conn.AddChain(&nftables.Chain{Name: c.name, Table: table, Type: c.kind, Hooknum: c.hook, Priority: c.priority, Policy: &accept})
		for _, rule := range c.rules {
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: rule.exprs})
		}
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("replace the table: %w", err)
	}
	return nil
}

// clearTable removes the table in a transaction, whether it is there or not.
func clearTable(conn *nftables.Conn) *nftables.Table {
	table := &nftables.Table{Name: datagram.TableName, Family: nftables.TableFamilyINet}
	conn.AddTable(table)
	conn.DelTable(table)
	return table
}

func removeRouterTable() error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	clearTable(conn)
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("remove the table: %w", err)
	}
	return nil
}

func (r Router) addMaps(conn *nftables.Conn, table *nftables.Table) error {
	if r.External == "" {
		return nil
	}
	for i, name := range []string{byAddress, byFixed} {
		set := &nftables.Set{Table: table, ID: uint32(i + 1), Name: name, IsMap: true, KeyType: nftables.TypeIPAddr, DataType: nftables.TypeIPAddr}
		if err := conn.AddSet(set, nil); err != nil {
			return err
		}
		pairs := r.maps()[name]
		for some := range slices.Chunk(sortedAddresses(pairs), elementsMost) {
			var elements []nftables.SetElement
			for _, from := range some {
				elements = append(elements, nftables.SetElement{Key: from.AsSlice(), Val: pairs[from].AsSlice()})
			}
			if err := conn.SetAddElements(set, elements); err != nil {
				return err
			}
		}
	}
	return nil
}
