package keymanager

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"slices"
	"time"
)

// mostCertificates bounds a chain, or a set of authorities: HAProxy holds it in memory for each listener.
const mostCertificates = 200

// ParseBundle reads a certificate with its chain and private key from one payload: PKCS#12, or PEM. The passphrase may be empty. The error is
// lbaas.Invalid and says what is wrong, in the middle of a sentence.
func ParseBundle(data, passphrase []byte) (*Material, error) {
	if all := blocks(data); len(all) > 0 {
		key, err := pemKey(all, passphrase)
		if err != nil {
			return nil, err
		}
		if key == nil {
			return nil, invalid("it holds no private key")
		}
		certs, err := certificates(data)
		if err != nil {
			return nil, err
		}
		return bundle(certs, key)
	}
	key, certs, err := parsePKCS12(binary(data), passphrase)
	if err != nil {
		return nil, err
	}
	return bundle(certs, key)
}

// FromContainer puts together what a certificate container's secrets hold; intermediates and passphrase may be empty. The error is as
// ParseBundle's.
func FromContainer(cert, key, intermediates, passphrase []byte) (*Material, error) {
	certs, err := certificates(cert)
	if err != nil {
		return nil, err
	}
	if len(certs) == 0 {
		return nil, invalid("its certificate holds no certificate (want PEM or DER)")
	}
	more, err := certificates(intermediates)
	if err != nil {
		return nil, err
	}
	if len(more) == 0 && len(bytes.TrimSpace(intermediates)) > 0 {
		return nil, invalid("its intermediates hold no certificate (want PEM, DER or PKCS#7)")
	}
	k, err := privateKey(key, bytes.TrimRight(passphrase, "\r\n"))
	if err != nil {
		return nil, err
	}
	return bundle(append(certs, more...), k)
}

// bundle finds the leaf that the key is of, and puts its chain in order.
func bundle(certs []*x509.Certificate, key any) (*Material, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if len(certs) == 0 {
		return nil, invalid("it holds no certificate")
	}
	if len(certs) > mostCertificates {
		return nil, invalid("it holds %d certificates; %d is the most", len(certs), mostCertificates)
	}
	leaf := slices.IndexFunc(certs, func(c *x509.Certificate) bool { return matches(c, key) })
	if leaf < 0 {
		return nil, invalid("the private key is not that of the certificate")
	}
	m := &Material{Names: names(certs[leaf]), Fingerprint: digest(certs[leaf].Raw)}
	for _, c := range chain(certs, certs[leaf]) {
		m.add(blockCertificate, c.Raw, c.NotAfter)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, invalid("the private key cannot be used (%s)", reason(err))
	}
	m.PEM = append(m.PEM, encode(blockKey, der)...)
	return m, nil
}

// add appends what expires then; zero is never.
func (m *Material) add(kind string, der []byte, notAfter time.Time) {
	m.PEM = append(m.PEM, encode(kind, der)...)
	if !notAfter.IsZero() && (m.NotAfter.IsZero() || notAfter.Before(m.NotAfter)) {
		m.NotAfter = notAfter.UTC()
	}
}

func matches(c *x509.Certificate, key any) bool {
	public, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(key.(crypto.Signer).Public())
}

// chain is the leaf and those who signed it, one after the other, as far as they are there. What is not part of it is left out.
func chain(certs []*x509.Certificate, leaf *x509.Certificate) []*x509.Certificate {
	line := []*x509.Certificate{leaf}
	for last := leaf; ; {
		i := slices.IndexFunc(certs, func(c *x509.Certificate) bool {
			return !slices.ContainsFunc(line, c.Equal) && bytes.Equal(c.RawSubject, last.RawIssuer) && signed(last, c)
		})
		if i < 0 {
			return line
		}
		last = certs[i]
		line = append(line, last)
	}
}

// signed tells whether an authority signed a certificate. Where the algorithm is too old to be checked its name has to do: whether such a chain
// is good enough is for clients to judge.
func signed(c, authority *x509.Certificate) bool {
	err := authority.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	var insecure x509.InsecureAlgorithmError
	return err == nil || errors.As(err, &insecure) || errors.Is(err, x509.ErrUnsupportedAlgorithm)
}

// names are those that a certificate is for.
func names(c *x509.Certificate) []string {
	var all []string
	for _, name := range c.DNSNames {
		all = append(all, printable(name, 255))
	}
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 && c.Subject.CommonName != "" {
		all = []string{printable(c.Subject.CommonName, 255)}
	}
	return all
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
