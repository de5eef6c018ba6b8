package lbaas

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
	RateKBytes         RateLimitMetric = "KBYTES"
	RatePackets        RateLimitMetric = "PACKETS"
)

// DefaultInterval is the interval of a rule that names none, in seconds.
const DefaultInterval = 30

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
	Threshold         int      // per client and interval: requests, kilobytes or packets
	Interval          int      // seconds
	URLs              []string // paths, of RateRequestsPerURL
}

// Noun is «Rate Limit Rule».
func (*RateLimitRule) Noun() Noun { return NounRateLimitRule }

// NewRateLimitRule returns a rule with the specification's defaults.
func NewRateLimitRule() *RateLimitRule {
	return &RateLimitRule{Object: Object{AdminStateUp: true}, Interval: DefaultInterval}
}
