package lbaas

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// MonitorType is how a health monitor asks.
type MonitorType string

// The monitor types that the API publishes.
const (
	MonitorHTTP       MonitorType = "HTTP"
	MonitorHTTPS      MonitorType = "HTTPS"
	MonitorPing       MonitorType = "PING"
	MonitorTCP        MonitorType = "TCP"
	MonitorTLSHello   MonitorType = "TLS-HELLO"
	MonitorUDPConnect MonitorType = "UDP-CONNECT"
	MonitorSCTP       MonitorType = "SCTP"
)

// HealthMonitor watches the members of a pool (API section 1.12).
type HealthMonitor struct {
	Object

	LoadBalancerID string
	PoolID         string
	Type           MonitorType
	Delay          int    // seconds between checks
	Timeout        int    // seconds
	MaxRetries     int    // successes before a member is up, 1 to 10
	MaxRetriesDown int    // failures before a member is down, 1 to 10
	HTTPMethod     string // "" is null, as the three below
	URLPath        string
	ExpectedCodes  string
	HTTPVersion    string // "1.0" or "1.1"
	DomainName     string
}

// Noun is «Health Monitor».
func (*HealthMonitor) Noun() Noun { return NounHealthMonitor }

// MonitorTypes are the types that a health monitor may have.
func MonitorTypes() []MonitorType {
	return []MonitorType{MonitorHTTP, MonitorHTTPS, MonitorPing, MonitorTCP, MonitorTLSHello, MonitorUDPConnect, MonitorSCTP}
}

// The values that a monitor which speaks HTTP gets where it says nothing.
const (
	DefaultMethod = "GET"
	DefaultPath   = "/"
	DefaultCodes  = "200"
)

// NewHealthMonitor returns a health monitor with the API's defaults; those of the HTTP attributes come with
// DefaultHTTP, once the type is known.
func NewHealthMonitor() *HealthMonitor {
	return &HealthMonitor{Object: Object{AdminStateUp: true}, MaxRetriesDown: DefaultRetries}
}

// SpeaksHTTP tells whether the monitor sends a request.
func (h *HealthMonitor) SpeaksHTTP() bool { return h.Type == MonitorHTTP || h.Type == MonitorHTTPS }

// DefaultHTTP gives the HTTP attributes that are not set the API's defaults, where the monitor speaks HTTP.
func (h *HealthMonitor) DefaultHTTP() {
	if !h.SpeaksHTTP() {
		return
	}
	if h.HTTPMethod == "" {
		h.HTTPMethod = DefaultMethod
	}
	if h.URLPath == "" {
		h.URLPath = DefaultPath
	}
	if h.ExpectedCodes == "" {
		h.ExpectedCodes = DefaultCodes
	}
}

// Validate checks the monitor by itself.
func (h *HealthMonitor) Validate() error {
	return first(
		h.Object.validate(),
		OneOf("type", h.Type, MonitorTypes()),
		Between("delay", h.Delay, 0, 1<<31-1),
		Between("timeout", h.Timeout, 0, 1<<31-1),
		Between("max_retries", h.MaxRetries, 1, MaxRetries),
		Between("max_retries_down", h.MaxRetriesDown, 1, MaxRetries),
		h.validateHTTP(),
		h.validateDomain(),
	)
}

// codesPattern is what the API publishes. Of white space only blanks are taken: a line break has no business in it.
const codesPattern = `^(\d{3}(\s*,\s*\d{3})*)$|^(\d{3}-\d{3})$`

var expectedCodes = regexp.MustCompile(strings.ReplaceAll(codesPattern, `\s`, ` `))

// methods are the values of http_method.
var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH"}

func (h *HealthMonitor) validateHTTP() error {
	if !h.SpeaksHTTP() {
		for _, given := range [][2]string{{"http_method", h.HTTPMethod}, {"url_path", h.URLPath}, {"expected_codes", h.ExpectedCodes}} {
			if given[1] != "" {
				return h.notForType(given[0])
			}
		}
		return nil
	}
	return first(ValidHTTPMethod(h.HTTPMethod), ValidURLPath(h.URLPath), ValidExpectedCodes(h.ExpectedCodes))
}

