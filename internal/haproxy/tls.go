package haproxy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// A secret is what a listener or a pool refers to, and the file that HAProxy reads it from.
type secret struct {
	ref  string
	kind enginepb.File_Kind
}

// fileKinds begin the names of the files of secrets.
var fileKinds = map[enginepb.File_Kind]string{
	enginepb.File_CERTIFICATE: "cert-",
	enginepb.File_AUTHORITIES: "ca-",
	enginepb.File_REVOCATIONS: "crl-",
}

// name is the plain name of the file. It says nothing about the secret, and is that of all who refer to it in the same words.
func (s secret) name() string {
	sum := sha256.Sum256([]byte(s.ref))
	return fileKinds[s.kind] + hex.EncodeToString(sum[:8]) + ".pem"
}

// word is the file as the configuration names it.
func (s secret) word() string { return FileName(s.name()) }

func certificate(ref string) secret { return secret{ref, enginepb.File_CERTIFICATE} }
func authorities(ref string) secret { return secret{ref, enginepb.File_AUTHORITIES} }
func revocations(ref string) secret { return secret{ref, enginepb.File_REVOCATIONS} }

// has tells whether all of these secrets are there.
func (s Secrets) has(all []secret) bool {
	return !slices.ContainsFunc(all, func(one secret) bool { return len(s.of(one)) == 0 })
}

// of is what a secret is read as for the use that it is of.
func (s Secrets) of(one secret) []byte {
	if text, ok := s[As(uses[one.kind], one.ref)]; ok {
		return text
	}
	return s[one.ref]
}

// DHParameters is the line without which the DHE ciphers, which Octavia's default list has, are of no use.
const DHParameters = "tune.ssl.default-dh-param 2048"

// endsTLS tells whether any listener of a load balancer ends TLS.
func endsTLS(lb *lbaas.LoadBalancer) bool {
	return slices.ContainsFunc(listeners(lb), (*lbaas.Listener).UsesTLS)
}

// listFile is the plain name of the file that lists the certificates of a listener.
func listFile(l *lbaas.Listener) string { return "list-" + l.ID + ".txt" }

