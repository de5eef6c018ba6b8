package avitest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
)

// completeCertificate fills in what a certificate says of itself. What cannot be read is left for checkCertificate to refuse.
func completeCertificate(o *object, now time.Time) {
	part, _ := o.data["certificate"].(map[string]any)
	text, _ := part["certificate"].(string)
	c, err := firstCertificate(text)
	if err != nil {
		return
	}
	told := maps.Clone(part)
	maps.Copy(told, described(c, now))
	o.data["certificate"] = told
	o.data["key_params"] = keyParams(c.PublicKey)
}

// shareAuthorities has a certificate's chain refer to the oldest objects with the same authorities in them.
func (m *model) shareAuthorities(o *object) {
	chain, _ := copied(o.data["ca_certs"]).([]any)
	for _, e := range chain {
		entry, _ := e.(map[string]any)
		ref, _ := entry["ca_ref"].(string)
		named := m.objects[kindOf(ref)][uuidOf(ref)]
		if named == nil {
			continue
		}
		for _, other := range m.sorted(named.kind) {
			if other.tenant == o.tenant && other.data["type"] == named.data["type"] && pemOf(other) == pemOf(named) {
				entry["ca_ref"] = path(other.kind, other.uuid)
				break
			}
		}
	}
	if chain != nil {
		o.data["ca_certs"] = chain
	}
}

// pemOf is the certificate of an object.
func pemOf(o *object) string {
	part, _ := o.data["certificate"].(map[string]any)
	text, _ := part["certificate"].(string)
	return strings.TrimSpace(text)
}

// firstCertificate reads the first certificate of PEM text; chains may follow.
func firstCertificate(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("no PEM block of type CERTIFICATE")
	}
	return x509.ParseCertificate(block.Bytes)
}

// described is what controllers tell of a certificate.
func described(c *x509.Certificate, now time.Time) map[string]any {
	const layout = "2006-01-02 15:04:05"
	days := max(0, min(int64(c.NotAfter.Sub(now)/(24*time.Hour)), 365)) // a certificate with 7 years left was recorded with 365
	status := "SSL_CERTIFICATE_GOOD"
	switch {
	case now.After(c.NotAfter):
		status = "SSL_CERTIFICATE_EXPIRED"
	case days < 30:
		status = "SSL_CERTIFICATE_EXPIRY_WARNING"
	}
	out := map[string]any{
		"subject": person(c.Subject), "issuer": person(c.Issuer), "serial_number": c.SerialNumber.String(),
		"not_before": c.NotBefore.UTC().Format(layout), "not_after": c.NotAfter.UTC().Format(layout),
		"fingerprint": fingerprint(c), "self_signed": string(c.RawSubject) == string(c.RawIssuer), "version": fmt.Sprint(c.Version - 1),
		"signature_algorithm": signature(c.SignatureAlgorithm), "expiry_status": status, "days_until_expire": days,
		"public_key": publicKey(c),
	}
	if len(c.DNSNames) > 0 {
		names := make([]any, len(c.DNSNames))
		for i, n := range c.DNSNames {
			names[i] = n
		}
		out["subject_alt_names"] = names
	}
	return out
}

// fingerprint is the line that openssl prints, its newline included, as it was recorded.
func fingerprint(c *x509.Certificate) string {
	var pairs []string
	for _, b := range sha1.Sum(c.Raw) {
		pairs = append(pairs, fmt.Sprintf("%02X", b))
	}
	return "SHA1 Fingerprint=" + strings.Join(pairs, ":") + "\n"
}

func publicKey(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: c.RawSubjectPublicKeyInfo}))
}

// signature spells an algorithm as openssl does.
func signature(a x509.SignatureAlgorithm) string {
	names := map[x509.SignatureAlgorithm]string{
		x509.SHA1WithRSA: "sha1WithRSAEncryption", x509.SHA256WithRSA: "sha256WithRSAEncryption", x509.SHA384WithRSA: "sha384WithRSAEncryption",
		x509.SHA512WithRSA: "sha512WithRSAEncryption", x509.ECDSAWithSHA256: "ecdsa-with-SHA256", x509.ECDSAWithSHA384: "ecdsa-with-SHA384",
	}
	if name, ok := names[a]; ok {
		return name
	}
	return a.String()
}

// person is a distinguished name as controllers tell it.
func person(n pkix.Name) map[string]any {
	out := map[string]any{"distinguished_name": distinguished(n)}
	for field, values := range map[string][]string{"country": n.Country, "state": n.Province, "locality": n.Locality, "organization": n.Organization,
		"organization_unit": n.OrganizationalUnit} {
		if len(values) > 0 {
			out[field] = values[0]
		}
	}
	if n.CommonName != "" {
		out["common_name"] = n.CommonName
	}
	return out
}

