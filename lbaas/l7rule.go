package lbaas

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

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

// L7RuleTypes are the types that an L7 rule may have.
func L7RuleTypes() []L7RuleType {
	return []L7RuleType{
		RuleHostName, RulePath, RuleFileType, RuleHeader, RuleCookie, RuleSSLConnHasCert, RuleSSLVerifyResult, RuleSSLDNField,
	}
}

// CompareTypes are the comparisons that an L7 rule may make.
func CompareTypes() []CompareType {
	return []CompareType{CompareRegex, CompareStartsWith, CompareEndsWith, CompareContains, CompareEqualTo}
}

// MaxRules is how many rules an L7 policy, or a rate-limit policy, may have.
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

// The patterns of keys and values. oneLine is the API's own text; the others are Octavia's for names and values of headers (RFC
// 7230) and of cookies (RFC 6265).
var (
	oneLine      = regexp.MustCompile(`^[^\r\n]*$`)
	headerName   = regexp.MustCompile("^[a-zA-Z0-9!#$%&'*+-.^_`|~]+$")
	headerValue  = regexp.MustCompile(`^[!-~]+$|^"[ \t!-~]*"$`)
	cookieValue  = regexp.MustCompile("^[a-zA-Z0-9!#$%&'()*+-./:<=>?@[\\]^_`{|}~]+$")
	dnField      = regexp.MustCompile(`^[a-zA-Z][A-Za-z0-9-]*$`)
	digits       = regexp.MustCompile(`^[0-9]+$`)
	fileCompares = []CompareType{CompareRegex, CompareEqualTo}
)

// badRule is the Invalid of a rule that makes no sense, with the API's wording.
func badRule(why string) *Error {
	return Errorf(Invalid, "Error parsing L7Rule: Invalid L7 Rule: %s", why)
}

// badText is the Invalid of a key or a value with characters that cannot be there, with the API's wording.
func badText(what string) *Error {
	return Errorf(Invalid, "Error parsing L7Rule: Invalid characters in %s", what)
}

// CheckKey checks the characters of a key, which holds for those that Tidy drops, too.
func (r *L7Rule) CheckKey() error { return validateLine("key", r.Key) }

// Tidy drops the key of a rule whose type has none and says nothing of it.
func (r *L7Rule) Tidy() {
	switch r.Type {
	case RuleHostName, RulePath, RuleFileType:
		r.Key = ""
	}
}

// Validate checks the rule by itself. Type and comparison are checked first for being among the published ones; empty they are null,
// which a PUT may say and which no rule can be.
func (r *L7Rule) Validate() error {
	return first(
		r.validateTags(),
		r.validateWords(),
		r.CheckKey(),
		validateLine("value", r.Value),
		r.validateMeaning(),
	)
}

func (r *L7Rule) validateWords() error {
	if r.Type != "" {
		if err := OneOf("type", r.Type, L7RuleTypes()); err != nil {
			return err
		}
	}
	if r.CompareType != "" {
		return OneOf("compare_type", r.CompareType, CompareTypes())
	}
	return nil
}

func validateLine(field, text string) error {
	if err := Within(field, text, MaxName); err != nil {
		return err
	}
	if !oneLine.MatchString(text) {
		return InvalidField(field, text, "Value should match the pattern "+oneLine.String())
	}
	return nil
}

// validateMeaning keeps the order of Octavia's checks.
func (r *L7Rule) validateMeaning() error {
	if r.Value == "" {
		return badRule("L7 rule type requires a value")
	}
	switch r.Type {
	case RuleHeader:
		return first(r.validateName(), r.compare(CompareTypes(), headerValue, "header value"))
	case RuleCookie:
		return first(r.validateName(), r.compare(CompareTypes(), cookieValue, "cookie value"))
	case RuleHostName, RulePath:
		return r.compare(CompareTypes(), headerValue, "comparison value")
	case RuleFileType:
		return r.compare(fileCompares, headerValue, "comparison value")
	case RuleSSLConnHasCert:
		return r.validateHasCert()
	case RuleSSLVerifyResult:
		return r.validateVerifyResult()
	case RuleSSLDNField:
		return r.validateDNField()
	}
	return badRule("invalid rule type")
}

func (r *L7Rule) validateName() error {
	if r.Key == "" {
		return badRule("L7 rule type requires a key")
	}
	if !headerName.MatchString(r.Key) {
		return badText("key")
	}
	return nil
}

// compare checks the comparison, and the value as what it compares with.
func (r *L7Rule) compare(known []CompareType, value *regexp.Regexp, what string) error {
	switch {
	case !slices.Contains(known, r.CompareType):
		return badRule("invalid comparison type for rule type")
	case r.CompareType == CompareRegex:
		return validateRegex(r.Value)
	case !value.MatchString(r.Value):
		return badText(what)
	}
	return nil
}

func validateRegex(text string) error {
	err := CheckRegex(text)
	if strings.ContainsFunc(text, unicode.IsControl) { // it is going to stand in a configuration
		err = errors.New("contains control characters")
	}
	if err != nil {
		return Errorf(Invalid, "Error parsing L7Rule: Unable to parse regular expression: %s", err)
	}
	return nil
}

func (r *L7Rule) validateHasCert() error {
	switch {
	case r.Key != "":
		return r.withoutKey()
	case !strings.EqualFold(r.Value, "true"):
		return badRule("L7rule value " + r.Value + " is not a boolean True string.")
	}
	return r.onlyEqual()
}

func (r *L7Rule) validateVerifyResult() error {
	if r.Key != "" {
		return r.withoutKey()
	}
	if _, err := strconv.ParseUint(r.Value, 10, 31); err != nil || !digits.MatchString(r.Value) {
		return badRule("L7rule type " + string(r.Type) + " needs a int value, which is >= 0")
	}
	return r.onlyEqual()
}

func (r *L7Rule) withoutKey() error {
	return badRule("L7rule type " + string(r.Type) + ` does not use the "key" field.`)
}

func (r *L7Rule) onlyEqual() error {
	if r.CompareType != CompareEqualTo {
		return badRule("L7rule type " + string(r.Type) + " only supports the " + string(CompareEqualTo) + " compare type.")
	}
	return nil
}

// validateDNField lets the value be any line of text: the fields of a DN hold names of people and places.
func (r *L7Rule) validateDNField() error {
	if r.CompareType == CompareRegex {
		if err := validateRegex(r.Value); err != nil {
			return err
		}
	}
	switch {
	case r.CompareType == "":
		return badRule("invalid comparison type for rule type")
	case r.Key == "":
		return badRule("L7rule type " + string(r.Type) + " needs to specify a key and a value.")
	case !dnField.MatchString(r.Key):
		return badRule("Invalid L7rule distinguished name field.")
	}
	return nil
}
