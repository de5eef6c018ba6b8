package lbaas

import "fmt"

// Rate limits follow the specification that Octavia accepted and has not built («Support for traffic rate limiting in
// Octavia», specs/version15.0/rate_limiting).

// RateLimitAction is what happens to a client that exceeds a rate limit.
type RateLimitAction string

// The actions that the specification names.
const (
	RateLimitDeny       RateLimitAction = "DENY"        // answer 429
	RateLimitReject     RateLimitAction = "REJECT"      // close the connection
	RateLimitSilentDrop RateLimitAction = "SILENT_DROP" // close it without telling the client
	RateLimitQueue      RateLimitAction = "QUEUE"       // let the request wait
)

// RateLimitMetric is what a rate limit counts, of each client.
type RateLimitMetric string

// The metrics that the specification names.
const (
	RateRequests       RateLimitMetric = "REQUESTS"
	RateRequestsPerURL RateLimitMetric = "REQUESTS_PER_URL"
	RateKBytes         RateLimitMetric = "KBYTES" // of 1000 bytes, as rates of networks are counted
	RatePackets        RateLimitMetric = "PACKETS"
)

// RateLimitActions are the actions that a rate-limit policy may have.
func RateLimitActions() []RateLimitAction {
	return []RateLimitAction{RateLimitDeny, RateLimitReject, RateLimitSilentDrop, RateLimitQueue}
}

// RateLimitMetrics are the metrics that a rate-limit rule may count.
func RateLimitMetrics() []RateLimitMetric {
	return []RateLimitMetric{RateRequests, RateRequestsPerURL, RateKBytes, RatePackets}
}

// Bounds of a rate-limit rule. The specification names the default only; intervals of more than a day are none that a data plane
// keeps counters for.
const (
	DefaultInterval = 30 // seconds, of a rule that names none
	MaxInterval     = 86400
	MaxThreshold    = 1<<31 - 1
	MaxURLs         = 50
)

// RateLimitPolicy limits the clients of a listener that break all of its rules. Of several policies any one limits.
type RateLimitPolicy struct {
	Object

	LoadBalancerID string
	ListenerID     string
	Action         RateLimitAction
	Rules          []*RateLimitRule // in lists by their ids only
}

// Noun is «Rate Limit Policy».
func (*RateLimitPolicy) Noun() Noun { return NounRateLimitPolicy }

// NewRateLimitPolicy returns a policy with the specification's defaults.
func NewRateLimitPolicy() *RateLimitPolicy {
	return &RateLimitPolicy{Object: Object{AdminStateUp: true}}
}

// Rule returns the rule of that id, or nil.
func (p *RateLimitPolicy) Rule(id string) *RateLimitRule {
	for _, r := range p.Rules {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// RateLimitRule is a threshold of a rate-limit policy. It has no description.
type RateLimitRule struct {
	Object

	LoadBalancerID    string
	RateLimitPolicyID string
	Metric            RateLimitMetric
	Threshold         int      // per client and interval: requests, kilobytes of 1000 bytes, or packets
	Interval          int      // seconds
	URLs              []string // paths, of RateRequestsPerURL; with another metric they are kept and mean nothing
}

// Noun is «Rate Limit Rule».
func (*RateLimitRule) Noun() Noun { return NounRateLimitRule }

// NewRateLimitRule returns a rule with the specification's defaults.
func NewRateLimitRule() *RateLimitRule {
	return &RateLimitRule{Object: Object{AdminStateUp: true}, Interval: DefaultInterval}
}

// Validate checks the policy by itself, without its rules.
func (p *RateLimitPolicy) Validate() error {
	return first(p.Object.validate(), OneOf("action", p.Action, RateLimitActions()))
}

// Validate checks the rule by itself.
func (r *RateLimitRule) Validate() error {
	return first(
		r.Object.validate(),
		OneOf("metric", r.Metric, RateLimitMetrics()),
		Between("threshold", r.Threshold, 1, MaxThreshold),
		Between("interval", r.Interval, 1, MaxInterval),
		r.validateURLs(),
	)
}

func (r *RateLimitRule) validateURLs() error {
	if len(r.URLs) > MaxURLs {
		return InvalidField("urls", fmt.Sprintf("%d items", len(r.URLs)), fmt.Sprintf("Value should have at most %d items", MaxURLs))
	}
	for _, path := range r.URLs {
		if err := validatePath("urls", path); err != nil {
			return err
		}
	}
	if r.Metric == RateRequestsPerURL && len(r.URLs) == 0 {
		return Required("urls")
	}
	return nil
}

// CheckRateLimitPolicy checks a policy with its rules against the load balancer that it is put into: requests can be counted, and
// answered, only where the listener understands HTTP.
func (lb *LoadBalancer) CheckRateLimitPolicy(p *RateLimitPolicy) error {
	l := lb.Listener(p.ListenerID)
	if l == nil {
		return Missing(NounListener, p.ListenerID)
	}
	if err := l.checkChildren(); err != nil {
		return err
	}
	if p.Action == RateLimitDeny && !l.speaksHTTP() {
		return ValidationFailure("Rate limit action %s needs a listener of protocol %s or %s, not %s.", p.Action, HTTP, TerminatedHTTPS, l.Protocol)
	}
	for _, r := range p.Rules {
		if err := l.checkMetric(r.Metric); err != nil {
			return err
		}
	}
	return nil
}

// CheckRateLimitRule checks a rule against its policy and the policy's listener.
func (lb *LoadBalancer) CheckRateLimitRule(p *RateLimitPolicy, r *RateLimitRule) error {
	l := lb.Listener(p.ListenerID)
	if l == nil {
		return Missing(NounListener, p.ListenerID)
	}
	if len(p.Rules) >= MaxRules && p.Rule(r.ID) == nil {
		return Errorf(Conflict, "Too many rules on rate limit policy %s", p.ID)
	}
	return l.checkMetric(r.Metric)
}

func (l *Listener) checkMetric(m RateLimitMetric) error {
	if (m == RateRequests || m == RateRequestsPerURL) && !l.speaksHTTP() {
		return ValidationFailure("Rate limit metric %s needs a listener of protocol %s or %s, not %s.", m, HTTP, TerminatedHTTPS, l.Protocol)
	}
	return nil
}

// speaksHTTP tells whether the listener sees the requests of its clients.
func (l *Listener) speaksHTTP() bool { return l.Protocol == HTTP || l.Protocol == TerminatedHTTPS }
