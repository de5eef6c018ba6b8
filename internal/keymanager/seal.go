package keymanager

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

// KeySize is how many bytes the key has that payloads are sealed with: AES-256.
const KeySize = 32

// sealVersion is the first byte of what is sealed, so that another way of sealing can come beside this one.
const sealVersion = 1

var errSealed = errors.New("it was changed, belongs to another object, or was sealed with another key")

// Seal encrypts and signs a payload, for the object of that id only (AES-256-GCM).
func Seal(key []byte, id string, plain []byte) ([]byte, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, fmt.Errorf("seal the payload of %s: %w", id, err)
	}
	sealed := make([]byte, 1+aead.NonceSize(), 1+aead.NonceSize()+len(plain)+aead.Overhead())
	sealed[0] = sealVersion
	nonce := sealed[1:]
	_, _ = rand.Read(nonce) // it never fails
	return aead.Seal(sealed, nonce, plain, []byte(id)), nil
}

// Open undoes Seal. The error says that the key, the id or the sealed bytes are not those of then.
func Open(key []byte, id string, sealed []byte) ([]byte, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, fmt.Errorf("open the payload of %s: %w", id, err)
	}
	if len(sealed) < 1+aead.NonceSize() || sealed[0] != sealVersion {
		return nil, fmt.Errorf("open the payload of %s: %w", id, errSealed)
	}
	nonce, rest := sealed[1:1+aead.NonceSize()], sealed[1+aead.NonceSize():]
	plain, err := aead.Open(nil, nonce, rest, []byte(id))
	if err != nil {
		return nil, fmt.Errorf("open the payload of %s: %w", id, errSealed)
	}
	return plain, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("the key has %d bytes, not %d", len(key), KeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
