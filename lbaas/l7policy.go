package lbaas

import (
	"slices"
	"strconv"
)

// L7Action is what an L7 policy does with a request that it matches.
type L7Action string

// The actions that the API publishes.
const (
	Reject         L7Action = "REJECT"
	RedirectToURL  L7Action = "REDIRECT_TO_URL"
	RedirectToPool L7Action = "REDIRECT_TO_POOL"
	RedirectPrefix L7Action = "REDIRECT_PREFIX"
)

// L7Actions are the actions that an L7 policy may have.
func L7Actions() []L7Action {
	return []L7Action{Reject, RedirectToURL, RedirectToPool, RedirectPrefix}
}

// MaxPosition is the largest position that a request may name; it means the end of any list.
const MaxPosition = 1<<31 - 1

// DefaultRedirectCode is the HTTP status of a redirect whose request names none.
const DefaultRedirectCode = 302

// redirectCodes are the values of redirect_http_code.
var redirectCodes = []string{"301", "302", "303", "307", "308"}

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

	// Position is the policy's place among those of its listener: from 1, without gaps. In a request 0 is the end.
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

// L7Redirect is what one request says of where a policy leads. What it does not say, or says null of, is zero.
type L7Redirect struct {
	Action           L7Action
	PoolID           string
	URL, Prefix      string
	RedirectHTTPCode int
}

// invalidPolicy is the Invalid of targets that do not go together, with the API's wording.
func invalidPolicy(why string) *Error {
	return Errorf(Invalid, "Invalid L7 Policy arguments: %s", why)
}

// Errors of a policy's targets, and of an update that says nothing.
var (
	errNoURL    = invalidPolicy("redirect_url must not be None")
	errNoPrefix = invalidPolicy("redirect_prefix must not be None")
	errNoPool   = invalidPolicy("redirect_pool_id or redirect_pool must not be None")
	errTwoWays  = invalidPolicy("Cannot specify redirect_pool_id and redirect_url or redirect_prefix at the same time")
)

// EmptyL7Update is the error of an update of a policy that names no attribute.
func EmptyL7Update() *Error { return invalidPolicy("Invalid update options") }

// InvalidL7Action is the Invalid of an action that is none, with the API's wording.
func InvalidL7Action(action any) *Error {
	return Errorf(Invalid, "Invalid L7 Policy action specified: %v", action)
}

// Redirect makes a policy lead where a request says, as Octavia's sanitize_l7policy_api_args does: the action drops the
// targets that do not suit it and insists on its own, and then what is left decides the action. So a REJECT with a prefix becomes
// a REDIRECT_PREFIX, and a URL beats a prefix.
func (p *L7Policy) Redirect(r L7Redirect) error {
	switch {
	case r.Action == Reject:
		r.URL, r.PoolID = "", ""
	case r.Action == RedirectToURL && r.URL == "":
		return errNoURL
	case r.Action == RedirectToURL:
		r.PoolID = ""
	case r.Action == RedirectToPool && r.PoolID == "":
		return errNoPool
	case r.Action == RedirectToPool:
		r.URL = ""
	case r.Action == RedirectPrefix && r.Prefix == "":
		return errNoPrefix
	}
	if r.PoolID != "" && (r.URL != "" || r.Prefix != "") {
		return errTwoWays
	}
	p.lead(r)
	return nil
}

// lead takes over the targets of a request, which fit together, and lets go of those that the policy had before.
func (p *L7Policy) lead(r L7Redirect) {
	if r.RedirectHTTPCode != 0 {
		p.RedirectHTTPCode = r.RedirectHTTPCode
	}
	switch {
	case r.PoolID != "":
		p.Action, p.RedirectPoolID = RedirectToPool, r.PoolID
	case r.URL != "":
		p.Action, p.RedirectURL, p.RedirectHTTPCode = RedirectToURL, r.URL, r.RedirectHTTPCode
	case r.Prefix != "":
		p.Action, p.RedirectPrefix, p.RedirectHTTPCode = RedirectPrefix, r.Prefix, r.RedirectHTTPCode
	case r.Action != "":
		p.Action = r.Action
	}
	p.forgetOthers()
}

