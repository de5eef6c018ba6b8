package lbaas

import (
	"slices"
	"testing"
)

func TestRateLimitRuleValidate(t *testing.T) {
	const badPath = "Value must be a valid URL Path string"
	tests := []struct {
		name   string
		change func(*RateLimitRule)
		want   string
	}{
		{"bad metric", func(r *RateLimitRule) { r.Metric = "BYTES" }, field("metric", "BYTES", "Value should be one of: KBYTES, PACKETS, REQUESTS, REQUESTS_PER_URL")},
		{"bad threshold", func(r *RateLimitRule) { r.Threshold = 0 }, field("threshold", "0", "Value should be greater or equal to 1")},
		{"bad threshold: large", func(r *RateLimitRule) { r.Threshold = MaxThreshold + 1 }, field("threshold", "2147483648", "Value should be lower or equal to 2147483647")},
		{"bad interval", func(r *RateLimitRule) { r.Interval = 0 }, field("interval", "0", "Value should be greater or equal to 1")},
		{"bad interval: long", func(r *RateLimitRule) { r.Interval = 86401 }, field("interval", "86401", "Value should be lower or equal to 86400")},
		{"bad: no URLs", func(r *RateLimitRule) { r.Metric = RateRequestsPerURL }, field("urls", "None", "Mandatory field missing.")},
		{"bad URL", func(r *RateLimitRule) { r.Metric, r.URLs = RateRequestsPerURL, []string{"/a", "b"} }, field("urls", "b", badPath)},
		{"bad URL, with another metric", func(r *RateLimitRule) { r.URLs = []string{"http://h/"} }, field("urls", "http://h/", badPath)},
		{"bad URLs: many", func(r *RateLimitRule) { r.URLs = slices.Repeat([]string{"/"}, 51) }, field("urls", "51 items", "Value should have at most 50 items")},
		{"requests", func(*RateLimitRule) {}, ""},
		{"requests of URLs", func(r *RateLimitRule) { r.Metric, r.URLs = RateRequestsPerURL, []string{"/a/b", "/c?d=e"} }, ""},
	}
	for _, test := range tests {
		r := NewRateLimitRule()
		r.Metric, r.Threshold = RateRequests, 1
		test.change(r)
		judge(t, test.name, r.Validate(), test.want)
	}
}

func TestRateLimitPolicyValidate(t *testing.T) {
	p := NewRateLimitPolicy()
	judge(t, "bad action", p.Validate(), field("action", "", "Value should be one of: DENY, QUEUE, REJECT, SILENT_DROP"))
	p.Action = RateLimitQueue
	judge(t, "queue", p.Validate(), "")
}

// TestRateLimitProtocols shows what which listener can limit.
func TestRateLimitProtocols(t *testing.T) {
	const needs = " needs a listener of protocol HTTP or TERMINATED_HTTPS, not TCP."
	lb := &LoadBalancer{Listeners: []*Listener{
		{Object: Object{ID: "http"}, Protocol: HTTP}, {Object: Object{ID: "tls"}, Protocol: TerminatedHTTPS},
		{Object: Object{ID: "tcp"}, Protocol: TCP}, {Object: Object{ID: "metrics"}, Protocol: Prometheus},
	}}
	tests := []struct {
		listener string
		action   RateLimitAction
		metric   RateLimitMetric
		want     string
	}{
		{"none", RateLimitReject, RateKBytes, "Listener none not found."},
		{"metrics", RateLimitReject, RateKBytes, "Protocol PROMETHEUS listeners cannot have child objects."},
		{"tcp", RateLimitDeny, RateKBytes, "Validation failure: Rate limit action DENY" + needs},
		{"tcp", RateLimitReject, RateRequests, "Validation failure: Rate limit metric REQUESTS" + needs},
		{"tcp", RateLimitReject, RateRequestsPerURL, "Validation failure: Rate limit metric REQUESTS_PER_URL" + needs},
		{"tcp", RateLimitReject, RateKBytes, ""},
		{"tcp", RateLimitSilentDrop, RatePackets, ""},
		{"http", RateLimitDeny, RateRequests, ""},
		{"http", RateLimitQueue, RateKBytes, ""},
		{"tls", RateLimitDeny, RateRequestsPerURL, ""},
	}
	for _, test := range tests {
		r := &RateLimitRule{Metric: test.metric}
		p := &RateLimitPolicy{ListenerID: test.listener, Action: test.action, Rules: []*RateLimitRule{r}}
		name := test.listener + " " + string(test.action) + " " + string(test.metric)
		judge(t, name, lb.CheckRateLimitPolicy(p), test.want)
		if test.want == "" {
			judge(t, name, lb.CheckRateLimitRule(p, r), "")
		}
	}
	full := &RateLimitPolicy{Object: Object{ID: "x"}, ListenerID: "http"}
	for range MaxRules {
		full.Rules = append(full.Rules, &RateLimitRule{Object: Object{ID: "r"}})
	}
	judge(t, "one more rule", lb.CheckRateLimitRule(full, &RateLimitRule{}), "Too many rules on rate limit policy x")
	judge(t, "a rule that is there", lb.CheckRateLimitRule(full, full.Rules[0]), "")
	judge(t, "no listener", lb.CheckRateLimitRule(&RateLimitPolicy{ListenerID: "none"}, full.Rules[0]), "Listener none not found.")
}
