package keymanager

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"

	"plimsoll/lbaas"
)

// leastRSA is how many bits an RSA key must have: OpenSSL's security level 2, which Debian's HAProxy has, takes no shorter one.
const leastRSA = 2048

// privateKey reads a private key: PEM or DER, PKCS#8, PKCS#1 or SEC 1, encrypted or not.
func privateKey(data, passphrase []byte) (any, error) {
	key, err := pemKey(blocks(data), passphrase)
	if key != nil || err != nil {
		return key, err
	}
	der := binary(data)
	if key := plainKey(der); key != nil {
		return key, nil
	}
	if sealed, ok := encryptedKey(der); ok {
		return sealed.open(passphrase)
	}
	return nil, invalid("it holds no private key (want PEM or DER: PKCS#8, PKCS#1 or SEC 1)")
}

// pemKey is the one private key among PEM blocks, or nil.
func pemKey(all []*pem.Block, passphrase []byte) (key any, err error) {
	for _, block := range all {
		k, err := blockPrivateKey(block, passphrase)
		if err != nil {
			return nil, err
		}
		if k != nil && key != nil {
			return nil, invalid("it holds more than one private key")
		}
		if k != nil {
			key = k
		}
	}
	return key, nil
}

func blockPrivateKey(block *pem.Block, passphrase []byte) (any, error) {
	switch block.Type {
	case "ENCRYPTED PRIVATE KEY":
		sealed, ok := encryptedKey(block.Bytes)
		if !ok {
			return nil, invalid("the encrypted private key cannot be read")
		}
		return sealed.open(passphrase)
	case blockKey, "RSA PRIVATE KEY", "EC PRIVATE KEY":
	default:
		return nil, nil
	}
	der := block.Bytes
	if x509.IsEncryptedPEMBlock(block) { //nolint:staticcheck // it is what people have
		if len(passphrase) == 0 {
			return nil, errNoPassphrase
		}
		var err error
		if der, err = x509.DecryptPEMBlock(block, passphrase); err != nil { //nolint:staticcheck // as above
			return nil, errPassphrase
		}
	}
	key := plainKey(der)
	if key == nil && len(block.Headers) > 0 {
		return nil, errPassphrase
	}
	if key == nil {
		return nil, invalid("the private key cannot be read (want RSA, or ECDSA on a named curve)")
	}
	return key, nil
}

// The errors of encrypted keys.
var (
	errNoPassphrase = lbaas.Errorf(lbaas.Invalid, "the private key is encrypted, and there is no passphrase for it")
	errPassphrase   = lbaas.Errorf(lbaas.Invalid, "the private key cannot be decrypted with the passphrase")
)

// plainKey reads DER of any form, or returns nil.
func plainKey(der []byte) any {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key
	}
	return nil
}

// checkKey refuses keys that are of no use for TLS here.
func checkKey(key any) error {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() < leastRSA {
			return invalid("the RSA key has %d bits; %d is the least", key.N.BitLen(), leastRSA)
		}
		return nil
	case *ecdsa.PrivateKey:
		return nil
	}
	return invalid("the private key is neither RSA nor ECDSA")
}
