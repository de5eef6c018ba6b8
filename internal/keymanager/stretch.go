package keymanager

import (
	"crypto/x509"
	"encoding/asn1"
)

// deepest is how far ASN.1 is followed.
const deepest = 32

// stretched tells whether there is a count of iterations in a PKCS#12 file that would take too long to compute: its decoder takes any.
// In each of the places where one can be it is a number of a few bytes; so, elsewhere, are only serial numbers of certificates, which are not
// looked into. What is encrypted cannot be seen: see hidesKey.
func stretched(der []byte, depth int) bool {
	for len(der) > 0 && depth < deepest {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(der, &v)
		if err != nil {
			return false
		}
		der = rest
		if tooMany(v) || below(v, depth) {
			return true
		}
	}
	return false
}

func tooMany(v asn1.RawValue) bool {
	if v.Class != asn1.ClassUniversal || v.Tag != asn1.TagInteger || len(v.Bytes) > 8 {
		return false
	}
	var n int64
	_, err := asn1.Unmarshal(v.FullBytes, &n)
	return err == nil && n > mostIterations
}

// below looks into what a value is made of.
func below(v asn1.RawValue, depth int) bool {
	if v.IsCompound {
		return stretched(v.Bytes, depth+1)
	}
	if v.Class == asn1.ClassUniversal && v.Tag == asn1.TagOctetString {
		if _, err := x509.ParseCertificate(v.Bytes); err == nil {
			return false
		}
		return stretched(v.Bytes, depth+1)
	}
	return false
}
