package topology

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files")

// drawings are the ways of drawing, by the golden files' suffixes.
var drawings = map[string]func(io.Writer, Cloud, Options) error{"txt": Tree, "dot": DOT, "svg": SVG}

// sample reads a cloud as the APIs answer it.
func sample(t testing.TB) Cloud {
	t.Helper()
	text, err := os.ReadFile("testdata/cloud.json")
	if err != nil {
		t.Fatal(err)
	}
	var answers struct {
		Networks      []Network           `json:"networks"`
		Subnets       []Subnet            `json:"subnets"`
		Ports         []Port              `json:"ports"`
		Routers       []Router            `json:"routers"`
		FloatingIPs   []FloatingIP        `json:"floatingips"`
		LoadBalancers []LoadBalancer      `json:"loadbalancers"`
		Listeners     []Listener          `json:"listeners"`
		Pools         []Pool              `json:"pools"`
		Members       map[string][]Member `json:"members"`
		Hosts         map[string]string   `json:"hosts"`
	}
	if err := json.Unmarshal(text, &answers); err != nil {
		t.Fatal(err)
	}
	c := Cloud{answers.Networks, answers.Subnets, answers.Ports, answers.Routers, answers.FloatingIPs, answers.LoadBalancers, answers.Listeners, answers.Pools}
	for i := range c.Pools {
		c.Pools[i].Members = answers.Members[c.Pools[i].ID]
	}
	for i := range c.LoadBalancers {
		c.LoadBalancers[i].Host = answers.Hosts[c.LoadBalancers[i].ID]
	}
	return c
}

func drawn(t testing.TB, draw func(io.Writer, Cloud, Options) error, c Cloud, o Options) string {
	t.Helper()
	var b strings.Builder
	if err := draw(&b, c, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDrawings(t *testing.T) {
	all := sample(t)
	for name, test := range map[string]struct {
		cloud   Cloud
		options Options
	}{
		"nothing": {},
		"all":     {all, Options{}},
		"few":     {all, Options{Ports: 2}},
		"project": {all, Options{Projects: []string{"blue"}}},
		"network": {all, Options{Networks: []string{"web"}}},
	} {
		for suffix, draw := range drawings {
			t.Run(name+"."+suffix, func(t *testing.T) {
				got := drawn(t, draw, test.cloud, test.options)
				file := filepath.Join("testdata", name+"."+suffix+".golden")
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", file, diff)
				}
			})
		}
	}
}

// TestOrderOfAnswers draws the same from answers in any order.
func TestOrderOfAnswers(t *testing.T) {
	c := sample(t)
	for suffix, draw := range drawings {
		want := drawn(t, draw, c, Options{})
		for range 20 {
			shuffle(c.Networks)
			shuffle(c.Subnets)
			shuffle(c.Ports)
			shuffle(c.Routers)
			shuffle(c.FloatingIPs)
			shuffle(c.LoadBalancers)
			shuffle(c.Listeners)
			shuffle(c.Pools)
			if diff := cmp.Diff(want, drawn(t, draw, c, Options{})); diff != "" {
				t.Fatalf("%s in another order (-want +got):\n%s", suffix, diff)
			}
		}
	}
}

func shuffle[T any](list []T) {
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// TestAnyCloud draws clouds of any texts and of references that lead anywhere.
func TestAnyCloud(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyCloud(t)
		o := Options{Ports: rapid.IntRange(0, 3).Draw(t, "ports")}
		if rapid.Bool().Draw(t, "narrow") {
			o.Projects = []string{rapid.SampledFrom(names).Draw(t, "project")}
		}
		for _, line := range strings.Split(strings.TrimSuffix(string(must(Tree, c, o)), "\n"), "\n") {
			for _, r := range line {
				if !unicode.IsPrint(r) {
					t.Fatalf("the tree has %q in %q", r, line)
				}
			}
		}
		checkDOT(t, string(must(DOT, c, o)))
		checkSVG(t, must(SVG, c, o))
		checkPlaces(t, newGraph(c, o))
	})
}

func must(draw func(io.Writer, Cloud, Options) error, c Cloud, o Options) []byte {
	var b strings.Builder
	if err := draw(&b, c, o); err != nil {
		panic(err)
	}
	return []byte(b.String())
}

