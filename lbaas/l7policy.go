package lbaas

// L7Action is what an L7 policy does with a request that it matches.
type L7Action string

// The actions that the API publishes.
const (
	Reject         L7Action = "REJECT"
	RedirectToURL  L7Action = "REDIRECT_TO_URL"
	RedirectToPool L7Action = "REDIRECT_TO_POOL"
	RedirectPrefix L7Action = "REDIRECT_PREFIX"
)

// L7Policy does something with those requests of a listener that match all of its rules (API section 1.13). One without
// rules matches nothing.
type L7Policy struct {
	Object

	LoadBalancerID   string
	ListenerID       string
	Action           L7Action
	RedirectPoolID   string // of RedirectToPool; "" is null, as in the two below
	RedirectURL      string // of RedirectToURL
	RedirectPrefix   string // of RedirectPrefix
	RedirectHTTPCode int    // of the redirects to a URL or a prefix; 0 is null

	// Position is the policy's place among those of its listener: from 1, without gaps.
	Position int

	Rules []*L7Rule // in lists by their ids only
}

// Noun is «L7 Policy».
func (*L7Policy) Noun() Noun { return NounL7Policy }

// NewL7Policy returns a policy with the API's defaults.
func NewL7Policy() *L7Policy { return &L7Policy{Object: Object{AdminStateUp: true}} }

// Rule returns the rule of that id, or nil.
func (p *L7Policy) Rule(id string) *L7Rule {
	for _, r := range p.Rules {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// sendsTo tells whether requests may go to a pool by this policy: one that is enabled and can match.
func (p *L7Policy) sendsTo(poolID string) bool {
	return p.RedirectPoolID == poolID && p.AdminStateUp && len(p.Rules) > 0
}
