package translate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"plimsoll/lbaas"
)

// Bounds of Avi's health monitors, in seconds.
const (
	MaxInterval = 3600 // of send_interval
	MaxTimeout  = 2400 // of receive_timeout
)

// monitor is the health monitor of a pool, which all copies of the pool share. Of how the pool speaks TLS its fields tell; held says that
// this could not be read.
func (t *translation) monitor(h *lbaas.HealthMonitor, pool map[string]any, held bool) Object {
	interval, timeout := Timing(h)
	name := orElse(plain(h.Name), string(h.Type)+"-"+h.ID)
	owned := map[string]any{
		"name":              bounded(name),
		"description":       h.ID,
		"type":              "HEALTH_MONITOR_" + string(h.Type),
		"send_interval":     int64(interval),
		"receive_timeout":   int64(timeout),
		"successful_checks": int64(h.MaxRetries),
		"failed_checks":     int64(h.MaxRetriesDown),
	}
	switch h.Type {
	case lbaas.MonitorHTTP:
		owned["http_monitor"] = request(h)
	case lbaas.MonitorHTTPS:
		https := request(h)
		https["ssl_attributes"] = t.monitorTLS(h, pool)
		owned["https_monitor"] = https
	}
	return Object{
		Kind: Monitor, UUID: UUID(Monitor, h.ID), Alias: alias(name, h.ID), For: []string{h.ID}, Owned: owned,
		Held: held && h.Type == lbaas.MonitorHTTPS,
	}
}

// systemSSLProfile is the TLS profile that the controller comes with, and serverNameSince the data model in which monitors may name
// whom they speak with.
const (
	systemSSLProfile = "System-Standard"
	serverNameSince  = "18.2.3"
)

// monitorTLS is how a monitor speaks TLS: as its pool does, to members who may want to know who asks. It has to be said for pools that
// pass TLS on, since they have no profile that a monitor could use.
func (t *translation) monitorTLS(h *lbaas.HealthMonitor, pool map[string]any) map[string]any {
	tls := map[string]any{}
	for _, field := range []string{"ssl_profile_ref", "ssl_key_and_certificate_ref", "pki_profile_ref"} {
		tls[field] = pool[field]
	}
	if tls["ssl_profile_ref"] == nil {
		tls["ssl_profile_ref"] = NamedRef(SSLProfile, systemSSLProfile)
	}
	if atLeast(t.options.Version, serverNameSince) {
		tls["server_name"] = nil
		if h.DomainName != "" {
			tls["server_name"] = strings.TrimSuffix(h.DomainName, ".") // RFC 6066, section 3
		}
	}
	return tls
}

// Timing is how often Avi asks and how long it waits for an answer, in seconds. It wants to know of an answer before it asks again.
func Timing(h *lbaas.HealthMonitor) (interval, timeout int) {
	return max(h.Delay, h.Timeout+1), h.Timeout
}

// ownHeaders are what Avi puts behind a request line by itself, but for the Host. Line ends are escaped, as Avi has them.
const ownHeaders = `\r\nUser-Agent: avi/1.0\r\nAccept: */*\r\n\r\n`

// request is what a monitor asks by HTTP and which answers it takes. Avi adds a Host of its own, and does so beside another: servers
// refuse two (RFC 9112, section 3.2), so a request that names one is sent exactly as it is written.
func request(h *lbaas.HealthMonitor) map[string]any {
	line := fmt.Sprintf("%s %s HTTP/%s", orElse(h.HTTPMethod, lbaas.DefaultMethod), orElse(h.URLPath, lbaas.DefaultPath),
		orElse(h.HTTPVersion, "1.0"))
	if h.DomainName != "" {
		line += `\r\nHost: ` + h.DomainName + ownHeaders
	}
	classes, _ := Classes(h.ExpectedCodes)
	codes := make([]any, len(classes))
	for i, c := range classes {
		codes[i] = "HTTP_" + c
	}
	return map[string]any{"http_request": line, "exact_http_request": h.DomainName != "", "http_response_code": codes}
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// Classes are the classes of status codes ("2XX") that hold the expected codes of a monitor, and whether they are exactly
// those codes: Avi knows classes only. Codes that are in none of its classes, 1XX to 5XX, give none; "" is the API's default.
func Classes(codes string) (classes []string, exact bool) {
	wanted := map[int]bool{}
	for part := range strings.SplitSeq(orElse(codes, lbaas.DefaultCodes), ",") {
		low, high, ok := codeRange(strings.TrimSpace(part))
		if !ok {
			return nil, false
		}
		for code := low; code <= high; code++ {
			wanted[code] = true
		}
	}
	for code := range wanted {
		if class := fmt.Sprintf("%dXX", code/100); !slices.Contains(classes, class) {
			classes = append(classes, class)
		}
	}
	slices.Sort(classes)
	return classes, len(wanted) == 100*len(classes)
}

// codeRange reads "200" and "200-204". Codes are from 100 to 599.
func codeRange(text string) (low, high int, ok bool) {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	low, err1 := strconv.Atoi(from)
	high, err2 := strconv.Atoi(to)
	return low, high, err1 == nil && err2 == nil && 100 <= low && low <= high && high <= 599
}
