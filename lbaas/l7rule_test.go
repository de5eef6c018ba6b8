package lbaas

import (
	"strings"
	"testing"
)

func TestL7RuleValidate(t *testing.T) {
	const (
		parsing = "Error parsing L7Rule: "
		rule    = parsing + "Invalid L7 Rule: "
		compare = rule + "invalid comparison type for rule type"
		noValue = rule + "L7 rule type requires a value"
		noKey   = rule + "L7 rule type requires a key"
		regex   = parsing + "Unable to parse regular expression: "
	)
	long := strings.Repeat("v", 256)
	tooLong := "Value should have a maximum character requirement of 255"
	line := `Value should match the pattern ^[^\r\n]*$`
	tests := []struct {
		name       string
		kind       L7RuleType
		compare    CompareType
		key, value string
		want       string
	}{
		{"bad type", "METHOD", CompareEqualTo, "", "x", field("type", "METHOD", "Value should be one of: COOKIE, FILE_TYPE, HEADER, HOST_NAME, PATH, SSL_CONN_HAS_CERT, SSL_DN_FIELD, SSL_VERIFY_RESULT")},
		{"bad type: null", "", CompareEqualTo, "", "x", rule + "invalid rule type"},
		{"bad comparison", RulePath, "IS", "", "x", field("compare_type", "IS", "Value should be one of: CONTAINS, ENDS_WITH, EQUAL_TO, REGEX, STARTS_WITH")},
		{"bad comparison: null", RulePath, "", "", "x", compare},
		{"bad comparison of a DN: null", RuleSSLDNField, "", "CN", "x", compare},
		{"bad key: long", RuleHeader, CompareEqualTo, long, "x", field("key", long, tooLong)},
		{"bad key: two lines", RuleHeader, CompareEqualTo, "a\nb", "x", field("key", "a\nb", line)},
		{"bad value: long", RulePath, CompareEqualTo, "", long, field("value", long, tooLong)},
		{"bad value: two lines", RulePath, CompareRegex, "", "a\r", field("value", "a\r", line)},
		{"bad value: none", RulePath, CompareRegex, "", "", noValue},
		{"bad value: none, of TLS", RuleSSLConnHasCert, CompareEqualTo, "", "", noValue},

		{"bad header: no key", RuleHeader, CompareEqualTo, "", "x", noKey},
		{"bad header key", RuleHeader, CompareEqualTo, "a b", "x", parsing + "Invalid characters in key"},
		{"bad header key: a colon", RuleHeader, CompareRegex, "a:", "x", parsing + "Invalid characters in key"},
		{"bad header value", RuleHeader, CompareEqualTo, "X-A", "a b", parsing + "Invalid characters in header value"},
		{"bad header value: half quoted", RuleHeader, CompareContains, "X-A", `"a b`, parsing + "Invalid characters in header value"},
		{"bad header value: not ASCII", RuleHeader, CompareContains, "X-A", "é", parsing + "Invalid characters in header value"},
		{"bad header expression", RuleHeader, CompareRegex, "X-A", "(a", regex + "missing closing ): (a"},
		{"bad cookie: no key", RuleCookie, CompareRegex, "", "x", noKey},
		{"bad cookie key", RuleCookie, CompareEqualTo, "a;b", "x", parsing + "Invalid characters in key"},
		{"bad cookie value", RuleCookie, CompareStartsWith, "a", "a;b", parsing + "Invalid characters in cookie value"},
		{"bad cookie value: quoted", RuleCookie, CompareEqualTo, "a", `"a"`, parsing + "Invalid characters in cookie value"},
		{"bad cookie value: backslash", RuleCookie, CompareEqualTo, "a", `a\b`, parsing + "Invalid characters in cookie value"},
		{"bad host", RuleHostName, CompareEqualTo, "", "a b", parsing + "Invalid characters in comparison value"},
		{"bad path", RulePath, CompareStartsWith, "", "/a b", parsing + "Invalid characters in comparison value"},
		{"bad path expression: a tab", RulePath, CompareRegex, "", "a\tb", regex + "contains control characters"},
		{"bad header expression: a control character", RuleHeader, CompareRegex, "X-A", "a\u0085", regex + "contains control characters"},
		{"bad path expression", RulePath, CompareRegex, "", "*", regex + "missing argument to repetition operator: *"},
		{"bad file type comparison", RuleFileType, CompareStartsWith, "", "jpg", compare},
		{"bad file type", RuleFileType, CompareEqualTo, "", "a b", parsing + "Invalid characters in comparison value"},
		{"bad certificate: key", RuleSSLConnHasCert, CompareEqualTo, "k", "True", rule + `L7rule type SSL_CONN_HAS_CERT does not use the "key" field.`},
		{"bad certificate: value", RuleSSLConnHasCert, CompareEqualTo, "", "yes", rule + "L7rule value yes is not a boolean True string."},
		{"bad certificate: comparison", RuleSSLConnHasCert, CompareRegex, "", "true", rule + "L7rule type SSL_CONN_HAS_CERT only supports the EQUAL_TO compare type."},
		{"bad verify result: key", RuleSSLVerifyResult, CompareEqualTo, "k", "1", rule + `L7rule type SSL_VERIFY_RESULT does not use the "key" field.`},
		{"bad verify result: value", RuleSSLVerifyResult, CompareEqualTo, "", "-1", rule + "L7rule type SSL_VERIFY_RESULT needs a int value, which is >= 0"},
		{"bad verify result: sign", RuleSSLVerifyResult, CompareEqualTo, "", "+1", rule + "L7rule type SSL_VERIFY_RESULT needs a int value, which is >= 0"},
		{"bad verify result: large", RuleSSLVerifyResult, CompareEqualTo, "", "2147483648", rule + "L7rule type SSL_VERIFY_RESULT needs a int value, which is >= 0"},
		{"bad verify result: comparison", RuleSSLVerifyResult, CompareContains, "", "1", rule + "L7rule type SSL_VERIFY_RESULT only supports the EQUAL_TO compare type."},
		{"bad DN: no key", RuleSSLDNField, CompareEqualTo, "", "x", rule + "L7rule type SSL_DN_FIELD needs to specify a key and a value."},
		{"bad DN: key", RuleSSLDNField, CompareEqualTo, "1CN", "x", rule + "Invalid L7rule distinguished name field."},
		{"bad DN: expression", RuleSSLDNField, CompareRegex, "CN", "[", regex + "missing closing ]: ["},

		{"host", RuleHostName, CompareEqualTo, "", "www.example.com", ""},
		{"quoted host", RuleHostName, CompareContains, "", `"a b"`, ""},
		{"path", RulePath, CompareStartsWith, "", `/a;b=c?d\e"`, ""},
		{"path expression", RulePath, CompareRegex, "", `^/(?!admin)\w+ x`, ""},
		{"file type", RuleFileType, CompareRegex, "", "jpe?g|png", ""},
		{"header", RuleHeader, CompareEndsWith, "X-My_Header.1~", "x", ""},
		{"quoted header", RuleHeader, CompareEqualTo, "X-A", "\"a \tb\"", ""},
		{"cookie", RuleCookie, CompareEqualTo, "sid|", "a=b&c[d]", ""},
		{"certificate", RuleSSLConnHasCert, CompareEqualTo, "", "tRuE", ""},
		{"verify result", RuleSSLVerifyResult, CompareEqualTo, "", "010", ""},
		{"DN", RuleSSLDNField, CompareStartsWith, "OU-3", "Sales & Söhne", ""},
		{"DN expression", RuleSSLDNField, CompareRegex, "STREET", `^STREET.*NO\.$`, ""},
	}
	for _, test := range tests {
		r := NewL7Rule()
		r.Type, r.CompareType, r.Key, r.Value = test.kind, test.compare, test.key, test.value
		judge(t, test.name, r.Validate(), test.want)
	}
	r := NewL7Rule()
	r.Type, r.CompareType, r.Value, r.Tags = RulePath, CompareEqualTo, "/", []string{"a", "a"}
	judge(t, "bad tags", r.Validate(), field("tags", "a", "Value should be unique"))
}

func TestL7RuleTidy(t *testing.T) {
	for _, kind := range L7RuleTypes() {
		r := &L7Rule{Type: kind, Key: "k"}
		r.Tidy()
		keeps := kind != RuleHostName && kind != RulePath && kind != RuleFileType
		if (r.Key == "k") != keeps {
			t.Errorf("%s: the key is %q", kind, r.Key)
		}
	}
}