// certificates are those that a listener shows, the default first: HAProxy shows the first to clients that ask for a name of
// none, or for none.
func certificates(l *lbaas.Listener) []secret {
	var all []secret
	for _, ref := range append([]string{l.DefaultTLSContainerRef}, l.SNIContainerRefs...) {
		if c := certificate(ref); ref != "" && !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// asksClients tells whether a listener asks its clients for certificates.
func asksClients(l *lbaas.Listener) bool {
	wants := l.ClientAuthentication == lbaas.ClientAuthOptional || l.ClientAuthentication == lbaas.ClientAuthMandatory
	return l.UsesTLS() && wants && l.ClientCATLSContainerRef != ""
}

// listenerSecrets are what a listener needs before it can serve.
func listenerSecrets(l *lbaas.Listener) []secret {
	if !l.UsesTLS() {
		return nil
	}
	all := certificates(l)
	if asksClients(l) {
		all = append(all, authorities(l.ClientCATLSContainerRef))
	}
	if asksClients(l) && l.ClientCRLContainerRef != "" {
		all = append(all, revocations(l.ClientCRLContainerRef))
	}
	return all
}

// bindTLS are the words of a bind that ends TLS.
func bindTLS(l *lbaas.Listener) []string {
	words := []string{"ssl", "crt-list", FileName(listFile(l))}
	if asksClients(l) {
		verify := map[lbaas.ClientAuthentication]string{lbaas.ClientAuthOptional: "optional", lbaas.ClientAuthMandatory: "required"}
		words = append(words, "ca-file", authorities(l.ClientCATLSContainerRef).word(), "verify", verify[l.ClientAuthentication])
		if l.ClientCRLContainerRef != "" {
			words = append(words, "crl-file", revocations(l.ClientCRLContainerRef).word())
		}
	}
	words = append(words, cryptography(l.TLSVersions, l.TLSCiphers)...)
	if len(l.ALPNProtocols) > 0 {
		words = append(words, "alpn", Quote(strings.Join(l.ALPNProtocols, ",")))
	}
	return words
}

// versions are the versions of TLS, the lowest first, as the API and as HAProxy spells them.
var versions = [...]struct{ name, word string }{
	{"TLSv1", "TLSv1.0"}, {"TLSv1.1", "TLSv1.1"}, {"TLSv1.2", "TLSv1.2"}, {"TLSv1.3", "TLSv1.3"},
}

// span is the lowest and the highest of the named versions in the table; low > high is none of them.
func span(names []string) (low, high int) {
	low, high = len(versions), -1
	for i, v := range versions {
		if slices.Contains(names, v.name) {
			low, high = min(low, i), i
		}
	}
	return low, high
}

// VersionsSupported tells whether HAProxy can speak exactly these versions of TLS: a range without a hole, for it ignores what
// would make one, and no SSLv3, which OpenSSL has dropped.
func VersionsSupported(names []string) bool {
	low, high := span(names)
	for _, name := range names {
		if !slices.ContainsFunc(versions[:], func(v struct{ name, word string }) bool { return v.name == name }) {
			return false
		}
	}
	for i := low; i < high; i++ {
		if !slices.Contains(names, versions[i].name) {
			return false
		}
	}
	return true
}

// CiphersSupported tells whether any of the ciphers can be used with one of the versions. Ciphers of TLS 1.3 are of no use below,
// and without one named TLS 1.3 has OpenSSL's.
func CiphersSupported(ciphers string, names []string) bool {
	suites, rest := splitCiphers(ciphers)
	_, high := span(names)
	return suites == "" || rest != "" || high < 0 || versions[high].name == "TLSv1.3"
}

// suites13 are the ciphers of TLS 1.3, all that OpenSSL knows. It takes them in a list of their own.
var suites13 = []string{
	"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256",
}

// splitCiphers parts a list of OpenSSL's into the ciphers of TLS 1.3 and everything else.
func splitCiphers(ciphers string) (suites, rest string) {
	var modern, others []string
	for _, name := range strings.Split(ciphers, ":") {
		switch {
		case slices.Contains(suites13, name):
			modern = append(modern, name)
		case name != "":
			others = append(others, name)
		}
	}
	return strings.Join(modern, ":"), strings.Join(others, ":")
}

// insecure lets OpenSSL speak the versions before TLS 1.2, which is what naming them asks for: their handshake signs with SHA-1.
const insecure = "@SECLEVEL=0"

// cryptography are the words for versions and ciphers, of binds and of servers alike. Where only ciphers of TLS 1.3 are named
// nothing older can be spoken, for it would use ciphers that nobody named.
func cryptography(names []string, ciphers string) []string {
	var words []string
	suites, rest := splitCiphers(ciphers)
	low, high := span(names)
	if suites != "" && rest == "" {
		low, high = len(versions)-1, len(versions)-1
	}
	if low <= high {
		words = append(words, "ssl-min-ver", versions[low].word, "ssl-max-ver", versions[high].word)
	}
	if low < 2 && !strings.Contains(rest, "@SECLEVEL") {
		rest = or(rest, "DEFAULT") + ":" + insecure
	}
	if rest != "" {
		words = append(words, "ciphers", Quote(rest))
	}
	if suites != "" {
		words = append(words, "ciphersuites", Quote(suites))
	}
	return words
}

// files are the files of a load balancer's secrets and lists of certificates, by name.
func (s Secrets) files(lb *lbaas.LoadBalancer) []*enginepb.File {
	all := map[string]*enginepb.File{}
	for _, l := range s.listeners(lb) {
		if l.UsesTLS() {
			all[listFile(l)] = certificateList(l)
			s.write(all, l.ID, listenerSecrets(l))
		}
	}
	for _, c := range s.copies(lb) {
		s.write(all, c.pool.ID, poolSecrets(c.pool))
	}
	var list []*enginepb.File
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[name])
	}
	return list
}

// write adds the files of an object's secrets. Those of one reference have one file.
func (s Secrets) write(all map[string]*enginepb.File, owner string, secrets []secret) {
	for _, one := range secrets {
		f := all[one.name()]
		if f == nil {
			f = &enginepb.File{Name: one.name(), Kind: one.kind, Content: s.of(one)}
			all[f.Name] = f
		}
		if !slices.Contains(f.Objects, owner) {
			f.Objects = append(f.Objects, owner)
		}
	}
}

// certificateList is HAProxy's crt-list of a listener. A certificate is for the names that are in it.
func certificateList(l *lbaas.Listener) *enginepb.File {
	var text bytes.Buffer
	for _, c := range certificates(l) {
		text.WriteString(c.word() + "\n")
	}
	return &enginepb.File{
		Name: listFile(l), Kind: enginepb.File_CERTIFICATE_LIST, Content: text.Bytes(), Objects: []string{l.ID},
	}
}

// listeners are the listeners that serve and whose secrets are there.
func (s Secrets) listeners(lb *lbaas.LoadBalancer) []*lbaas.Listener {
	return slices.DeleteFunc(listeners(lb), func(l *lbaas.Listener) bool { return !s.has(listenerSecrets(l)) })
}

// copies are the copies of pools whose secrets are there. Those that a listener without its own uses are among them: it is held in
// its last good form, which names them.
func (s Secrets) copies(lb *lbaas.LoadBalancer) []*poolCopy {
	return slices.DeleteFunc(copies(lb), func(c *poolCopy) bool { return !s.has(poolSecrets(c.pool)) })
}
