package haproxy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/provider"
	"plimsoll/lbaas"
)

// terminated makes the listener end TLS, with everything that there is to say about that.
func terminated(versions []string, ciphers string) func(lb *lbaas.LoadBalancer) {
	return func(lb *lbaas.LoadBalancer) {
		l, age := lb.Listeners[0], 1
		l.Protocol, l.DefaultTLSContainerRef, l.SNIContainerRefs = lbaas.TerminatedHTTPS, "x", []string{"x", "y"}
		l.ClientCATLSContainerRef, l.ClientCRLContainerRef, l.ClientAuthentication = "x", "x", lbaas.ClientAuthMandatory
		l.HSTSMaxAge, l.TLSVersions, l.TLSCiphers = &age, versions, ciphers
	}
}

// reencrypted makes the pool speak TLS.
func reencrypted(versions []string, ciphers string) func(lb *lbaas.LoadBalancer) {
	return func(lb *lbaas.LoadBalancer) {
		p := lb.Pools[0]
		p.TLSEnabled, p.TLSContainerRef, p.CATLSContainerRef, p.CRLContainerRef = true, "x", "x", "x"
		p.TLSVersions, p.TLSCiphers = versions, ciphers
	}
}

func TestUnsupportedTLS(t *testing.T) {
	const suite = "TLS_AES_128_GCM_SHA256"
	cases := []struct {
		option   string // "" is supported
		versions []string
		ciphers  string
	}{
		{"tls_versions SSLv3, TLSv1.3", []string{"SSLv3", "TLSv1.3"}, ""},
		{"tls_versions SSLv3", []string{"SSLv3"}, ""},
		{"tls_versions TLSv1, TLSv1.2", []string{"TLSv1", "TLSv1.2"}, lbaas.DefaultCiphers},
		{"tls_ciphers of TLSv1.3 alone with tls_versions TLSv1.2", []string{"TLSv1.2"}, suite},
		{"", []string{"TLSv1.3", "TLSv1.2"}, suite},
		{"", []string{"TLSv1.3", "TLSv1.1", "TLSv1.2", "TLSv1"}, lbaas.DefaultCiphers},
		{"", []string{"TLSv1"}, "AES128-SHA"},
		{"", nil, ""},
		{"", nil, suite},
	}
	for _, test := range cases {
		for what, set := range map[string]func(*lbaas.LoadBalancer){
			"listener": terminated(test.versions, test.ciphers), "pool": reencrypted(test.versions, test.ciphers),
		} {
			lb := newWorld().Tree(t)
			set(lb)
			var want []provider.OptionError
			if test.option != "" {
				want = []provider.OptionError{{ObjectID: map[string]string{"listener": lb.Listeners[0].ID, "pool": lb.Pools[0].ID}[what], Option: test.option}}
			}
			if diff := cmp.Diff(want, Unsupported(lb)); diff != "" && (len(want) > 0 || len(Unsupported(lb)) > 0) {
				t.Errorf("%s of versions %v and ciphers %q (-want +got):\n%s", what, test.versions, test.ciphers, diff)
			}
		}
	}
}

// TestTLSWithoutTLS has what means nothing, since nothing speaks TLS.
func TestTLSWithoutTLS(t *testing.T) {
	lb := newWorld().Tree(t)
	reencrypted([]string{"SSLv3"}, "x")(lb)
	lb.Pools[0].TLSEnabled = false
	lb.Listeners[0].TLSVersions = []string{"SSLv3"}
	if got := Unsupported(lb); len(got) > 0 {
		t.Errorf("unsupported: %v", got)
	}
}
