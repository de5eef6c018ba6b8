package keymanager

import (
	"crypto/x509"
	"encoding/asn1"
)

// signedData are the parts of PKCS#7's SignedData (RFC 2315, section 9.1) that a set of certificates has.
type signedData struct {
	Version          int
	DigestAlgorithms asn1.RawValue
	ContentInfo      asn1.RawValue
	Certificates     asn1.RawValue `asn1:"optional,tag:0"`
	Revocations      asn1.RawValue `asn1:"optional,tag:1"`
	SignerInfos      asn1.RawValue `asn1:"optional"`
}

var oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}

// pkcs7 reads the certificates of a PKCS#7 message.
func pkcs7(der []byte) ([]*x509.Certificate, error) {
	var outer struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0"`
	}
	if rest, err := asn1.Unmarshal(der, &outer); err != nil || len(rest) > 0 || !outer.Type.Equal(oidSignedData) {
		return nil, invalid("a PKCS#7 message cannot be read: want one with certificates")
	}
	var inner signedData
	if _, err := asn1.Unmarshal(outer.Content.Bytes, &inner); err != nil {
		return nil, invalid("a PKCS#7 message cannot be read (%s)", reason(err))
	}
	return parsed(x509.ParseCertificates(inner.Certificates.Bytes))
}
