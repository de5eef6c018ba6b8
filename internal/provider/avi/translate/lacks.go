package translate

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"plimsoll/lbaas"
)

// Lack is something of a tree that Avi has no words for.
type Lack struct {
	ID     string // of the object
	Option string // as the API spells it, with its value
}

// L7Protocol tells whether L7 policies mean anything on a listener of that protocol.
func L7Protocol(p lbaas.Protocol) bool { return p == lbaas.HTTP || p == lbaas.TerminatedHTTPS }

// PolicyLacks are what of an L7 policy cannot be said to Avi, its own lacks first. Of a rule that is switched off only what could not be said
// by itself either counts.
func PolicyLacks(p *lbaas.L7Policy) []Lack {
	var lacks []Lack
	if option := redirectLack(p); option != "" {
		lacks = append(lacks, Lack{p.ID, option})
	}
	seen := map[string]bool{}
	for _, r := range p.Rules {
		place := onlyOnce[r.Type]
		switch option := ruleLack(r); {
		case option != "":
			lacks = append(lacks, Lack{r.ID, option})
		case !r.AdminStateUp || place == "":
		case seen[place]:
			lacks = append(lacks, Lack{r.ID, fmt.Sprintf("L7 rule type %s as a second rule on the %s in one L7 policy", r.Type, place)})
		default:
			seen[place] = true
		}
	}
	return lacks
}

// onlyOnce is what of a request Avi looks at once for each rule of its own, by the types of ours.
var onlyOnce = map[lbaas.L7RuleType]string{
	lbaas.RulePath: "path", lbaas.RuleFileType: "path", lbaas.RuleHostName: "host name", lbaas.RuleCookie: "cookies",
}

// ruleLack names what of an L7 rule Avi has no words for; "" is nothing.
func ruleLack(r *lbaas.L7Rule) string {
	switch r.Type {
	case lbaas.RulePath, lbaas.RuleFileType:
		return ""
	case lbaas.RuleHostName, lbaas.RuleHeader, lbaas.RuleCookie:
		if r.CompareType == lbaas.CompareRegex {
			return fmt.Sprintf("L7 rule type %s with compare_type %s", r.Type, r.CompareType)
		}
		return ""
	}
	return fmt.Sprintf("L7 rule type %s", r.Type)
}

// redirectLack names what of a redirect Avi has no words for; "" is nothing.
func redirectLack(p *lbaas.L7Policy) string {
	var field, target string
	switch p.Action {
	case lbaas.RedirectToURL:
		field, target = "redirect_url", p.RedirectURL
	case lbaas.RedirectPrefix:
		field, target = "redirect_prefix", p.RedirectPrefix
	default:
		return ""
	}
	if p.RedirectHTTPCode == 303 || p.RedirectHTTPCode == 308 {
		return fmt.Sprintf("redirect_http_code %d", p.RedirectHTTPCode)
	}
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return field + " " + target
	case u.User != nil:
		return field + " with a user" // whose password is not to be shown
	case u.Fragment != "":
		return field + " with a fragment: " + target
	case u.RawQuery != "" && p.Action == lbaas.RedirectPrefix:
		return field + " with a query: " + target
	}
	return ""
}

// MonitorLacks are what of a health monitor cannot be said to Avi.
func MonitorLacks(h *lbaas.HealthMonitor) []Lack {
	var lacks []Lack
	when := func(lacking bool, format string, args ...any) {
		if lacking {
			lacks = append(lacks, Lack{h.ID, fmt.Sprintf(format, args...)})
		}
	}
	when(h.Delay < 1 || h.Delay > MaxInterval, "health monitor delay %d", h.Delay)
	when(h.Timeout < 1 || h.Timeout > MaxTimeout, "health monitor timeout %d", h.Timeout)
	when(h.Timeout > h.Delay, "health monitor timeout %d with a delay of %d", h.Timeout, h.Delay)
	if classes, _ := Classes(h.ExpectedCodes); h.SpeaksHTTP() {
		when(classes == nil, "expected_codes %s", h.ExpectedCodes)
	}
	return lacks
}

// TLSLack names what of TLS versions, or of the ciphers to go with them, a version of Avi's data model lacks; "" is nothing. A data model
// of "" lacks nothing that any has. TLSv1.3 beside others goes without saying: clients then agree on the others.
func TLSLack(versions []string, ciphers, model string) string {
	for _, v := range versions {
		if _, found := sslVersions[v]; !found {
			return "tls_versions " + v
		}
	}
	known := func(v string) bool {
		return (len(versions) == 0 || slices.Contains(versions, v)) && (v != tlsV13 || model == "" || atLeast(model, tls13Since))
	}
	switch can := spoken(versions, ciphers); {
	case len(can) == 0 || slices.ContainsFunc(can, known):
		return ""
	case slices.Equal(can, versions):
		return "tls_versions " + strings.Join(versions, ", ")
	}
	return "tls_ciphers " + ciphers
}
