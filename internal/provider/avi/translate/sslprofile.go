package translate

import (
	"slices"
	"strconv"
	"strings"
)

// sslProfile says how a listener, or a pool, speaks TLS.
type sslProfile struct {
	id       string // of the listener or pool
	name     string
	ciphers  string // OpenSSL's names, with colons between; "" is Avi's choice
	versions []string
}

// sslVersions are Avi's words for versions of TLS. Of SSLv3 it knows nothing.
var sslVersions = map[string]string{
	"TLSv1":   "SSL_VERSION_TLS1",
	"TLSv1.1": "SSL_VERSION_TLS1_1",
	"TLSv1.2": "SSL_VERSION_TLS1_2",
	tlsV13:    tls13,
}

const (
	tls13      = "SSL_VERSION_TLS1_3"
	tls13Since = "18.2.6" // of the data model, as its cipher suites
	tlsV13     = "TLSv1.3"
	// allSuites are the cipher suites of TLS 1.3 that Avi takes where none are named.
	allSuites = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"
)

// sslProfile makes a profile.
func (t *translation) sslProfile(s sslProfile) Object {
	name := bounded(s.name)
	owned := map[string]any{"name": name, "description": ""}
	if versions := t.versions(spoken(s.versions, s.ciphers)); len(versions) > 0 {
		owned["accepted_versions"] = versions
	}
	ciphers, suites := splitCiphers(s.ciphers)
	if ciphers != "" {
		owned["accepted_ciphers"] = ciphers
	}
	if t.knowsTLS13() {
		owned["ciphersuites"] = orElse(suites, allSuites)
	}
	return Object{Kind: SSLProfile, UUID: UUID(SSLProfile, s.id), Alias: alias(name, dashed(s.id)), For: []string{s.id}, Owned: owned}
}

// versions are versions of TLS as far as the data model knows them. Where it knows none of them they are asked for all the same, so that
// the controller refuses them: others that nobody asked for would be worse.
func (t *translation) versions(versions []string) []any {
	asked, known := []any{}, []any{}
	for _, v := range versions {
		word, found := sslVersions[v]
		if !found {
			word = "SSL_VERSION_" + strings.ToUpper(v)
		}
		version := map[string]any{"type": word}
		asked = append(asked, version)
		if found && (word != tls13 || t.knowsTLS13()) {
			known = append(known, version)
		}
	}
	if len(known) == 0 {
		return asked
	}
	return known
}

// spoken are the versions that can be spoken with some ciphers. Where only cipher suites of TLS 1.3 are named nothing older can be, for it
// would use ciphers that nobody named.
func spoken(versions []string, ciphers string) []string {
	if others, suites := splitCiphers(ciphers); suites == "" || others != "" {
		return versions
	}
	return []string{tlsV13}
}

// splitCiphers parts the cipher suites of TLS 1.3, which have a field of their own, from the others.
func splitCiphers(ciphers string) (others, suites string) {
	names := strings.Split(ciphers, ":")
	isSuite := func(name string) bool { return strings.HasPrefix(name, "TLS_") }
	notSuite := func(name string) bool { return !isSuite(name) }
	return strings.Join(slices.DeleteFunc(slices.Clone(names), isSuite), ":"), strings.Join(slices.DeleteFunc(names, notSuite), ":")
}

// knowsTLS13 tells whether the data model has TLS 1.3.
func (t *translation) knowsTLS13() bool { return atLeast(t.options.Version, tls13Since) }

// atLeast tells whether a version is another or later. One that says nothing is the oldest.
func atLeast(version, other string) bool {
	return slices.Compare(numbers(version), numbers(other)) >= 0
}

func numbers(version string) []int {
	var all []int
	for text := range strings.SplitSeq(version, ".") {
		n, _ := strconv.Atoi(text) // what is no number is 0, the oldest
		all = append(all, n)
	}
	return all
}
