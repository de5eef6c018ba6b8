package lbaas

// L7RuleType is what of a request an L7 rule looks at.
type L7RuleType string

// The types that the API publishes.
const (
	RuleHostName        L7RuleType = "HOST_NAME"
	RulePath            L7RuleType = "PATH"
	RuleFileType        L7RuleType = "FILE_TYPE"
	RuleHeader          L7RuleType = "HEADER"
	RuleCookie          L7RuleType = "COOKIE"
	RuleSSLConnHasCert  L7RuleType = "SSL_CONN_HAS_CERT"
	RuleSSLVerifyResult L7RuleType = "SSL_VERIFY_RESULT"
	RuleSSLDNField      L7RuleType = "SSL_DN_FIELD"
)

// CompareType is how an L7 rule compares.
type CompareType string

// The comparisons that the API publishes.
const (
	CompareRegex      CompareType = "REGEX"
	CompareStartsWith CompareType = "STARTS_WITH"
	CompareEndsWith   CompareType = "ENDS_WITH"
	CompareContains   CompareType = "CONTAINS"
	CompareEqualTo    CompareType = "EQUAL_TO"
)

// MaxRules is how many rules an L7 policy may have.
const MaxRules = 50

// L7Rule is a condition of an L7 policy (API section 1.14). It has neither name nor description.
type L7Rule struct {
	Object

	LoadBalancerID string
	L7PolicyID     string
	Type           L7RuleType
	CompareType    CompareType
	Key            string // of headers, cookies and fields of a DN; "" is null
	Value          string
	Invert         bool
}

// Noun is «L7 Rule».
func (*L7Rule) Noun() Noun { return NounL7Rule }

// NewL7Rule returns a rule with the API's defaults.
func NewL7Rule() *L7Rule { return &L7Rule{Object: Object{AdminStateUp: true}} }