// names are ids and names at the same time, so that references often lead somewhere.
var names = []string{"", "a", "b", "c", "d", `"`, `\`, `\"];`, "</text>", "&amp;", "x\ny", "\x1b[31m", "\u202e", "\x00", "\xff", "日本語", strings.Repeat("long", 40)}

func anyCloud(t *rapid.T) Cloud {
	name := rapid.SampledFrom(names)
	text := func(what string) string { return name.Draw(t, what) }
	count := func(what string) int { return rapid.IntRange(0, 4).Draw(t, what) }
	var c Cloud
	for range count("networks") {
		c.Networks = append(c.Networks, Network{ID: text("id"), Name: text("name"), ProjectID: text("project"), Type: text("type"), Physical: text("physical"), External: rapid.Bool().Draw(t, "external")})
	}
	for range count("subnets") {
		c.Subnets = append(c.Subnets, Subnet{ID: text("id"), Name: text("name"), NetworkID: text("network"), CIDR: text("cidr"), Gateway: text("gateway")})
	}
	owners := rapid.SampledFrom([]string{"", ownerDHCP, ownerInterface, ownerGateway, ownerFloatingIP, "Octavia", "compute:\n"})
	for range count("ports") {
		p := Port{ID: text("id"), Name: text("name"), ProjectID: text("project"), NetworkID: text("network"), DeviceID: text("device"), DeviceOwner: owners.Draw(t, "owner"), Host: text("host")}
		p.FixedIPs = []FixedIP{{text("subnet"), text("address")}}
		p.Binding.NetNS = text("netns")
		c.Ports = append(c.Ports, p)
	}
	for range count("routers") {
		c.Routers = append(c.Routers, Router{ID: text("id"), Name: text("name"), ProjectID: text("project"), Gateway: &Gateway{NetworkID: text("network"), FixedIPs: []FixedIP{{text("s"), text("a")}}}, Routes: []Route{{text("d"), text("n")}}})
	}
	for range count("floating") {
		c.FloatingIPs = append(c.FloatingIPs, FloatingIP{ID: text("id"), Address: text("address"), RouterID: text("router"), PortID: text("port"), Fixed: text("fixed")})
	}
	for range count("balancers") {
		c.LoadBalancers = append(c.LoadBalancers, LoadBalancer{ID: text("id"), Name: text("name"), ProjectID: text("project"), Address: text("address"), PortID: text("port"), NetworkID: text("network"), Host: text("host")})
	}
	for range count("listeners") {
		c.Listeners = append(c.Listeners, Listener{ID: text("id"), Name: text("name"), PoolID: text("pool"), LoadBalancers: []Ref{{text("lb")}}})
	}
	for range count("pools") {
		c.Pools = append(c.Pools, Pool{ID: text("id"), Name: text("name"), LoadBalancers: []Ref{{text("lb")}, {text("lb")}}, Members: []Member{{Name: text("member"), Address: text("address"), SubnetID: text("subnet")}}})
	}
	return c
}

// checkDOT looks whether each line ends as one of Graphviz's language, outside of quotation marks.
func checkDOT(t *rapid.T, text string) {
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		quoted := false
		for i := 0; i < len(line); i++ {
			switch {
			case quoted && line[i] == '\\':
				i++
			case line[i] == '"':
				quoted = !quoted
			}
		}
		if quoted || !strings.HasSuffix(line, ";") && !strings.HasSuffix(line, "{") && line != "}" {
			t.Fatalf("a line of DOT is %q", line)
		}
	}
}

func checkSVG(t *rapid.T, text []byte) {
	d := xml.NewDecoder(strings.NewReader(string(text)))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("the picture is no XML: %v\n%s", err, text)
		}
	}
}

// checkPlaces looks whether boxes are in the picture, and none is over another.
func checkPlaces(t *rapid.T, g *graph) {
	places, width, height := g.laidOut()
	for i, p := range places {
		if p.x < 0 || p.y < 0 || p.x+p.width > width || p.y+p.height > height {
			t.Fatalf("box %d at %+v is outside of %dx%d", i, p, width, height)
		}
		for j, q := range places[:i] {
			if p.x < q.x+q.width && q.x < p.x+p.width && p.y < q.y+q.height && q.y < p.y+p.height {
				t.Fatalf("box %d at %+v is over box %d at %+v", i, p, j, q)
			}
		}
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		text string
		most int
		want string
	}{
		{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"日本語", 6, "日本語"}, {"日本語x", 6, "日本…"}, {"é́é́é́", 3, "é́é́é́"},
	} {
		if got := cut(test.text, test.most); got != test.want || width(got) > test.most {
			t.Errorf("cut(%q, %d) = %q, want %q", test.text, test.most, got, test.want)
		}
	}
}

// BenchmarkTree draws 500 networks with a router and ten ports each.
func BenchmarkTree(b *testing.B) {
	var c Cloud
	for i := range 500 {
		n, r := fmt.Sprint("n", i), fmt.Sprint("r", i)
		c.Networks = append(c.Networks, Network{ID: n, Name: n})
		c.Subnets = append(c.Subnets, Subnet{ID: "s" + n, NetworkID: n, CIDR: "10.0.0.0/24"})
		c.Routers = append(c.Routers, Router{ID: r, Name: r})
		for j := range 10 {
			p := Port{ID: fmt.Sprint(n, "-", j), NetworkID: n, FixedIPs: []FixedIP{{"s" + n, fmt.Sprint("10.0.0.", j)}}}
			if j == 0 {
				p.DeviceID, p.DeviceOwner = r, ownerInterface
			}
			c.Ports = append(c.Ports, p)
		}
	}
	for b.Loop() {
		_ = must(Tree, c, Options{})
		_ = must(SVG, c, Options{})
	}
}
