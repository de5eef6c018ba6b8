package haproxy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"plimsoll/lbaas"
)

// maxSeconds is the longest time that HAProxy's timers hold, a little less than 2^31 milliseconds.
const maxSeconds = 24 * 24 * 3600

// monitor adds the health check. Without `timeout check` (a timeout of 0) HAProxy waits as long as one interval; and it
// knows no interval of 0, which becomes one second.
func (s section) monitor(p *lbaas.Pool, m *lbaas.HealthMonitor, vip netip.Addr) {
	s.describeFor(m.ID, "Health monitor", m.Name)
	if m.Timeout > 0 {
		s.addFor(m.ID, "timeout check %ds", min(m.Timeout, maxSeconds))
	}
	if m.Type == lbaas.MonitorHTTP || m.Type == lbaas.MonitorHTTPS {
		s.addFor(m.ID, "option httpchk")
		s.addFor(m.ID, "http-check send %s", request(m, vip))
		s.addFor(m.ID, "http-check expect status %s", codes(m.ExpectedCodes))
	}
	s.addFor(m.ID, "default-server %s", strings.Join(check(p, m), " "))
}

func (s section) describeFor(owner, noun, name string) {
	if name != "" {
		s.addFor(owner, "# %s %s", noun, Comment(name))
	}
}

// request is what an HTTP check sends. HTTP/1.1 demands a Host (RFC 9112, section 3.2), and web servers answer 400 without:
// where the monitor names none, it is the VIP's address, as clients without a name would send.
func request(m *lbaas.HealthMonitor, vip netip.Addr) string {
	words := []string{"meth", Quote(or(m.HTTPMethod, "GET")), "uri", Quote(or(m.URLPath, "/"))}
	if m.HTTPVersion != "" {
		words = append(words, "ver", Quote("HTTP/"+m.HTTPVersion))
	}
	host := m.DomainName
	if host == "" && m.HTTPVersion == "1.1" {
		host = bracketed(vip)
	}
	if host != "" {
		words = append(words, "hdr", "Host", QuoteFormat(host))
	}
	return strings.Join(words, " ")
}

// codes writes expected_codes ("200", "200, 202", "200-204") as HAProxy's list.
func codes(expected string) string {
	return Quote(strings.Join(strings.Fields(strings.ReplaceAll(or(expected, "200"), ",", " ")), ","))
}

// check is what each server of the backend needs for its check. It is a default-server line, so that a reader sees it once. A check
// over TLS verifies nothing but in a pool that verifies its members anyway, for both are by the same rules in HAProxy. One that
// says hello is a handshake and no more.
func check(p *lbaas.Pool, m *lbaas.HealthMonitor) []string {
	words := []string{"check"}
	secure := m.Type == lbaas.MonitorHTTPS || m.Type == lbaas.MonitorTLSHello
	if secure {
		words = append(words, "check-ssl")
	}
	if secure && !p.TLSEnabled {
		words = append(words, "verify", "none")
	}
	if m.DomainName != "" && (secure || p.TLSEnabled) {
		words = append(words, "check-sni", Quote(m.DomainName))
	}
	if m.SpeaksHTTP() && p.TLSEnabled {
		words = append(words, checkALPN(p.ALPNProtocols)...)
	}
	return append(words,
		"inter", fmt.Sprintf("%ds", min(max(m.Delay, 1), maxSeconds)),
		"fall", fmt.Sprint(max(m.MaxRetriesDown, 1)),
		"rise", fmt.Sprint(max(m.MaxRetries, 1)))
}

// checkALPN are the words for how a check of a pool with ALPN speaks HTTP. A check speaks what it is told to, and not what the
// handshake agreed on; so it offers just that.
func checkALPN(protocols []string) []string {
	switch {
	case len(protocols) == 0:
		return nil
	case slices.Contains(protocols, "http/1.1"):
		return []string{"check-alpn", "http/1.1"}
	case slices.Contains(protocols, "h2"):
		return []string{"check-alpn", "h2", "check-proto", "h2"}
	}
	return []string{"check-alpn", "http/1.0"}
}

// or is value, or instead when it is "".
func or(value, instead string) string {
	if value == "" {
		return instead
	}
	return value
}
