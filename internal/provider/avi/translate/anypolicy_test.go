package translate

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"plimsoll/lbaas"
)

// drawAnyPolicy is any policy that the API takes and that Avi has words for.
func drawAnyPolicy(t *rapid.T) *lbaas.L7Policy {
	p := lbaas.NewL7Policy()
	p.ID, p.Name = rapid.StringMatching("[0-9a-f]{8}").Draw(t, "id"), rapid.SampledFrom(someNames).Draw(t, "name")
	p.Position = rapid.IntRange(1, 9).Draw(t, "position")
	p.Action = rapid.SampledFrom([]lbaas.L7Action{lbaas.Reject, lbaas.RedirectToURL, lbaas.RedirectPrefix}).Draw(t, "action")
	url := rapid.SampledFrom([]string{
		"http://a", "https://a/", "https://a:8443/b?c", "http://[::1]:80/%20?a=b#c", "HTTPS://a.example.com//b//", "http://a:/b", "https://u:p@a/",
	}).Draw(t, "URL")
	switch p.Action {
	case lbaas.RedirectToURL:
		p.RedirectURL = url
	case lbaas.RedirectPrefix:
		p.RedirectPrefix = url
	}
	p.RedirectHTTPCode = rapid.SampledFrom([]int{0, 301, 302, 303, 307, 308}).Draw(t, "code")
	for range rapid.IntRange(0, 5).Draw(t, "rules") {
		p.Rules = append(p.Rules, drawRule(t))
	}
	return p
}

func drawRule(t *rapid.T) *lbaas.L7Rule {
	r := lbaas.NewL7Rule()
	r.Type = rapid.SampledFrom(lbaas.L7RuleTypes()).Draw(t, "type")
	r.CompareType = rapid.SampledFrom(lbaas.CompareTypes()).Draw(t, "compare")
	r.Key = rapid.SampledFrom([]string{"", "X-A", "a|b~", "CN"}).Draw(t, "key")
	r.Value = rapid.SampledFrom([]string{"a", `"a b"`, `""`, `"`, "/a.*", "[a", ".jpg", "true", "7", "ü"}).Draw(t, "value")
	r.Invert, r.AdminStateUp = rapid.Bool().Draw(t, "invert"), rapid.IntRange(0, 4).Draw(t, "up") > 0
	r.Tidy()
	return r
}

func takenByAPI(p *lbaas.L7Policy) bool {
	return p.Validate() == nil && !slices.ContainsFunc(p.Rules, func(r *lbaas.L7Rule) bool { return r.Validate() != nil })
}

// TestControllerTakesAnyPolicy shows whatever is not refused with a name to the emulated controller, several at a time.
func TestControllerTakesAnyPolicy(t *testing.T) {
	ctl := connect(t, "18.1.2")
	policies := rapid.Custom(drawAnyPolicy)
	lb := sessionTree()
	l := lb.Listeners[0]
	shown := 0
	for seed := range 3000 {
		if p := policies.Example(seed); takenByAPI(p) && len(PolicyLacks(p)) == 0 {
			l.L7Policies = append(l.L7Policies, p)
		}
		if len(l.L7Policies) < 20 {
			continue
		}
		makeAndDelete(t, ctl, Objects(lb, nil, Options{Cloud: "Default-Cloud", Version: "18.1.2"}))
		if t.Failed() {
			t.Fatalf("up to seed %d", seed)
		}
		shown += len(l.L7Policies)
		l.L7Policies = nil
	}
	if shown < 100 {
		t.Errorf("only %d policies were shown", shown)
	}
	t.Logf("%d policies", shown)
}
