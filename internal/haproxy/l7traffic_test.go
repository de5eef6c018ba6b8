package haproxy

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/lbaas"
)

// TestRulesOfCertificates decides by clients' certificates, and by the name in a request of HTTP/2.
func TestRulesOfCertificates(t *testing.T) {
	t.Parallel()
	secrets, a := testSecrets(t)
	lb := newTree()
	l := addTLSListener(lb, 1, 443, "")
	l.ClientAuthentication, l.ClientCATLSContainerRef = lbaas.ClientAuthOptional, refCA
	cases := []struct {
		name string
		rule [4]string // type, comparison, key, value
		cn   string    // of the client's certificate; "" is none
		want int
	}{
		{"a certificate", [4]string{"SSL_CONN_HAS_CERT", "EQUAL_TO", "", "True"}, "any", 403},
		{"no certificate", [4]string{"SSL_CONN_HAS_CERT", "EQUAL_TO", "", "True"}, "", 503},
		{"verified", [4]string{"SSL_VERIFY_RESULT", "EQUAL_TO", "", "0"}, "any", 403},
		{"not verified", [4]string{"SSL_VERIFY_RESULT", "EQUAL_TO", "", "10"}, "any", 503},
		{"equal", [4]string{"SSL_DN_FIELD", "EQUAL_TO", "CN", `"Ann" é, $HOME`}, `"Ann" é, $HOME`, 403},
		{"equal, not", [4]string{"SSL_DN_FIELD", "EQUAL_TO", "CN", "Ann"}, "ann", 503},
		{"starts", [4]string{"SSL_DN_FIELD", "STARTS_WITH", "CN", "An"}, "Ann", 403},
		{"ends", [4]string{"SSL_DN_FIELD", "ENDS_WITH", "CN", "nn"}, "Ann", 403},
		{"contains", [4]string{"SSL_DN_FIELD", "CONTAINS", "CN", "n n"}, "Ann n", 403},
		{"regex", [4]string{"SSL_DN_FIELD", "REGEX", "CN", `^(.)\1$`}, "aa", 403},
		{"regex, not", [4]string{"SSL_DN_FIELD", "REGEX", "CN", `^(.)\1$`}, "ab", 503},
		{"another field", [4]string{"SSL_DN_FIELD", "REGEX", "OU", "."}, "Ann", 503},
		{"host", [4]string{"HOST_NAME", "EQUAL_TO", "", "www.example.com"}, "", 403},
	}
	for i, test := range cases {
		p := addPolicy(l, 1+i, lbaas.Reject)
		addRule(p, lbaas.RulePath, lbaas.CompareEqualTo, "", "/"+string(rune('a'+i)))
		r := addRule(p, lbaas.L7RuleType(test.rule[0]), lbaas.CompareType(test.rule[1]), test.rule[2], test.rule[3])
		if err := r.Validate(); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
	}
	at := local(t, lb)
	running(t, lb, secrets)
	for i, test := range cases {
		config := &tls.Config{ServerName: "www.example.com"}
		if test.cn != "" {
			config.Certificates = []tls.Certificate{pair(t, a.issue(ecKey(t), test.cn))}
		}
		answer, err := a.client(config).Do(asked(t, "https://"+at[0]+"/"+string(rune('a'+i))))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		answer.Body.Close()
		if diff := cmp.Diff([]int{2, test.want}, []int{answer.ProtoMajor, answer.StatusCode}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func asked(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "WWW.example.com"
	return r
}
