package translate

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strings"

	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

// tls makes the certificates and the profile of a listener that ends TLS.
func (t *translation) tls(l *lbaas.Listener) []Object {
	if !l.UsesTLS() {
		return nil
	}
	var all []Object
	for _, o := range t.owners(l) {
		if ref := certificateRef(o); ref != "" {
			all = append(all, t.certificate(ref, l.ID)...)
		}
	}
	return append(all, t.sslProfile(sslProfile{id: l.ID, name: t.listenerName(l), ciphers: l.TLSCiphers, versions: l.TLSVersions}))
}

// certificateRef is the reference to the certificate of an owner, or "". A listener without one of its own shows clients that name no host
// the first of those for names, as HAProxy does: Avi ends no TLS without any.
func certificateRef(o owner) string {
	ref := o.sni
	if ref == "" {
		ref = o.listener.DefaultTLSContainerRef
	}
	if refs := children(o.listener); ref == "" && len(refs) > 0 {
		ref = refs[0]
	}
	return ref
}

// certificateRefs refers to the certificate of an owner.
func (t *translation) certificateRefs(o owner) []any {
	ref := certificateRef(o)
	if ref == "" {
		return []any{}
	}
	return []any{Ref(Certificate, certificateUUID(ref, t.lb.ID))}
}

// readable tells whether all certificates of a listener could be read.
func (t *translation) readable(l *lbaas.Listener) bool {
	if !l.UsesTLS() {
		return true
	}
	refs := children(l)
	if l.DefaultTLSContainerRef != "" {
		refs = append(refs, l.DefaultTLSContainerRef)
	}
	return !slices.ContainsFunc(refs, func(ref string) bool { return t.material(ref) == nil })
}

// material is a certificate that was read, or nil.
func (t *translation) material(ref string) *keymanager.Material {
	return t.certificates[keymanager.Reference{Ref: ref, Use: keymanager.Certificate}]
}

// certificate makes a load balancer's copy of a certificate for a listener or pool of that id, after those of the authorities in its
// chain. One that could not be read is held.
func (t *translation) certificate(ref, userID string) []Object {
	name := bounded(Certificate + "-" + containerID(ref))
	o := Object{
		Kind: Certificate, UUID: certificateUUID(ref, t.lb.ID), Alias: alias(name, dashed(t.lb.ID)), For: []string{userID},
	}
	m := t.material(ref)
	if m == nil {
		o.Held, o.Owned = true, map[string]any{"name": name}
		return []Object{o}
	}
	certs, key := parts(m.PEM)
	var all []Object
	authorities := []any{}
	for _, der := range certs[min(1, len(certs)):] {
		ca := t.authority(der, userID)
		all = append(all, ca)
		authorities = append(authorities, map[string]any{"ca_ref": Ref(Certificate, ca.UUID)})
	}
	o.Owned = map[string]any{
		"name": name, "type": "SSL_CERTIFICATE_TYPE_VIRTUALSERVICE", "ca_certs": authorities,
		"certificate": map[string]any{"certificate": first(certs)},
	}
	o.WriteOnly = map[string]any{"key": key}
	return append(all, o)
}

// AuthorityName begins the names of authorities' certificates; the SHA-256 of the certificate follows in lower-case hex.
const AuthorityName = Certificate + "-ca-"

// authority makes the certificate of an authority, named by its fingerprint.
func (t *translation) authority(cert, userID string) Object {
	fingerprint := digest(cert)
	name := AuthorityName + fingerprint
	return Object{
		Kind: Certificate, UUID: AuthorityUUID(fingerprint, t.lb.ID), Alias: alias(name, dashed(t.lb.ID)), For: []string{userID},
		Owned: map[string]any{
			"name": name, "type": "SSL_CERTIFICATE_TYPE_CA", "certificate": map[string]any{"certificate": cert},
		},
	}
}

// digest is the SHA-256 of what a PEM text holds, in lower-case hex.
func digest(text string) string {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return ""
	}
	sum := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(sum[:])
}

// parts takes a Material's PEM apart: certificates, the leaf first, and the private key.
func parts(data []byte) (certs []string, key string) {
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return certs, key
		}
		text := string(pem.EncodeToMemory(block))
		if block.Type == "CERTIFICATE" {
			certs = append(certs, text)
		} else {
			key = text
		}
		data = rest
	}
}

// subject is the common name of a certificate, in one line; "" where it has none or cannot be read.
func (t *translation) subject(ref string) string {
	m := t.material(ref)
	if m == nil {
		return ""
	}
	block, _ := pem.Decode(m.PEM)
	if block == nil {
		return ""
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return ""
	}
	return strings.Map(printable, strings.ToValidUTF8(cert.Subject.CommonName, ""))
}

func first(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return texts[0]
}
