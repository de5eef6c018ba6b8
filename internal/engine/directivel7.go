package engine

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
)

// The expressions of L7 rules, rate limits and session persistence. Others could read files, the environment, or run programs, so each
// is spelled out here; an argument has only characters that end neither itself nor its brackets.
var (
	argument7   = "(?:[0-9A-Za-z!#$%&*+.^_`|~-]|\\\\')+"
	requestPart = regexp.MustCompile(`^(?:path|path,field\(-1,\.\)|(?:req\.hdr|req\.cook|ssl_c_s_dn)\(` + argument7 + `\))$`)
	cookieHash  = regexp.MustCompile(`^re[qs]\.cook\(` + argument7 + `\),sha1$`)
	threshold   = regexp.MustCompile(`^str\([0-9a-f-]+\)(?:,concat\(,txn\.path\))?,map_str_int\(([^,()]+),[0-9]+\)` +
		`(?:,sub\((?:txn|sess)\.(?:requests|bytes)[0-9]\))?$`)
	tracked    = regexp.MustCompile(`^track-sc[0-2] (?:src|path,concat\(-,txn\.client\),sha1) table ` + haproxy.Tables + `/[0-9a-z-]+$`)
	assignment = regexp.MustCompile(`^set-var\((?:txn|sess)\.[a-z]+[0-9]?\) (?:src|path|sc_(?:http_req|bytes_out)_rate\([0-2]\)|` +
		`sc_bytes_in_rate\([0-2]\),add\((?:txn|sess)\.[a-z]+[0-9]\))$`)
	counters7 = regexp.MustCompile(`^[0-9a-z-]+ type (?:ipv6|binary len 20) size [0-9]+k expire [0-9]+s ` +
		`store http_req_rate\([0-9]+s\)(?:,bytes_in_rate\([0-9]+s\),bytes_out_rate\([0-9]+s\))?$`)
	stickTable = regexp.MustCompile(`^type (?:ipv6|binary len 20) size [0-9]+k peers ` + haproxy.Tables + `$`)
	redirect   = regexp.MustCompile(`^30[12378]$`)
	count7     = regexp.MustCompile(`^[0-9]+$`)
)

var comparisons = []string{"reg", "beg", "end", "sub", "str"}

// acl is the rule for ACLs: clients' networks, parts of requests, and counters beyond their thresholds.
func (k known) acl(words []string) error {
	if len(words) < 2 || !plainName(words[0]) {
		return errors.New("it must be a name and what it stands for")
	}
	sample := words[1]
	switch {
	case sample == "src":
		return checkACL(words)
	case sample == "ssl_c_used":
		return followed(words, 2)
	case sample == "ssl_c_verify":
		if len(words) != 4 || words[2] != "eq" || !count7.MatchString(words[3]) {
			return errors.New("it must equal a number")
		}
		return nil
	case requestPart.MatchString(sample):
		return checkPattern(words[2:])
	}
	return k.threshold(words[1:])
}

// checkPattern wants one value, behind the dashes that end the options: among them are names of files.
func checkPattern(words []string) error {
	if len(words) > 0 && words[0] == "-i" {
		words = words[1:]
	}
	if len(words) != 4 || words[0] != "-m" || !slices.Contains(comparisons, words[1]) || words[2] != "--" {
		return errors.New("it must be compared with one value")
	}
	return nil
}

func (k known) threshold(words []string) error {
	parts := threshold.FindStringSubmatch(words[0])
	if parts == nil || len(words) != 3 || words[1] != "lt" && words[1] != "gt" || words[2] != "0" {
		return fmt.Errorf("%q must not be looked at", words[0])
	}
	return k.file(parts[1], enginepb.File_MAP)
}

// checkUseBackend wants a backend's name, and when.
func checkUseBackend(words []string) error {
	if len(words) < 2 || !plainName(words[0]) {
		return errors.New("it must be a backend and a condition")
	}
	return checkCondition(words[1:])
}

// checkCondition wants names of ACLs.
func checkCondition(words []string) error {
	if len(words) < 2 || words[0] != "if" {
		return errors.New("it must end with a condition")
	}
	for _, w := range words[1:] {
		if !plainName(strings.TrimPrefix(w, "!")) {
			return fmt.Errorf("%q is no name of an ACL", w)
		}
	}
	return nil
}

// checkDoing is the rule for what is done with a request, or with a connection, under a condition; and for counting. It tells whether
// the words are any of that.
func checkDoing(words []string) (is bool, err error) {
	i := slices.Index(words, "if")
	if i < 0 {
		text := strings.Join(words, " ")
		return tracked.MatchString(text) || assignment.MatchString(text), nil
	}
	switch text := strings.Join(words[:i], " "); {
	case text == "deny", text == "deny deny_status 429", text == "deny deny_status 404", text == "reject", text == "silent-drop", tracked.MatchString(text):
	case i == 5 && words[0] == "redirect":
		err = checkRedirect(words[1:i])
	default:
		return false, nil
	}
	if err != nil {
		return true, err
	}
	return true, checkCondition(words[i:])
}

// checkRedirect wants a target that is no expression, which begins with a percent sign that is not doubled.
func checkRedirect(words []string) error {
	if words[0] != "location" && words[0] != "prefix" || words[2] != "code" || !redirect.MatchString(words[3]) {
		return errors.New("it must redirect to a location or prefix, with a code")
	}
	if strings.Contains(strings.ReplaceAll(words[1], "%%", ""), "%") {
		return errors.New("it must not redirect to an expression")
	}
	return nil
}

// either is a rule that takes requests' rules, too.
func either(other rule, prefix ...string) rule {
	return func(words []string) error {
		if n := len(prefix); len(words) >= n && slices.Equal(words[:n], prefix) {
			if is, err := checkDoing(words[n:]); is {
				return err
			}
		}
		return other(words)
	}
}

func checkBalance(words []string) error {
	if slices.Equal(words, []string{"hash", "var(txn.client)"}) {
		return nil
	}
	return oneOf("roundrobin", "leastconn", "source")(words)
}

func checkStick(words []string) error {
	if slices.Equal(words, []string{"on", "src"}) {
		return nil
	}
	if len(words) != 2 || words[0] != "match" && words[0] != "store-response" || !cookieHash.MatchString(words[1]) {
		return errors.New("it must stick to an address or a cookie")
	}
	return nil
}

func matches(pattern *regexp.Regexp) rule {
	return func(words []string) error {
		if !pattern.MatchString(strings.Join(words, " ")) {
			return errors.New("the engine takes no such table")
		}
		return nil
	}
}

// peers are the directives of the section that has tables outlive a reload. HAProxy's only peer is its successor, in the load
// balancer's namespace.
func peers() map[string]rule {
	return map[string]rule{"peer": only(haproxy.LocalPeer, haproxy.PeerAddress), "table": matches(counters7)}
}
