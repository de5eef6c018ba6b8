package keymanager

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"hash"
)

// sealedKey is PKCS#8's EncryptedPrivateKeyInfo (RFC 5958, section 3).
type sealedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// pbes2 are the parameters of PBES2, and pbkdf2Params those of its key derivation (RFC 8018, appendix A).
type pbes2 struct {
	Derivation pkix.AlgorithmIdentifier
	Encryption pkix.AlgorithmIdentifier
}

type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// mostIterations bounds how long a passphrase is stretched: whoever makes the secret chooses the number, and we have to compute it.
const mostIterations = 1_000_000

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
)

// hashOf is the hash of an HMAC, by its identifier.
func hashOf(id asn1.ObjectIdentifier) func() hash.Hash {
	return map[string]func() hash.Hash{
		"":                    sha1.New, // RFC 8018's default
		"1.2.840.113549.2.7":  sha1.New,
		"1.2.840.113549.2.8":  sha256.New224,
		"1.2.840.113549.2.9":  sha256.New,
		"1.2.840.113549.2.10": sha512.New384,
		"1.2.840.113549.2.11": sha512.New,
	}[id.String()]
}

// cipherOf is a block cipher in CBC mode and its key's length in bytes, by its identifier.
func cipherOf(id asn1.ObjectIdentifier) (func([]byte) (cipher.Block, error), int) {
	switch id.String() {
	case "2.16.840.1.101.3.4.1.2":
		return aes.NewCipher, 16
	case "2.16.840.1.101.3.4.1.22":
		return aes.NewCipher, 24
	case "2.16.840.1.101.3.4.1.42":
		return aes.NewCipher, 32
	case "1.2.840.113549.3.7":
		return des.NewTripleDESCipher, 24
	}
	return nil, 0
}

func encryptedKey(der []byte) (*sealedKey, bool) {
	var k sealedKey
	rest, err := asn1.Unmarshal(der, &k)
	return &k, err == nil && len(rest) == 0
}

// open decrypts the key.
func (k *sealedKey) open(passphrase []byte) (any, error) {
	if len(passphrase) == 0 {
		return nil, errNoPassphrase
	}
	p, kdf, err := k.params()
	if err != nil {
		return nil, err
	}
	newHash := hashOf(kdf.PRF.Algorithm)
	newCipher, size := cipherOf(p.Encryption.Algorithm)
	if newHash == nil || newCipher == nil {
		return nil, invalid("the private key is encrypted in a way that is not supported (want PBES2 with AES or 3DES in CBC mode)")
	}
	derived, err := pbkdf2.Key(newHash, string(passphrase), kdf.Salt, kdf.Iterations, size)
	if err != nil {
		return nil, invalid("the private key cannot be decrypted (%s)", reason(err))
	}
	block, err := newCipher(derived)
	if err != nil {
		return nil, invalid("the private key cannot be decrypted (%s)", reason(err))
	}
	var iv []byte
	if _, err := asn1.Unmarshal(p.Encryption.Parameters.FullBytes, &iv); err != nil || len(iv) != block.BlockSize() {
		return nil, invalid("the encrypted private key cannot be read")
	}
	key := plainKey(decrypted(block, iv, k.Data))
	if key == nil {
		return nil, errPassphrase
	}
	return key, nil
}

func (k *sealedKey) params() (p pbes2, kdf pbkdf2Params, err error) {
	if !k.Algorithm.Algorithm.Equal(oidPBES2) {
		return p, kdf, invalid("the private key is encrypted in a way that is not supported (want PBES2; `openssl pkcs8 -topk8` makes it)")
	}
	_, err1 := asn1.Unmarshal(k.Algorithm.Parameters.FullBytes, &p)
	if err1 != nil || !p.Derivation.Algorithm.Equal(oidPBKDF2) {
		return p, kdf, invalid("the private key is encrypted in a way that is not supported (want PBES2 with PBKDF2)")
	}
	if _, err := asn1.Unmarshal(p.Derivation.Parameters.FullBytes, &kdf); err != nil {
		return p, kdf, invalid("the encrypted private key cannot be read (%s)", reason(err))
	}
	if kdf.Iterations < 1 || kdf.Iterations > mostIterations {
		return p, kdf, invalid("the private key's passphrase is stretched %d times; %d is the most", kdf.Iterations, mostIterations)
	}
	return p, kdf, nil
}

// decrypted undoes CBC and its padding; nil where that cannot be right.
func decrypted(block cipher.Block, iv, data []byte) []byte {
	size := block.BlockSize()
	if len(data) == 0 || len(data)%size != 0 {
		return nil
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > size {
		return nil
	}
	return plain[:len(plain)-pad]
}
