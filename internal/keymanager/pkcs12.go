package keymanager

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"unicode/utf16"

	"software.sslmate.com/src/go-pkcs12"
)

func parsePKCS12(data, passphrase []byte) (any, []*x509.Certificate, error) {
	if certs, _ := derCertificates(data); certs != nil {
		return nil, nil, invalid("it holds a certificate without its private key: want PKCS#12, PEM with both, or a container")
	}
	if stretched(data, 0) {
		return nil, nil, invalid("the PKCS#12 file's passphrase is stretched more than %d times", mostIterations)
	}
	if hidesKey(data, string(passphrase)) {
		return nil, nil, invalid("the PKCS#12 file has a private key in the part that is encrypted with the certificates: " +
			"`openssl pkcs12 -export` makes one that has not")
	}
	key, leaf, others, err := pkcs12.DecodeChain(data, string(passphrase))
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		return nil, nil, invalid("the PKCS#12 file has a passphrase, which is not known: store it without one (openssl pkcs12 -export -passout pass:)")
	case err != nil:
		return nil, nil, invalid("it can be read neither as PKCS#12 nor as PEM (%s)", reason(err))
	}
	return key, append([]*x509.Certificate{leaf}, others...), nil
}

// pfx are the outer parts of a PKCS#12 file, and of one that is made here (RFC 7292, section 4).
type (
	pfx struct {
		Version int
		Safe    pfxContent
		Mac     pfxMac `asn1:"optional"`
	}
	pfxContent struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
	}
	pfxMac struct {
		Digest     pfxDigest
		Salt       []byte
		Iterations int `asn1:"optional,default:1"`
	}
	pfxDigest struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	pfxBag struct {
		ID    asn1.ObjectIdentifier
		Value asn1.RawValue `asn1:"tag:0,explicit"`
	}
)

var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidKeyBag        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidSHA1          = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
)

// hidesKey tells whether there is a private key within a part of a PKCS#12 file that is encrypted. Such a key is encrypted once more, and how
// often its passphrase is stretched can only be seen once the part has been decrypted; the decoder would do as it is told, and compute for
// hours. So each such part is decoded in a file that has another key before it: the decoder refuses a second key before it decrypts it.
// No program is known to write such files.
func hidesKey(data []byte, passphrase string) bool {
	var file pfx
	var parts []pfxContent
	if _, err := asn1.Unmarshal(data, &file); err != nil {
		return false
	}
	var safe []byte
	if _, err := asn1.Unmarshal(file.Safe.Content.Bytes, &safe); err != nil {
		return false
	}
	if _, err := asn1.Unmarshal(safe, &parts); err != nil {
		return false
	}
	return len(parts) <= 2 && slices.ContainsFunc(parts, func(part pfxContent) bool { // the decoder takes no more
		return part.Type.Equal(oidEncryptedData) && slices.ContainsFunc(encoded(passphrase), func(word []byte) bool {
			_, _, _, err := pkcs12.DecodeChain(behindKey(part, word), passphrase)
			return err != nil && strings.Contains(err.Error(), "expected exactly one key bag")
		})
	})
}

// encoded is a passphrase in the forms that PKCS#12 has for it: an empty one has two.
func encoded(passphrase string) [][]byte {
	var word []byte
	for _, c := range utf16.Encode([]rune(passphrase + "\x00")) {
		word = append(word, byte(c>>8), byte(c))
	}
	if passphrase == "" {
		return [][]byte{word, nil}
	}
	return [][]byte{word}
}

// behindKey is a PKCS#12 file with a key of no use and one part of another, signed with a passphrase.
func behindKey(part pfxContent, word []byte) []byte {
	key, _ := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	bags := marshal([]pfxBag{{oidKeyBag, inner(key)}})
	safe := marshal([]pfxContent{{oidData, inner(marshal(bags))}, {part.Type, inner(part.Content.Bytes)}})
	salt := make([]byte, 8)
	mac := hmac.New(sha1.New, macKey(salt, word))
	_, _ = mac.Write(safe)
	return marshal(pfx{3, pfxContent{oidData, inner(marshal(safe))}, pfxMac{
		pfxDigest{pkix.AlgorithmIdentifier{Algorithm: oidSHA1, Parameters: asn1.NullRawValue}, mac.Sum(nil)}, salt, 1,
	}})
}

// macKey is the key that a passphrase gives for a MAC with SHA-1, not stretched (RFC 7292, appendix B.2).
func macKey(salt, word []byte) []byte {
	const block, purpose = 64, 3
	all := bytes.Repeat([]byte{purpose}, block)
	for _, text := range [][]byte{salt, word} {
		if len(text) > 0 {
			size := (len(text) + block - 1) / block * block
			all = append(all, bytes.Repeat(text, size/len(text)+1)[:size]...)
		}
	}
	sum := sha1.Sum(all)
	return sum[:]
}

// inner is DER in the explicit tag that it has in all of these.
func inner(der []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: der}
}

// marshal writes what can be written.
func marshal(v any) []byte {
	der, _ := asn1.Marshal(v)
	return der
}
