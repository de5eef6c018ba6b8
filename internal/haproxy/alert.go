package haproxy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// An Alert is what HAProxy refuses of a configuration.
type Alert struct {
	Line int    // in the file, from 1; 0 when HAProxy names none
	Text string // HAProxy's words, without the file's name
}

var (
	alertLine = regexp.MustCompile(`^\[ALERT\]\s+\(\d+\) : (?:config : )?(.*)$`)
	alertFile = regexp.MustCompile(`(?:parsing )?\[[^\]]*:(\d+)\](?: : | )?`)
	names     = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?::[0-9a-f-]{36})?`)
)

// ParseAlerts reads what `haproxy -c` prints. The closing lines that only count the errors are left out.
func ParseAlerts(output []byte) []Alert {
	var alerts []Alert
	for line := range strings.Lines(string(output)) {
		m := alertLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || summary(m[1]) {
			continue
		}
		alert := Alert{Text: m[1]}
		if at := alertFile.FindStringSubmatch(m[1]); at != nil {
			alert.Line, _ = strconv.Atoi(at[1])
			alert.Text = strings.TrimSpace(alertFile.ReplaceAllString(m[1], ""))
		}
		alerts = append(alerts, alert)
	}
	return alerts
}

func summary(text string) bool {
	return strings.HasPrefix(text, "Error(s) found in configuration file") || strings.HasPrefix(text, "Fatal errors found in configuration")
}

// Blame names the objects that HAProxy refuses, in the order of its alerts, each once: by the file that the alert names, else by the
// line, else by the last frontend, backend or server that the alert names.
func Blame(alerts []Alert, lines LineMap) []string {
	var blamed []string
	for _, a := range alerts {
		if id := lines.culprit(a); id != "" && !slices.Contains(blamed, id) {
			blamed = append(blamed, id)
		}
	}
	return blamed
}

// cipherAlert is what HAProxy says of a server's line where it cannot read the ciphers, which are the pool's.
var cipherAlert = regexp.MustCompile(`unable to set (SSL cipher list|TLS 1\.3 cipher suites)`)

func (m LineMap) culprit(a Alert) string {
	id := m.Object(a.Line)
	for _, name := range names.FindAllString(a.Text, -1) {
		if owner := m.names[name]; owner != "" && (a.Line == 0 || cipherAlert.MatchString(a.Text) && strings.Contains(name, ":")) {
			id = owner
		}
	}
	for _, name := range fileWord.FindAllStringSubmatch(a.Text, -1) {
		if m.files[name[1]] != "" {
			id = m.files[name[1]]
		}
	}
	return id
}
