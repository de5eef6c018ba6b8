package keymanager

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"

	"plimsoll/lbaas"
)

// The types of PEM blocks.
const (
	blockCertificate = "CERTIFICATE"
	blockRevocations = "X509 CRL"
	blockKey         = "PRIVATE KEY"
	blockPKCS7       = "PKCS7"
)

func invalid(format string, args ...any) error { return lbaas.Errorf(lbaas.Invalid, format, args...) }

// blocks are the PEM blocks of a text; anything else around them is passed over, as OpenSSL does.
func blocks(data []byte) []*pem.Block {
	var all []*pem.Block
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return all
		}
		all, data = append(all, block), rest
	}
}

// binary undoes base64, in which some clients store binary payloads as text.
func binary(data []byte) []byte {
	text := bytes.Join(bytes.Fields(data), nil)
	plain, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(plain) == 0 {
		return data
	}
	return plain
}

// certificates reads certificates: PEM, DER or PKCS#7. Without any it returns none.
func certificates(data []byte) ([]*x509.Certificate, error) {
	all := blocks(data)
	if len(all) == 0 {
		return derCertificates(binary(data))
	}
	var certs []*x509.Certificate
	for _, block := range all {
		var some []*x509.Certificate
		var err error
		switch block.Type {
		case blockCertificate, "X509 CERTIFICATE":
			some, err = parsed(x509.ParseCertificates(block.Bytes))
		case blockPKCS7:
			some, err = pkcs7(block.Bytes)
		}
		if err != nil {
			return nil, err
		}
		certs = append(certs, some...)
	}
	return certs, nil
}

func derCertificates(data []byte) ([]*x509.Certificate, error) {
	if certs, err := x509.ParseCertificates(data); err == nil {
		return certs, nil
	}
	if certs, err := pkcs7(data); err == nil {
		return certs, nil
	}
	return nil, nil
}

func parsed(certs []*x509.Certificate, err error) ([]*x509.Certificate, error) {
	if err != nil {
		return nil, invalid("a certificate cannot be read (%s)", reason(err))
	}
	return certs, nil
}

// reason is what a parser says, of foreign input, on one line and bounded.
func reason(err error) string { return printable(err.Error(), 200) }

// printable is a text of which no byte ends a line, moves a cursor or is not ASCII.
func printable(text string, most int) string {
	b := []byte(text)
	if len(b) > most {
		b = b[:most]
	}
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
