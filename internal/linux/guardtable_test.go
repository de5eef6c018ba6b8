package linux

import (
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"plimsoll/internal/guard"
)

// guardTables makes a namespace's tables of guards what is wanted, and checks that they are there.
func guardTables(namespace string, w guard.Wanted) error {
	return Within(namespace, func() error {
		before, err := readGuards("t")
		if err != nil {
			return err
		}
		wanted := guard.Plan(w)
		changes := guard.Diff(before, wanted)
		if err := changeGuards("t", changes); err != nil {
			return err
		}
		after, err := readGuards("t")
		if err != nil {
			return err
		}
		if diff := cmp.Diff(before.After(changes), after, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			return fmt.Errorf("state (-told +read):\n%s", diff)
		}
		if left := guard.Diff(after, wanted); len(left) > 0 {
			return fmt.Errorf("%d changes are left, the first: %+v", len(left), left[0])
		}
		return nil
	})
}

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// own are pairs of a MAC address.
func own(mac guard.MAC, addresses ...string) (all []guard.Pair) {
	for _, a := range prefixes(addresses...) {
		all = append(all, guard.Pair{MAC: mac, Addresses: a})
	}
	return all
}

// everyGuard has every kind of statement and of sets in its tables.
func everyGuard() guard.Wanted {
	mac := guard.MAC{0xfa, 0x16, 0x3e, 1, 2, 3}
	rules := []guard.GroupRule{
		{Protocol: -1, Min: -1, Max: -1},
		{Six: true, Protocol: 6, Min: 22, Max: 22, Prefix: netip.MustParsePrefix("2001:db8::/33")},
		{Protocol: 17, Min: 1000, Max: 2000, Prefix: netip.MustParsePrefix("10.0.0.0/9")},
		{Protocol: 1, Min: 8, Max: 0}, {Protocol: 1, Min: 8, Max: -1}, {Protocol: 1, Min: -1, Max: -1}, {Six: true, Protocol: 58, Min: 128, Max: 0},
		{Protocol: 47, Min: -1, Max: -1, Prefix: netip.MustParsePrefix("10.0.0.1/32")},
		{Protocol: 6, Min: -1, Max: -1, Remote: "b"}, {Egress: true, Six: true, Protocol: -1, Remote: "b"},
		{Egress: true, Protocol: 132, Min: 80, Max: 81, Prefix: netip.MustParsePrefix("10.64.0.0/11")},
	}
	return guard.Wanted{
		Ports: []guard.Port{
			{ID: "1", Link: "plm1", Bridge: "brq1", Groups: []string{"a", "b"}, Pairs: own(mac, "10.0.0.5/32", "2001:db8::5/128", "10.64.0.0/11", "2001:db8:8000::/33")},
			{ID: "2", Link: "plm2", Bridge: "brq2", Pairs: own(mac, "10.0.0.6/32")},
		},
		Groups: []guard.Group{{ID: "a", Rules: rules}, {ID: "b", Members: prefixes("10.0.0.5/32", "2001:db8::5/128", "10.64.0.0/11", "2001:db8:8000::/33")}},
		Closed: []string{"plm3"}, Zones: map[string]uint16{"brq1": 7, "brq2": 0xff01},
	}
}

// TestGuardsSameAsNft has nft(8) make tables from a plan's text and the library make them from the same plan: the kernel then lists the
// same rules. One field has no name that this nft knows; rules with it are left out.
func TestGuardsSameAsNft(t *testing.T) {
	ours, theirs := datagramNamespace(t), datagramNamespace(t)
	tables := guard.Plan(everyGuard())
	var text string
	for i := range tables {
		for j, c := range tables[i].Chains {
			tables[i].Chains[j].Rules = without(c.Rules, "icmpv6 taddr")
		}
		text += tables[i].String("t")
	}
	if err := Within(ours, func() error { return changeGuards("t", guard.Diff(nil, tables)) }); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", theirs, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
	for _, table := range []string{"bridge t", "inet t"} {
		if diff := cmp.Diff(bytecodeOf(t, theirs, table), bytecodeOf(t, ours, table)); diff != "" {
			t.Errorf("rules of table %s (-nft +library):\n%s", table, diff)
		}
	}
}

func without(rules []guard.Rule, words string) []guard.Rule {
	var left []guard.Rule
	for _, r := range rules {
		if !strings.Contains(r.String(), words) {
			left = append(left, r)
		}
	}
	return left
}

