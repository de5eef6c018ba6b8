package haproxy

import (
	"strings"

	"plimsoll/internal/haproxy"
	"plimsoll/lbaas"
)

// The ciphers, versions and ALPN protocols of TLS mean nothing without TLS, to Octavia as to us, and the API stores their
// defaults on listeners and pools of any protocol. References mean nothing without it either.
func (all *lacks) tls(l *lbaas.Listener) {
	if l.UsesTLS() {
		all.cryptography(l.ID, l.TLSVersions, l.TLSCiphers)
	}
}

func (all *lacks) poolTLS(p *lbaas.Pool) {
	if p.TLSEnabled {
		all.cryptography(p.ID, p.TLSVersions, p.TLSCiphers)
	}
}

// cryptography names versions that HAProxy cannot speak without speaking others, and ciphers of which no version has any use.
func (all *lacks) cryptography(id string, versions []string, ciphers string) {
	named := "tls_versions " + strings.Join(versions, ", ")
	all.when(id, !haproxy.VersionsSupported(versions), named)
	all.when(id, !haproxy.CiphersSupported(ciphers, versions), "tls_ciphers of TLSv1.3 alone with "+named)
}