// ValidHTTPMethod checks the method that a monitor asks with.
func ValidHTTPMethod(method string) error { return OneOf("http_method", method, methods) }

// ValidExpectedCodes checks the codes that a monitor takes for an answer: one, some, or a range.
func ValidExpectedCodes(codes string) error {
	if !expectedCodes.MatchString(codes) {
		return InvalidField("expected_codes", codes, "Value should match the pattern "+codesPattern)
	}
	if from, to, ok := strings.Cut(codes, "-"); ok && from > to {
		return InvalidField("expected_codes", codes, "Value should be a range that ends after it begins")
	}
	return nil
}

// CheckHTTPOption is the error of naming an HTTP attribute for a monitor that does not speak HTTP.
func (h *HealthMonitor) CheckHTTPOption(attribute string) error {
	if h.SpeaksHTTP() {
		return nil
	}
	return h.notForType(attribute)
}

func (h *HealthMonitor) notForType(attribute string) error {
	return InvalidOption(attribute, "health monitors of type "+string(h.Type))
}

// ValidURLPath checks the path that a monitor asks for.
func ValidURLPath(path string) error { return validatePath("url_path", path) }

func validatePath(field, path string) error {
	bad := InvalidField(field, path, "Value must be a valid URL Path string")
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsFunc(path, notURL) {
		return bad
	}
	if err := Within(field, path, MaxName); err != nil {
		return err
	}
	if _, err := url.ParseRequestURI(path); err != nil {
		return bad
	}
	return nil
}

// notURL tells characters that RFC 3986 does not allow in a path and its query.
func notURL(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>\\^`{|}", r)
}

func (h *HealthMonitor) validateDomain() error {
	if h.HTTPVersion != "" && h.HTTPVersion != "1.0" && h.HTTPVersion != "1.1" {
		return InvalidField("http_version", h.HTTPVersion, "Value should be one of: 1.0, 1.1")
	}
	if h.DomainName == "" {
		return nil
	}
	if !validDomain(h.DomainName) {
		return InvalidField("domain_name", h.DomainName, "Value should match the pattern "+domainPattern)
	}
	if h.HTTPVersion == "" {
		return ValidationFailure("'http_version' must be specified when 'domain_name' is provided.")
	}
	if h.HTTPVersion == "1.0" {
		return InvalidOption("http_version 1.0", "health monitors HTTP 1.1 domain name health check")
	}
	return nil
}

// domainPattern is what the API publishes; Go's regular expressions lack the lookarounds, so validDomain spells it out.
const domainPattern = `^(?=.{1,253}\.?$)(?:(?!-|[^.]+_)[A-Za-z0-9-_]{1,63}(?<!-)(?:\.|$))+$`

func validDomain(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if len(name) == 0 || len(name) > 253 {
		return false
	}
	return !slices.ContainsFunc(strings.Split(name, "."), func(label string) bool { return !validLabel(label) })
}

// validLabel takes letters, digits and inner hyphens, and an underscore only at the very start (as in _http._tcp).
func validLabel(label string) bool {
	if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		c := label[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && c != '-' && (c != '_' || i > 0) {
			return false
		}
	}
	return true
}

// CheckMonitor checks a health monitor against its pool: one each, and a type that suits the protocol.
func (p *Pool) CheckMonitor(h *HealthMonitor) error {
	if p.HealthMonitor != nil && p.HealthMonitor.ID != h.ID {
		return Errorf(Conflict, "This pool already has a health monitor")
	}
	datagram := p.Protocol == UDP || p.Protocol == SCTP
	allowed := []MonitorType{MonitorHTTP, MonitorHTTPS, MonitorPing, MonitorTCP, MonitorTLSHello}
	if datagram {
		allowed = []MonitorType{MonitorUDPConnect, MonitorSCTP, MonitorTCP, MonitorHTTP}
	}
	switch {
	case slices.Contains(allowed, h.Type):
	case datagram:
		return ValidationFailure("The associated pool protocol is %s, so only a UDP-CONNECT/SCTP/TCP/HTTP health monitor is supported.", p.Protocol)
	default:
		return ValidationFailure("The %s type is only supported for pools of type UDP/SCTP.", h.Type)
	}
	return nil
}
