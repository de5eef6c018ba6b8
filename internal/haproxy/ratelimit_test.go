package haproxy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// TestHostileURLs shows that a map has a key and a value on each line, whatever the URLs: what cannot be a key is lacking.
func TestHostileURLs(t *testing.T) {
	for _, s := range seeds {
		lb := simpleTree()
		l := lb.Listeners[0]
		addLimit(l, 1, lbaas.RateLimitDeny, rate(lbaas.RateRequestsPerURL, 1, 10, "/"+s))
		spec := Render(lb, nil, nil, testDir)
		if lacks := RateLimitLacks(l); (len(lacks) == 0) != (len(spec.Files) == 1) {
			t.Errorf("%q: %d files, lacks %v", s, len(spec.Files), lacks)
		}
		for _, f := range spec.Files {
			for line := range strings.Lines(string(f.Content)) {
				if got := len(strings.Fields(line)); got != 2 {
					t.Errorf("%q: line %q has %d words", s, line, got)
				}
			}
		}
	}
}

// TestLimitsAtRunTime shows that thresholds and URLs are changed without a reload.
func TestLimitsAtRunTime(t *testing.T) {
	from, to := rateLimitTree(), rateLimitTree()
	rules := to.Listeners[0].RateLimitPolicies[1].Rules
	rules[0].Threshold, rules[0].URLs = 6, []string{"/other"}
	to.Listeners[1].RateLimitPolicies[0].Rules[0].Threshold = 11
	plan := Diff(Render(from, nil, nil, testDir), Render(to, nil, nil, testDir))
	if plan.Reload || plan.Empty() {
		t.Errorf("the plan is %v", plan)
	}
}

// TestTooManyTables limits by as many tables as there are, and leaves out policies that would need another.
func TestTooManyTables(t *testing.T) {
	lb := simpleTree()
	l := lb.Listeners[0]
	for i := range 5 {
		addLimit(l, 1+i, lbaas.RateLimitDeny, rate(lbaas.RateRequests, 1, 10+i))
	}
	var fit []string
	for _, p := range limitPolicies(l) {
		fit = append(fit, p.ID)
	}
	if diff := cmp.Diff([]string{uid(9, 1), uid(9, 2), uid(9, 3)}, fit); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	if got := len(RateLimitLacks(l)); got != 2 {
		t.Errorf("%d policies are lacking", got)
	}
	if output, err := takes(t, Render(lb, nil, nil, testDir)); err != nil {
		t.Errorf("HAProxy refuses: %v\n%s", err, output)
	}
}

// TestSpelledTwice shows that a path which two rules name is in the map once.
func TestSpelledTwice(t *testing.T) {
	lb := simpleTree()
	addLimit(lb.Listeners[0], 1, lbaas.RateLimitDeny, rate(lbaas.RateRequestsPerURL, 1, 10, "/a", "/a"), rate(lbaas.RateRequestsPerURL, 2, 10, "/a"))
	want := &enginepb.File{Name: "limits-" + uid(1, 1) + ".map", Content: []byte(uid(10, 10) + "/a 1\n" + uid(10, 11) + "/a 2\n10/a 1\n")}
	got := Render(lb, nil, nil, testDir).Files[0]
	if diff := cmp.Diff([]string{want.Name, string(want.Content)}, []string{got.Name, string(got.Content)}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
