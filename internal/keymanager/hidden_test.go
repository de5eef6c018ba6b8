package keymanager

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"strings"
	"testing"

	"software.sslmate.com/src/go-pkcs12"

	"plimsoll/lbaas"
)

func der(t testing.TB, v any) []byte {
	t.Helper()
	data, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// stretchedBy is PBES2 with a passphrase that is stretched so often.
func stretchedBy(t testing.TB, iterations int) pkix.AlgorithmIdentifier {
	kdf := pbkdf2Params{Salt: make([]byte, 8), Iterations: iterations, PRF: pkix.AlgorithmIdentifier{
		Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}, Parameters: asn1.NullRawValue,
	}}
	return pkix.AlgorithmIdentifier{Algorithm: oidPBES2, Parameters: asn1.RawValue{FullBytes: der(t, pbes2{
		Derivation: pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2, Parameters: asn1.RawValue{FullBytes: der(t, kdf)}},
		Encryption: pkix.AlgorithmIdentifier{
			Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, Parameters: asn1.RawValue{FullBytes: der(t, make([]byte, 16))},
		},
	})}}
}

// encrypted is data in AES-256-CBC, under the empty passphrase that is not stretched.
func encrypted(t testing.TB, data []byte) []byte {
	key, err := pbkdf2.Key(sha256.New, "", make([]byte, 8), 1, 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	pad := 16 - len(data)%16
	for range pad {
		data = append(data, byte(pad))
	}
	cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(data, data)
	return data
}

// hidden is a PKCS#12 file with a key in the part that is encrypted, the passphrase of which is stretched so often.
func hidden(t testing.TB, iterations int) []byte {
	shrouded := der(t, struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}{stretchedBy(t, iterations), make([]byte, 32)})
	bags := der(t, []pfxBag{{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}, inner(shrouded)}})
	type sealed struct {
		Type      asn1.ObjectIdentifier
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte `asn1:"tag:0"`
	}
	safe := der(t, struct {
		Version int
		Content sealed
	}{Content: sealed{oidData, stretchedBy(t, 1), encrypted(t, bags)}})
	all := der(t, []pfxContent{{oidEncryptedData, inner(safe)}})
	return der(t, struct {
		Version int
		Safe    pfxContent
	}{3, pfxContent{oidData, inner(der(t, all))}})
}

// TestHiddenKey has a file with a key where nobody can see how often its passphrase is stretched: it is refused before anybody stretches it.
func TestHiddenKey(t *testing.T) {
	data := hidden(t, 100_000_000)
	_, err := ParseBundle(data, nil)
	if !errors.Is(err, lbaas.Invalid) || !strings.Contains(err.Error(), "has a private key in the part that is encrypted") {
		t.Error(err)
	}
	if at := NotAfter(data); !at.IsZero() {
		t.Errorf("it expires at %s", at)
	}
}

// TestBehindKey looks into the parts of files that are in order, with either form of the empty passphrase: none has a key but the one that
// is seen by everybody.
func TestBehindKey(t *testing.T) {
	for _, name := range []string{"rsa.p12", "ec.p12", "rsa.legacy.p12"} {
		var f pfx
		var safe []byte
		var parts []pfxContent
		for _, next := range []func() error{
			func() error { _, err := asn1.Unmarshal(file(t, name), &f); return err },
			func() error { _, err := asn1.Unmarshal(f.Safe.Content.Bytes, &safe); return err },
			func() error { _, err := asn1.Unmarshal(safe, &parts); return err },
		} {
			if err := next(); err != nil {
				t.Fatal(name, err)
			}
		}
		for _, part := range parts {
			for _, word := range encoded("") {
				_, leaf, _, err := pkcs12.DecodeChain(behindKey(part, word), "")
				switch sealed := part.Type.Equal(oidEncryptedData); {
				case sealed && word != nil && (err != nil || leaf == nil):
					t.Errorf("%s: %v", name, err)
				case !sealed && (err == nil || !strings.Contains(err.Error(), "expected exactly one key bag")):
					t.Errorf("%s with %v: %v", name, word, err)
				}
			}
		}
		if hidesKey(file(t, name), "") {
			t.Errorf("%s hides a key", name)
		}
	}
}
