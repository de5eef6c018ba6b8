package engine

import (
	"errors"
	"fmt"
	"net/netip"
	"os/user"
	"slices"
	"strings"

	"plimsoll/internal/haproxy"
)

// A rule judges the words that follow a directive.
type rule func(words []string) error

// directives are what the engine lets HAProxy read, by kind of section. HAProxy reads its configuration as root: another
// directive could make it run a program, show any file of the host, or make sockets where it likes, and serve, from
// which a Spec comes, is not root. A directive that package haproxy comes to render has to be added here. A word that names a
// file is judged by files.file, options among which there are such words by files.words.
func directives(files known) map[string]map[string]rule {
	proxy := map[string]rule{"mode": any1, "timeout": any2, "maxconn": any1}
	frontend := map[string]rule{
		"bind":            files.bind,
		"acl":             files.acl,
		"default_backend": any1,
		"use_backend":     checkUseBackend,
		"option":          oneOf("idle-close-on-response", "forwardfor", "contstats"),
		"tcp-request":     either(checkTCPRequest, "session"),
		"http-request":    either(checkHTTPRequest),
		"log":             only(strings.Fields(haproxy.LogTarget)[1:]...),
		"log-format":      oneOf(haproxy.LogFormats()...),
		"capture":         only(strings.Fields(haproxy.LogCapture)[1:]...),

		"http-after-response": checkAfterResponse,
	}
	backend := map[string]rule{
		"balance":        checkBalance,
		"hash-type":      oneOf("consistent"),
		"http-reuse":     any1,
		"option":         oneOf("allbackups", "httpchk"),
		"http-check":     checkHTTPCheck,
		"default-server": files.serverWords,
		"cookie":         only("SRV", "insert", "indirect", "nocache"),
		"stick-table":    matches(stickTable),
		"stick":          checkStick,
		"tcp-request":    only("content", "set-var-fmt(txn.client)", "%[src]:%[src_port]"),
		"server":         only(strings.Fields(haproxy.ExporterServer)[1:]...),
	}
	for word, r := range proxy {
		frontend[word], backend[word] = r, r
	}
	return map[string]map[string]rule{
		"global": {
			"user": checkUser, "group": checkGroup, "hard-stop-after": any1, "maxconn": any1,
			"httpclient.ssl.verify":     only("none"),
			"tune.ssl.default-dh-param": only(strings.Fields(haproxy.DHParameters)[1:]...),
			"tune.maxrewrite":           only(strings.Fields(haproxy.RewriteSize)[1:]...),
			"tune.bufsize":              only(strings.Fields(haproxy.BufferSize)[1:]...),
			"stats":                     only(strings.Fields(haproxy.StatsSocket)[1:]...),
			"server-state-file":         only(haproxy.StateFile),
		},
		"defaults": {"load-server-state-from-file": only("global"), "retries": any1, "option": oneOf("redispatch")},
		"frontend": frontend,
		"backend":  backend,
		"peers":    peers(),
	}
}

// serverOptions are the words of a server or default-server line, and how many follow each. Those that a file's name follows are
// fileOptions.
var serverOptions = map[string]int{
	"check-alpn": 1, "check-proto": 1,
	"backup": 0, "check": 0, "check-ssl": 0, "send-proxy": 0, "send-proxy-v2": 0, "ssl": 0,
	"addr": 1, "alpn": 1, "check-sni": 1, "cookie": 1, "ciphers": 1, "ciphersuites": 1, "fall": 1, "inter": 1, "port": 1, "rise": 1, "sni": 1,
	"ssl-max-ver": 1, "ssl-min-ver": 1, "track": 1, "verify": 1,
}

// checkLine refuses a line that is no directive of its kind of section.
func checkLine(allowed map[string]rule, line string) error {
	if !oneLine(line) {
		return fmt.Errorf("%q is not one line", line)
	}
	if strings.HasPrefix(line, "#") {
		return nil
	}
	// The directive itself is compared as it stands, so that HAProxy cannot read another word out of quotes.
	directive, rest, _ := strings.Cut(line, " ")
	check := allowed[directive]
	if check == nil {
		return fmt.Errorf("the engine takes no %q", directive)
	}
	words, err := split(rest)
	if err == nil {
		err = check(words)
	}
	if err != nil {
		return fmt.Errorf("%q: %w", line, err)
	}
	return nil
}

