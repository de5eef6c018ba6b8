package identity

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var hexID = strings.Repeat("0123456789abcdef", 2)

func sampleTokens() map[string]*Token {
	at := time.UnixMicro(1_700_000_000_123_456).UTC()
	return map[string]*Token{
		"unscoped": {Methods: []string{"password"}, UserID: hexID, IssuedAt: at, ExpiresAt: at.Add(time.Hour), AuditID: AuditID{1}},
		"project": {
			Methods: []string{"password", "token"}, UserID: hexID, Scope: Scope{ProjectScope, hexID}, IssuedAt: at, ExpiresAt: at,
			UserEpoch: 3, ScopeEpoch: 1 << 40, AuditID: AuditID{1, 2}, ParentAuditID: AuditID{3},
		},
		"default domain": {Methods: []string{"token"}, UserID: "alice", Scope: Scope{DomainScope, "default"}, IssuedAt: at, ExpiresAt: at},
		"system":         {Methods: []string{"password"}, UserID: strings.ToUpper(hexID), Scope: System(), IssuedAt: at, ExpiresAt: at},
		"application credential": {
			Methods: []string{"application_credential"}, UserID: hexID, Scope: Scope{ProjectScope, hexID},
			AppCredentialID: hexID, IssuedAt: at, ExpiresAt: at,
		},
	}
}

func TestTokenIsReadAsItWasWritten(t *testing.T) {
	for name, want := range sampleTokens() {
		b := want.Encode()
		got, err := DecodeToken(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if len(b) > 120 {
			t.Errorf("%s takes %d bytes", name, len(b))
		}
		for n := range len(b) {
			if _, err := DecodeToken(b[:n]); err == nil {
				t.Errorf("%s cut to %d of %d bytes is read", name, n, len(b))
			}
		}
		if _, err := DecodeToken(append(b, 0)); err == nil {
			t.Errorf("%s with a byte after it is read", name)
		}
	}
}

func FuzzDecodeToken(f *testing.F) {
	for _, t := range sampleTokens() {
		f.Add(t.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		token, err := DecodeToken(b)
		if err != nil {
			return
		}
		again, err := DecodeToken(token.Encode())
		if err != nil {
			t.Fatalf("%+v cannot be read again: %v", token, err)
		}
		if diff := cmp.Diff(token, again); diff != "" {
			t.Errorf("(-first +second):\n%s", diff)
		}
	})
}
