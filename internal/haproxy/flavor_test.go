package haproxy

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestParseFlavor(t *testing.T) {
	for _, test := range []struct {
		name, data string
		want       Flavor
		err        string
	}{
		{"bad key", `{"compute_flavor": "m1"}`, Flavor{}, "flavor key compute_flavor"},
		{"bad topology", `{"loadbalancer_topology": "ACTIVE_STANDBY"}`, Flavor{}, "flavor loadbalancer_topology ACTIVE_STANDBY"},
		{"bad type of topology", `{"loadbalancer_topology": ["SINGLE"]}`, Flavor{}, "flavor loadbalancer_topology [SINGLE]"},
		{"bad: none", `{"maxconn": 0}`, Flavor{}, "flavor maxconn 0 (an integer from 1 to 1000000)"},
		{"bad: negative", `{"maxconn": -1}`, Flavor{}, "flavor maxconn -1 (an integer from 1 to 1000000)"},
		{"bad: too many", `{"maxconn": 1000001}`, Flavor{}, "flavor maxconn 1.000001e+06 (an integer from 1 to 1000000)"},
		{"bad: a fraction", `{"maxconn": 1.5}`, Flavor{}, "flavor maxconn 1.5 (an integer from 1 to 1000000)"},
		{"bad: a text", `{"maxconn": "5"}`, Flavor{}, "flavor maxconn 5 (an integer from 1 to 1000000)"},
		{"bad: null", `{"maxconn": null}`, Flavor{}, "flavor maxconn <nil> (an integer from 1 to 1000000)"},
		{"bad: one of two", `{"maxconn": 5, "zone": 1}`, Flavor{}, "flavor key zone"},
		{"empty", `{}`, Flavor{}, ""},
		{"null", `null`, Flavor{}, ""},
		{"topology", `{"loadbalancer_topology": "SINGLE"}`, Flavor{}, ""},
		{"least", `{"maxconn": 1}`, Flavor{Maxconn: 1}, ""},
		{"most", `{"maxconn": 1000000, "loadbalancer_topology": "SINGLE"}`, Flavor{Maxconn: 1000000}, ""},
	} {
		var data map[string]any
		if err := json.Unmarshal([]byte(test.data), &data); err != nil {
			t.Fatal(err)
		}
		got, err := ParseFlavor(data)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != test.want || text != test.err {
			t.Errorf("%s: ParseFlavor gives %+v, %q", test.name, got, text)
		}
	}
	if _, err := ParseFlavor(map[string]any{"maxconn": math.NaN()}); err == nil {
		t.Error("ParseFlavor takes no number")
	}
}

// TestMaxconn shows what a process may have: what the flavor says, else the default, and never more than its descriptors allow.
func TestMaxconn(t *testing.T) {
	for _, test := range []struct{ descriptors, flavor, want int }{
		{0, 0, 0},
		{0, 77, 77},
		{20000, 0, 9650},
		{20000, 1, 1},
		{20000, 5000, 5000},
		{20000, 20000, 9650},
		{1 << 20, 0, 50000},
		{1 << 20, 60000, 60000},
		{300, 0, 64},
		{300, 1000, 64},
		{300, 3, 3},
	} {
		lb := simpleTree()
		if test.flavor > 0 {
			lb.Flavor = map[string]any{FlavorMaxconn: float64(test.flavor)}
		}
		limit := 1000000
		lb.Listeners[0].ConnectionLimit = &limit
		spec := Render(lb, nil, nil, Options{FDLimit: test.descriptors})
		for _, s := range spec.Sections {
			if n := maxconnOf(s.Lines); s.Name == "global" && n != test.want {
				t.Errorf("%d descriptors and a flavor of %d: %d connections, want %d", test.descriptors, test.flavor, n, test.want)
			}
			if s.Name == "frontend "+lb.Listeners[0].ID && test.flavor > 0 && maxconnOf(s.Lines) > max(test.flavor, test.want) {
				t.Errorf("%d descriptors and a flavor of %d: a listener has %d connections", test.descriptors, test.flavor, maxconnOf(s.Lines))
			}
		}
	}
}

func maxconnOf(lines []string) (n int) {
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, "maxconn "); ok {
			_ = json.Unmarshal([]byte(rest), &n)
		}
	}
	return n
}

// TestFlavorBounds is that of a resize: the process is replaced, once.
func TestFlavorBounds(t *testing.T) {
	lb := simpleTree()
	resized := clone(lb)
	resized.Flavor = map[string]any{FlavorMaxconn: float64(100)}
	from, to := Render(lb, nil, nil, Options{FDLimit: 20000}), Render(resized, nil, nil, Options{FDLimit: 20000})
	if plan := Diff(from, to); !plan.Reload || plan.Reason != "global is changed" {
		t.Errorf("Diff = %+v", plan)
	}
	if !slices.Contains(to.Sections[0].Lines, "maxconn 100") {
		t.Errorf("global is %q", to.Sections[0].Lines)
	}
}
