package translate

import (
	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

// poolTLS makes what a pool needs to speak TLS to its members, and refers to it in the pool's fields. Held says that what it needs
// could not be read.
func (t *translation) poolTLS(p *lbaas.Pool, owned map[string]any) (objects []Object, held bool) {
	owned["ssl_profile_ref"], owned["ssl_key_and_certificate_ref"], owned["pki_profile_ref"] = nil, nil, nil
	if !p.TLSEnabled {
		return nil, false
	}
	name := alias(orElse(p.Name, "pool"), p.ID)
	objects = append(objects, t.sslProfile(sslProfile{id: p.ID, name: name, ciphers: p.TLSCiphers, versions: p.TLSVersions}))
	owned["ssl_profile_ref"] = Ref(SSLProfile, UUID(SSLProfile, p.ID))
	if p.TLSContainerRef != "" {
		objects = append(objects, t.certificate(p.TLSContainerRef, p.ID)...)
		owned["ssl_key_and_certificate_ref"] = Ref(Certificate, certificateUUID(p.TLSContainerRef, t.lb.ID))
		held = t.material(p.TLSContainerRef) == nil
	}
	if p.CATLSContainerRef != "" {
		o := authorities(p, t.certificates[keymanager.Reference{Ref: p.CATLSContainerRef, Use: keymanager.Authorities}])
		objects = append(objects, o)
		owned["pki_profile_ref"] = Ref(PKIProfile, o.UUID)
		held = held || o.Held
	}
	return objects, held
}

// authorities is the profile of those who must have signed the certificates of a pool's members; one that could not be read is held.
// Revocation lists must not be asked for, since there are none: Avi would trust no member.
func authorities(p *lbaas.Pool, m *keymanager.Material) Object {
	uuid := UUID(PKIProfile, p.ID)
	o := Object{Kind: PKIProfile, UUID: uuid, Alias: alias(uuid, p.ID), For: []string{p.ID}, Owned: map[string]any{"name": uuid}}
	if m == nil {
		o.Held = true
		return o
	}
	var all []any
	certs, _ := parts(m.PEM)
	for _, cert := range certs {
		all = append(all, map[string]any{"certificate": cert})
	}
	o.Owned["ca_certs"], o.Owned["crl_check"] = all, false
	return o
}