// split reads words as HAProxy does (its manual, section 2.2, "Quoting and escaping"). It refuses what our own quoting
// never writes: single quotes, variables and comments.
func split(line string) (words []string, err error) {
	var word strings.Builder
	inWord, quoted := false, false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '\\' && i+1 < len(line) && strings.IndexByte(`\"$`, line[i+1]) >= 0 && quoted:
			i++
			word.WriteByte(line[i])
		case c == '"':
			quoted, inWord = !quoted, true
		case c == ' ' && !quoted:
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
		case c == '\\' || c == '$' || !quoted && strings.IndexByte("'#\t", c) >= 0 || c < ' ' || c == 0x7f:
			return nil, fmt.Errorf("the character %q must not be there", c)
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quoted {
		return nil, errors.New("a quote is not closed")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

func any1(words []string) error { return followed(words, 1) }
func any2(words []string) error { return followed(words, 2) }

func followed(words []string, n int) error {
	if len(words) != n {
		return fmt.Errorf("%d words follow, not %d", len(words), n)
	}
	return nil
}

func only(want ...string) rule {
	return func(words []string) error {
		if !slices.Equal(words, want) {
			return fmt.Errorf("it must be %q", strings.Join(want, " "))
		}
		return nil
	}
}

func oneOf(want ...string) rule {
	return func(words []string) error {
		if len(words) != 1 || !slices.Contains(want, words[0]) {
			return fmt.Errorf("it must be one of %q", want)
		}
		return nil
	}
}

// checkUser refuses a user that is root by any name: HAProxy stays what it is told to become.
func checkUser(words []string) error {
	if err := any1(words); err != nil {
		return err
	}
	if u, err := user.Lookup(words[0]); err == nil && u.Uid == "0" || words[0] == "root" {
		return errors.New("HAProxy must not run as root")
	}
	return nil
}

func checkGroup(words []string) error {
	if err := any1(words); err != nil {
		return err
	}
	if g, err := user.LookupGroup(words[0]); err == nil && g.Gid == "0" || words[0] == "root" {
		return errors.New("HAProxy must not run in root's group")
	}
	return nil
}

// checkACL wants networks: HAProxy would also read them from a file.
func checkACL(words []string) error {
	if len(words) != 3 || words[1] != "src" {
		return errors.New("it must be a name, src and a network")
	}
	_, err := netip.ParsePrefix(words[2])
	if err != nil {
		_, err = netip.ParseAddr(words[2])
	}
	return err
}

func checkTCPRequest(words []string) error {
	if len(words) == 2 && words[0] == "inspect-delay" {
		return nil
	}
	return only("connection", "reject", "unless", "allowed")(words)
}

// checkHTTPRequest knows the headers' values: other expressions could read files.
func checkHTTPRequest(words []string) error {
	if slices.Equal(words, haproxy.StripSSLHeaders()) {
		return nil
	}
	if len(words) != 3 || words[0] != "set-header" || !slices.Contains(haproxy.HeaderValues(), words[2]) {
		return errors.New("it must set a header to a value that is known")
	}
	return nil
}

func checkHTTPCheck(words []string) error {
	if len(words) == 3 && words[0] == "expect" && words[1] == "status" {
		return nil
	}
	if len(words) == 0 || words[0] != "send" {
		return errors.New("it must send or expect status")
	}
	for words = words[1:]; len(words) > 1; words = words[2:] {
		switch words[0] {
		case "meth", "uri", "ver":
		case "hdr":
			// A header's value is an expression, which begins with a percent sign that is not doubled.
			if words = words[1:]; len(words) < 2 || strings.Contains(strings.ReplaceAll(words[1], "%%", ""), "%") {
				return errors.New("a header must have a value that is no expression")
			}
		default:
			return fmt.Errorf("it must not send %q", words[0])
		}
	}
	return followed(words, 0)
}

func (k known) serverWords(words []string) error { return k.words(words, serverOptions) }