// forgetOthers drops what the action has no use for, and gives a redirect its code.
func (p *L7Policy) forgetOthers() {
	if p.Action != RedirectToPool {
		p.RedirectPoolID = ""
	}
	if p.Action != RedirectToURL {
		p.RedirectURL = ""
	}
	if p.Action != RedirectPrefix {
		p.RedirectPrefix = ""
	}
	switch {
	case p.Action != RedirectToURL && p.Action != RedirectPrefix:
		p.RedirectHTTPCode = 0
	case p.RedirectHTTPCode == 0:
		p.RedirectHTTPCode = DefaultRedirectCode
	}
}

// Validate checks the policy by itself, without its rules.
func (p *L7Policy) Validate() error {
	return first(
		p.Object.validate(),
		OneOf("action", p.Action, L7Actions()),
		p.validatePosition(),
		p.validateTarget(),
		p.validateCode(),
	)
}

func (p *L7Policy) validatePosition() error {
	if p.Position == 0 {
		return nil
	}
	return Between("position", p.Position, 1, MaxPosition)
}

func (p *L7Policy) validateTarget() error {
	switch p.Action {
	case RedirectToPool:
		if p.RedirectPoolID == "" {
			return errNoPool
		}
	case RedirectToURL:
		if p.RedirectURL == "" {
			return errNoURL
		}
		return ValidURL("redirect_url", p.RedirectURL)
	case RedirectPrefix:
		if p.RedirectPrefix == "" {
			return errNoPrefix
		}
		return ValidURL("redirect_prefix", p.RedirectPrefix)
	}
	return nil
}

func (p *L7Policy) validateCode() error {
	if p.RedirectHTTPCode == 0 {
		return nil
	}
	return ValidRedirectCode(p.RedirectHTTPCode)
}

// ValidRedirectCode checks the HTTP status of a redirect.
func ValidRedirectCode(code int) error {
	return OneOf("redirect_http_code", strconv.Itoa(code), redirectCodes)
}

// CheckL7Policy checks a policy against the load balancer that it is put into: its listener, the pool that it redirects to, and
// how many rules it has.
func (lb *LoadBalancer) CheckL7Policy(p *L7Policy) error {
	l := lb.Listener(p.ListenerID)
	if l == nil {
		return Missing(NounListener, p.ListenerID)
	}
	if err := l.checkChildren(); err != nil {
		return err
	}
	if len(p.Rules) > MaxRules {
		return p.tooMany()
	}
	if p.RedirectPoolID == "" {
		return nil
	}
	pool := lb.Pool(p.RedirectPoolID)
	if pool == nil {
		return Missing(NounPool, p.RedirectPoolID)
	}
	return CheckProtocols(l.Protocol, pool.Protocol)
}

// PoolsOf returns the pools that a listener of the tree uses, each once: its default pool, and those that enabled L7 policies with a
// rule redirect to, by position.
func (lb *LoadBalancer) PoolsOf(l *Listener) []*Pool {
	var pools []*Pool
	add := func(id string) {
		if p := lb.Pool(id); p != nil && !slices.Contains(pools, p) {
			pools = append(pools, p)
		}
	}
	add(l.DefaultPoolID)
	for _, p := range l.L7Policies {
		if p.RedirectPoolID != "" && p.sendsTo(p.RedirectPoolID) {
			add(p.RedirectPoolID)
		}
	}
	return pools
}

// checkChildren refuses the protocol whose listeners have nothing behind them.
func (l *Listener) checkChildren() error {
	if l.Protocol == Prometheus {
		return Errorf(Invalid, "Protocol PROMETHEUS listeners cannot have child objects.")
	}
	return nil
}

// CheckL7Rule checks that the policy has room for a rule.
func (p *L7Policy) CheckL7Rule(r *L7Rule) error {
	if len(p.Rules) >= MaxRules && p.Rule(r.ID) == nil {
		return p.tooMany()
	}
	return nil
}

func (p *L7Policy) tooMany() error { return Errorf(Conflict, "Too many rules on L7 policy %s", p.ID) }
