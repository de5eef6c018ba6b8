package keymanager

import (
	"crypto/x509"
)

// ParseAuthorities reads certificates of authorities: PEM, DER or PKCS#7. The error is as ParseBundle's.
func ParseAuthorities(data []byte) (*Material, error) {
	certs, err := authorities(data)
	if err != nil {
		return nil, err
	}
	m := &Material{}
	for _, c := range certs {
		m.add(blockCertificate, c.Raw, c.NotAfter)
		m.Names = append(m.Names, printable(c.Subject.CommonName, 255))
	}
	m.Fingerprint = digest(m.PEM)
	return m, nil
}

func authorities(data []byte) ([]*x509.Certificate, error) {
	certs, err := certificates(data)
	switch {
	case err != nil:
		return nil, err
	case len(certs) == 0:
		return nil, invalid("it holds no CA certificate (want PEM, DER or PKCS#7)")
	case len(certs) > mostCertificates:
		return nil, invalid("it holds %d certificates; %d is the most", len(certs), mostCertificates)
	}
	return certs, nil
}

// ParseRevocations reads revocation lists: PEM or DER. The error is as ParseBundle's.
func ParseRevocations(data []byte) (*Material, error) {
	lists, err := revocations(data)
	if err != nil {
		return nil, err
	}
	m := &Material{}
	for _, l := range lists {
		m.add(blockRevocations, l.Raw, l.NextUpdate)
		m.Names = append(m.Names, printable(l.Issuer.CommonName, 255))
	}
	m.Fingerprint = digest(m.PEM)
	return m, nil
}

func revocations(data []byte) ([]*x509.RevocationList, error) {
	var ders [][]byte
	for _, block := range blocks(data) {
		if block.Type == blockRevocations {
			ders = append(ders, block.Bytes)
		}
	}
	if len(ders) == 0 {
		ders = [][]byte{binary(data)}
	}
	var lists []*x509.RevocationList
	for _, der := range ders {
		l, err := x509.ParseRevocationList(der)
		if err != nil {
			return nil, invalid("it holds no revocation list that can be read (want PEM or DER: %s)", reason(err))
		}
		lists = append(lists, l)
	}
	return lists, nil
}

// VerifyRevocations tells whether each revocation list is signed by one of the authorities; both are PEM of a Material. The error is as
// ParseBundle's.
func VerifyRevocations(lists, cas []byte) error {
	all, err := revocations(lists)
	if err != nil {
		return err
	}
	certs, err := authorities(cas)
	if err != nil {
		return err
	}
	for _, l := range all {
		if !issued(l, certs) {
			return invalid("the revocation list of %q is not signed by any of the CA certificates", printable(l.Issuer.String(), 200))
		}
	}
	return nil
}

func issued(l *x509.RevocationList, certs []*x509.Certificate) bool {
	for _, c := range certs {
		if c.CheckSignature(l.SignatureAlgorithm, l.RawTBSRevocationList, l.Signature) == nil {
			return true
		}
	}
	return false
}