// distinguished is a name in the order of the certificate: "C=US, ST=CA, CN=app".
func distinguished(n pkix.Name) string {
	short := map[string]string{"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU"}
	var parts []string
	for _, a := range n.Names {
		name, ok := short[a.Type.String()]
		if !ok {
			name = a.Type.String()
		}
		parts = append(parts, fmt.Sprintf("%s=%v", name, a.Value))
	}
	return strings.Join(parts, ", ")
}

// keyParams is what controllers tell of a key.
func keyParams(key any) map[string]any {
	switch k := key.(type) {
	case *rsa.PublicKey:
		size := fmt.Sprintf("SSL_KEY_%d_BITS", k.N.BitLen())
		return map[string]any{"algorithm": "SSL_KEY_ALGORITHM_RSA", "rsa_params": map[string]any{"key_size": size, "exponent": int64(k.E)}}
	case *ecdsa.PublicKey:
		curve := "SSL_KEY_EC_CURVE_SECP" + strings.TrimPrefix(k.Curve.Params().Name, "P-") + "R1"
		return map[string]any{"algorithm": "SSL_KEY_ALGORITHM_EC", "ec_params": map[string]any{"curve": curve}}
	}
	return map[string]any{}
}

// checkCertificate wants a certificate that can be read and a key that is its own; an authority's needs no key.
func (m *model) checkCertificate(o *object) error {
	part, _ := o.data["certificate"].(map[string]any)
	text, _ := part["certificate"].(string)
	c, err := firstCertificate(text)
	if err != nil {
		return wrong("certificate.certificate", "Invalid certificate: %v", err)
	}
	authority := o.data["type"] == "SSL_CERTIFICATE_TYPE_CA"
	if authority && !c.IsCA {
		return bad("Certificate %v is not of an authority", o.data["name"])
	}
	if err := m.checkChain(o); err != nil {
		return err
	}
	text, _ = o.data["key"].(string)
	if text == "" && authority {
		return nil
	}
	if len(keyParams(c.PublicKey)) == 0 {
		return bad("Certificate %v has a key that is neither RSA nor EC", o.data["name"])
	}
	return checkKey(text, c)
}

// checkChain wants the certificates of a chain to be of authorities.
func (m *model) checkChain(o *object) error {
	for _, e := range entries(o.data["ca_certs"]) {
		entry, _ := e.(map[string]any)
		ref, _ := entry["ca_ref"].(string)
		if ca := m.objects[kindOf(ref)][uuidOf(ref)]; ca != nil && ca.data["type"] != "SSL_CERTIFICATE_TYPE_CA" {
			return bad("ca_certs: SSLKeyAndCertificate %v is not of type SSL_CERTIFICATE_TYPE_CA", ca.data["name"])
		}
	}
	return nil
}

// checkKey wants the key of a certificate. The key itself is in no error.
func checkKey(text string, c *x509.Certificate) error {
	if text == "" {
		return wrong("key", "This field is required.")
	}
	key, err := readKey(text)
	if err != nil {
		return wrong("key", "Invalid private key.")
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(c.PublicKey) {
		return bad("Private key does not match the certificate")
	}
	return nil
}

// readKey reads a key in the forms of openssl.
func readKey(text string) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(text))
	for rest := []byte(text); block != nil && block.Type == "EC PARAMETERS"; {
		_, rest = pem.Decode(rest)
		block, _ = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("no PEM block")
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	case "PRIVATE KEY":
	default:
		return nil, errors.New("no private key")
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := k.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key cannot sign")
	}
	return signer, nil
}

// decorateCertificate hides what controllers do not tell: a write's answer has neither the certificate nor its public key.
func decorateCertificate(w view, out map[string]any) {
	if !w.version.before(version{18, 1, 2}) {
		out["key_passphrase"] = ""
	}
	if part, ok := out["certificate"].(map[string]any); ok && !w.read {
		delete(part, "certificate")
		delete(part, "public_key")
	}
}

// checkPKI wants authorities that can be read, and lists of revocations where those are to be checked.
func checkPKI(o *object) error {
	certificates, _ := o.data["ca_certs"].([]any)
	if len(certificates) == 0 {
		return wrong("ca_certs", "At least one certificate is required.")
	}
	for i, e := range certificates {
		entry, _ := e.(map[string]any)
		text, _ := entry["certificate"].(string)
		c, err := firstCertificate(text)
		if err != nil {
			return wrong(fmt.Sprintf("ca_certs[%d].certificate", i), "Invalid certificate: %v", err)
		}
		if !c.IsCA {
			return bad("ca_certs[%d] is not of an authority", i)
		}
	}
	if o.data["crl_check"] == true && o.data["crls"] == nil {
		return bad("crl_check needs crls")
	}
	return nil
}

// checkSSLProfile wants at least one version and ciphers that look like openssl's.
func checkSSLProfile(o *object) error {
	if o.data["accepted_versions"] == nil {
		return wrong("accepted_versions", "At least one version is required.")
	}
	ciphers, _ := o.data["accepted_ciphers"].(string)
	if strings.Trim(ciphers, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_:+!@=") != "" {
		return wrong("accepted_ciphers", "Invalid cipher string.")
	}
	return nil
}
