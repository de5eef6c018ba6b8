package haproxy

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// Bounds of rate limits in HAProxy 2.6: it counts in three tables for one connection, and bytes in 32 bits.
const (
	maxRateTables = 3
	maxKBytes     = 4_000_000
)

// noLimit is the threshold of what the map does not name.
const noLimit = "9000000000000000"

// rateActions are HAProxy's words for what happens to a client beyond its limit, where it sees requests.
var rateActions = map[lbaas.RateLimitAction]string{
	lbaas.RateLimitDeny:       "deny deny_status 429",
	lbaas.RateLimitReject:     "reject",
	lbaas.RateLimitSilentDrop: "silent-drop",
}

// RateLimitLacks names what of a listener's rate limits HAProxy cannot do, by the id of a policy or rule, in their order.
func RateLimitLacks(l *lbaas.Listener) (lacks [][2]string) {
	lack := func(id, format string, args ...any) {
		lacks = append(lacks, [2]string{id, fmt.Sprintf(format, args...)})
	}
	datagrams := l.Protocol == lbaas.UDP || l.Protocol == lbaas.SCTP
	for _, p := range l.RateLimitPolicies {
		switch {
		case datagrams:
			lack(p.ID, "rate limit policies of a listener of protocol %s", l.Protocol)
			continue
		case rateActions[p.Action] == "":
			lack(p.ID, "rate limit policy action %s", p.Action)
		case p.AdminStateUp && !fits(l, p):
			lack(p.ID, "rate limit rules of more than %d kinds (requests and kbytes, or requests of URLs, by interval) on one listener", maxRateTables)
		}
		for _, r := range p.Rules {
			if words := ruleLack(r); words != "" {
				lack(r.ID, "%s", words)
			}
		}
	}
	return lacks
}

func ruleLack(r *lbaas.RateLimitRule) string {
	switch r.Metric {
	case lbaas.RatePackets:
		return "rate limit metric " + string(r.Metric)
	case lbaas.RateKBytes:
		if r.Threshold > maxKBytes {
			return fmt.Sprintf("rate limit threshold of more than %d KBYTES", maxKBytes)
		}
	case lbaas.RateRequestsPerURL:
		if slices.ContainsFunc(r.URLs, func(u string) bool { return strings.ContainsAny(u, "?#") || !plainPath(u) }) {
			return "rate limit URL that is not a path only"
		}
	}
	return ""
}