// bytecodeOf are the rules and elements of a table as the kernel's machine runs them.
func bytecodeOf(t *testing.T, namespace, table string) string {
	t.Helper()
	args := append([]string{"netns", "exec", namespace, "nft", "--debug=netlink", "list", "table"}, strings.Fields(table)...)
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("nft list: %v\n%s", err, out)
	}
	var rules, elements []string
	for line := range strings.Lines(string(out)) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "[ "):
			rules = append(rules, line)
		case strings.HasPrefix(line, "element "): // in the order of a hash
			elements = append(elements, line)
		}
	}
	slices.Sort(elements)
	return strings.Join(append(elements, rules...), "\n")
}

// TestGuardsAnyToAny takes a kernel from any plan to any other: each is taken, and is there then.
func TestGuardsAnyToAny(t *testing.T) {
	namespace := datagramNamespace(t)
	if err := guardTables(namespace, everyGuard()); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		if err := guardTables(namespace, randomGuards(t)); err != nil {
			t.Fatal(err)
		}
	})
	if err := guardTables(namespace, guard.Wanted{}); err != nil {
		t.Fatal(err)
	}
}

func randomGuards(t *rapid.T) (w guard.Wanted) {
	addresses := []string{"10.0.0.5/32", "2001:db8::5/128", "10.0.0.0/8", "10.0.1.0/24", "0.0.0.0/0", "2001:db8::/32", "::/0"}
	groups := []string{"a", "b", "c"}
	w.Zones = map[string]uint16{"brq0": rapid.Uint16Range(1, 3).Draw(t, "zone"), "brq1": 9}
	for i := range rapid.IntRange(0, 3).Draw(t, "ports") {
		p := guard.Port{ID: fmt.Sprint(i), Link: fmt.Sprintf("plm%d", i), Bridge: fmt.Sprintf("brq%d", i%2)}
		p.Groups = rapid.SliceOfDistinct(rapid.SampledFrom(groups), rapid.ID).Draw(t, "groups")
		for _, a := range rapid.SliceOf(rapid.SampledFrom(addresses)).Draw(t, "pairs") {
			p.Pairs = append(p.Pairs, guard.Pair{MAC: guard.MAC{5: byte(rapid.IntRange(1, 2).Draw(t, "mac"))}, Addresses: netip.MustParsePrefix(a)})
		}
		w.Ports = append(w.Ports, p)
	}
	for _, id := range groups {
		g := guard.Group{ID: id, Members: prefixes(rapid.SliceOf(rapid.SampledFrom(addresses)).Draw(t, "members")...)}
		for range rapid.IntRange(0, 3).Draw(t, "rules") {
			r := guard.GroupRule{Egress: rapid.Bool().Draw(t, "egress"), Six: rapid.Bool().Draw(t, "six"), Min: -1, Max: -1,
				Protocol: rapid.SampledFrom([]int{-1, 6, 17, 47}).Draw(t, "protocol"),
				Remote:   rapid.SampledFrom(append(groups, "", "")).Draw(t, "remote")}
			if r.Protocol == 6 {
				r.Min, r.Max = 80, rapid.IntRange(80, 82).Draw(t, "port")
			}
			g.Rules = append(g.Rules, r)
		}
		w.Groups = append(w.Groups, g)
	}
	if rapid.Bool().Draw(t, "closed") {
		w.Closed = []string{"plm0", "plm9"}
	}
	return w
}

// FuzzGuardAnswers wants whatever a kernel answers to be read or refused.
func FuzzGuardAnswers(f *testing.F) {
	f.Add(int(guard.LinkFour), []byte{})
	f.Add(int(guard.MarkToChain), []byte{12, 0, 1, 128, 8, 0, 1, 0, 1, 2, 3, 4})
	f.Fuzz(func(_ *testing.T, kind int, b []byte) {
		_, _, _ = parseGuardElement(guard.Kind(kind), b)
		_, _ = parseZonedFlow(b)
		if a, err := parseAttributes(b); err == nil {
			_, _ = readHook(a)
			_ = readKind(a)
		}
	})
}

// TestForeignFilters wants what drops by default to be found, and ours and what accepts not.
func TestForeignFilters(t *testing.T) {
	namespace := datagramNamespace(t)
	if err := guardTables(namespace, everyGuard()); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{
		"add table ip filter", "add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }",
		"add chain ip filter INPUT { type filter hook input priority 0; policy drop; }",
		"add table inet mine", "add chain inet mine forward { type filter hook forward priority 0; policy accept; }",
	} {
		inside(t, namespace, "nft", command)
	}
	err := Within(namespace, func() error {
		found, err := ForeignFilters()
		if diff := cmp.Diff([]string{"filter FORWARD"}, found); diff != "" {
			t.Errorf("ForeignFilters (-want +got):\n%s", diff)
		}
		return errors.Join(err, TryGuards())
	})
	if err != nil {
		t.Fatal(err)
	}
}
