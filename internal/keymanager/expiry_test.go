package keymanager

import (
	"strings"
	"testing"
)

func TestNotAfter(t *testing.T) {
	for _, name := range []string{"", "make.sh", "rsa.key", "rsa.secret.p12", "rsa.slow.p12"} {
		if got := NotAfter(file(t, name)); !got.IsZero() {
			t.Errorf("bad %s: it expires at %v", name, got)
		}
	}
	for names, of := range map[string]string{
		"rsa.pem": "rsa.pem", "ec.der": "ec.der", "rsa.enc.key rsa.pem": "rsa.pem", "chain.p7.der": "chain.pem", "chain.pem": "chain.pem",
	} {
		want, err := ParseAuthorities(file(t, of))
		if err != nil {
			t.Fatal(err)
		}
		if got := NotAfter(file(t, strings.Fields(names)...)); !got.Equal(want.NotAfter) {
			t.Errorf("NotAfter(%s) = %v, want %v", names, got, want.NotAfter)
		}
	}
	bundle, err := ParseBundle(file(t, "rsa.p12"), nil)
	if got := NotAfter(file(t, "rsa.p12")); err != nil || !got.Equal(bundle.NotAfter) {
		t.Errorf("NotAfter of PKCS#12 = %v, want %v, %v", got, bundle.NotAfter, err)
	}
	crl, err := ParseRevocations(file(t, "ca.crl.der"))
	if got := NotAfter(file(t, "ca.crl.pem")); err != nil || !got.Equal(crl.NotAfter) {
		t.Errorf("NotAfter of a revocation list = %v, want %v, %v", got, crl.NotAfter, err)
	}
}