// plainPath tells whether a path can be a word of a map.
func plainPath(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// A rateTable counts clients: by their address, or by their address and the path that they ask for.
type rateTable struct {
	paths    bool
	interval int // seconds
}

func tableOf(r *lbaas.RateLimitRule) rateTable {
	return rateTable{paths: r.Metric == lbaas.RateRequestsPerURL, interval: r.Interval}
}

func (t rateTable) name(l *lbaas.Listener) string {
	if t.paths {
		return fmt.Sprintf("%s-paths-%d", l.ID, t.interval)
	}
	return fmt.Sprintf("%s-clients-%d", l.ID, t.interval)
}

// definition is the same whatever the rules, for a table of that name, so that no reload empties it.
func (t rateTable) definition(l *lbaas.Listener) string {
	if t.paths {
		return fmt.Sprintf("%s type binary len 20 size %s expire %ds store http_req_rate(%[3]ds)", t.name(l), tableSize, t.interval)
	}
	return fmt.Sprintf("%s type ipv6 size %s expire %ds store http_req_rate(%[3]ds),bytes_in_rate(%[3]ds),bytes_out_rate(%[3]ds)",
		t.name(l), tableSize, t.interval)
}

// rateTables are the tables that a listener's limits count in; the place of each is the number of HAProxy's counter.
func rateTables(l *lbaas.Listener) []rateTable {
	all := allRateTables(l)
	return all[:min(len(all), maxRateTables)]
}

func allRateTables(l *lbaas.Listener) []rateTable {
	var all []rateTable
	for _, p := range l.RateLimitPolicies {
		for _, r := range liveLimits(p) {
			if !slices.Contains(all, tableOf(r)) {
				all = append(all, tableOf(r))
			}
		}
	}
	slices.SortFunc(all, func(a, b rateTable) int {
		return cmp.Or(cmp.Compare(rank(a.paths), rank(b.paths)), cmp.Compare(a.interval, b.interval))
	})
	return all
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// liveLimits are the rules of a policy that count, the oldest first: of one that is on, and that HAProxy can do.
func liveLimits(p *lbaas.RateLimitPolicy) []*lbaas.RateLimitRule {
	if !p.AdminStateUp || rateActions[p.Action] == "" {
		return nil
	}
	live := slices.DeleteFunc(slices.Clone(p.Rules), func(r *lbaas.RateLimitRule) bool { return !r.AdminStateUp })
	if slices.ContainsFunc(live, func(r *lbaas.RateLimitRule) bool { return ruleLack(r) != "" }) {
		return nil
	}
	slices.SortFunc(live, func(a, b *lbaas.RateLimitRule) int { return oldest(&a.Object, &b.Object) })
	return live
}

// fits tells whether there is a table for each rule of a policy.
func fits(l *lbaas.Listener, p *lbaas.RateLimitPolicy) bool {
	there := rateTables(l)
	return !slices.ContainsFunc(liveLimits(p), func(r *lbaas.RateLimitRule) bool { return !slices.Contains(there, tableOf(r)) })
}

// limitPolicies are the policies of a listener that limit anybody, the oldest first.
func limitPolicies(l *lbaas.Listener) []*lbaas.RateLimitPolicy {
	live := slices.DeleteFunc(slices.Clone(l.RateLimitPolicies), func(p *lbaas.RateLimitPolicy) bool {
		return len(liveLimits(p)) == 0 || !fits(l, p)
	})
	slices.SortFunc(live, func(a, b *lbaas.RateLimitPolicy) int { return oldest(&a.Object, &b.Object) })
	return live
}

// track has HAProxy count a listener's clients from their connection on.
func (s section) track(l *lbaas.Listener) {
	if len(limitPolicies(l)) == 0 {
		return
	}
	s.add("option contstats") // bytes count while they flow, not when a connection ends
	for i, t := range rateTables(l) {
		if !t.paths {
			s.add("tcp-request session track-sc%d src table %s/%s", i, Tables, t.name(l))
		}
	}
}

// limits appends a listener's rate limits: what is counted, the rules as ACLs, and what is done if all rules of a policy are
// broken. The thresholds and the URLs are in a map, which changes without a reload. A listener that passes bytes gives a client
// beyond its limit no further connection.
func (s section) limits(l *lbaas.Listener) {
	scope, rules := "txn", "http-request"
	if !L7Protocol(l.Protocol) {
		scope, rules = "sess", "tcp-request session"
	}
	all := limitPolicies(l)
	if slices.ContainsFunc(rateTables(l), func(t rateTable) bool { return t.paths }) && len(all) > 0 {
		s.add("http-request set-var(txn.client) src")
		s.add("http-request set-var(txn.path) path")
	}
	for i, t := range rateTables(l) {
		s.count(l, all, i, t, rules, scope)
	}
	for _, p := range all {
		s.limit(l, p, scope, rules+" "+rateActions[p.Action])
	}
}

// count keeps what counter i says. Requests of a path are counted by a digest of the path and the client; the last dash parts them.
func (s section) count(l *lbaas.Listener, all []*lbaas.RateLimitPolicy, i int, t rateTable, rules, scope string) {
	if t.paths && counts(all, t, lbaas.RateRequestsPerURL) {
		s.add(`acl paths-%d "str(%[1]d),concat(,txn.path),map_str_int(%s,0)" gt 0`, t.interval, FileName(limitsFile(l)))
		s.add(`http-request track-sc%d "path,concat(-,txn.client),sha1" table %s/%s if paths-%d`, i, Tables, t.name(l), t.interval)
	}
	if counts(all, t, lbaas.RateRequests) || counts(all, t, lbaas.RateRequestsPerURL) {
		s.add("%s set-var(%s.requests%d) sc_http_req_rate(%[3]d)", rules, scope, i)
	}
	if counts(all, t, lbaas.RateKBytes) {
		s.add("%s set-var(%s.sent%d) sc_bytes_out_rate(%[3]d)", rules, scope, i)
		s.add(`%s set-var(%s.bytes%d) "sc_bytes_in_rate(%[3]d),add(%[2]s.sent%[3]d)"`, rules, scope, i)
	}
}

func counts(all []*lbaas.RateLimitPolicy, t rateTable, m lbaas.RateLimitMetric) bool {
	return slices.ContainsFunc(all, func(p *lbaas.RateLimitPolicy) bool {
		return slices.ContainsFunc(liveLimits(p), func(r *lbaas.RateLimitRule) bool { return tableOf(r) == t && r.Metric == m })
	})
}

func (s section) limit(l *lbaas.Listener, p *lbaas.RateLimitPolicy, scope, action string) {
	s.Objects = append(s.Objects, p.ID)
	if p.Name != "" {
		s.addFor(p.ID, "# Rate limit policy %s", Comment(p.Name))
	}
	var when []string
	for _, r := range liveLimits(p) {
		key, counter := fmt.Sprintf("str(%s)", r.ID), "requests"
		switch r.Metric {
		case lbaas.RateRequestsPerURL:
			key += ",concat(,txn.path)"
		case lbaas.RateKBytes:
			counter = "bytes"
		}
		i := slices.Index(rateTables(l), tableOf(r))
		s.addFor(p.ID, `acl %s "%s,map_str_int(%s,%s),sub(%s.%s%d)" lt 0`, r.ID, key, FileName(limitsFile(l)), noLimit, scope, counter, i)
		when = append(when, r.ID)
	}
	s.addFor(p.ID, "%s if %s", action, strings.Join(when, " "))
	if refused(p.Name) {
		s.addFor(p.ID, refusedLine)
	}
}

// limitsFile is the name of the map of a listener's thresholds.
func limitsFile(l *lbaas.Listener) string { return "limits-" + l.ID + ".map" }

// limitsMap is the map of a listener's thresholds, or nil. Its keys are rules, rules with a path, and intervals with a path that is
// counted.
func limitsMap(l *lbaas.Listener) *enginepb.File {
	var lines []string
	objects := []string{l.ID}
	for _, p := range limitPolicies(l) {
		objects = append(objects, p.ID)
		for _, r := range liveLimits(p) {
			lines = append(lines, thresholds(r)...)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	slices.Sort(lines)
	var text bytes.Buffer
	for _, line := range slices.Compact(lines) {
		text.WriteString(line + "\n")
	}
	return &enginepb.File{Name: limitsFile(l), Kind: enginepb.File_MAP, Content: text.Bytes(), Objects: objects}
}

func thresholds(r *lbaas.RateLimitRule) (lines []string) {
	switch r.Metric {
	case lbaas.RateKBytes:
		return []string{fmt.Sprintf("%s %d", r.ID, int64(r.Threshold)*1000)}
	case lbaas.RateRequestsPerURL:
		for _, path := range r.URLs {
			lines = append(lines, fmt.Sprintf("%s%s %d", r.ID, path, r.Threshold), fmt.Sprintf("%d%s 1", r.Interval, path))
		}
		return lines
	}
	return []string{fmt.Sprintf("%s %d", r.ID, r.Threshold)}
}
