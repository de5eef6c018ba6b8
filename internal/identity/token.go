package identity

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"time"
)

// AuditID names one token without giving it away.
type AuditID [16]byte

// String is the form in which the API shows it.
func (a AuditID) String() string { return base64.RawURLEncoding.EncodeToString(a[:]) }

// Token is what a token carries: who and for what, and no rights. Rights are read when it is validated.
type Token struct {
	Methods         []string // of Methods(), in their order
	UserID          string
	Scope           Scope
	AppCredentialID string
	IssuedAt        time.Time // to the microsecond
	ExpiresAt       time.Time // to the microsecond
	UserEpoch       int64     // the user's TokenEpoch when it was given
	ScopeEpoch      int64     // the project's or domain's
	AuditID         AuditID
	ParentAuditID   AuditID // the first token of the chain; zero in that token itself
}

// Methods are the ways to prove who one is.
func Methods() []string { return methods[:] }

var methods = [...]string{"password", "token", "application_credential"}

var scopes = [...]ScopeKind{Unscoped, ProjectScope, DomainScope, SystemScope}

// The form of a token inside its envelope: a version, then fixed parts, then numbers and ids of variable length.
const (
	tokenVersion = 1
	tokenFixed   = 1 + 1 + 1 + 8 + 8 + 16 + 16
	maxTokenID   = 64
)

var errToken = errors.New("malformed token")

// Encode writes t compactly.
func (t *Token) Encode() []byte {
	b := make([]byte, 0, tokenFixed+80)
	b = append(b, tokenVersion, t.methodBits(), byte(slices.Index(scopes[:], t.Scope.Kind)))
	b = binary.BigEndian.AppendUint64(b, uint64(t.IssuedAt.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, uint64(t.ExpiresAt.UnixMicro()))
	b = append(b, t.AuditID[:]...)
	b = append(b, t.ParentAuditID[:]...)
	b = binary.AppendUvarint(b, uint64(t.UserEpoch))
	b = binary.AppendUvarint(b, uint64(t.ScopeEpoch))
	for _, id := range []string{t.UserID, t.Scope.ID, t.AppCredentialID} {
		b = appendID(b, id)
	}
	return b
}

// DecodeToken reads what Encode wrote.
func DecodeToken(b []byte) (*Token, error) {
	if len(b) < tokenFixed || b[0] != tokenVersion || int(b[2]) >= len(scopes) {
		return nil, errToken
	}
	t := &Token{Scope: Scope{Kind: scopes[b[2]]}}
	if err := t.readMethods(b[1]); err != nil {
		return nil, err
	}
	t.IssuedAt = time.UnixMicro(int64(binary.BigEndian.Uint64(b[3:]))).UTC()
	t.ExpiresAt = time.UnixMicro(int64(binary.BigEndian.Uint64(b[11:]))).UTC()
	copy(t.AuditID[:], b[19:])
	copy(t.ParentAuditID[:], b[35:])
	return t, t.readTail(b[tokenFixed:])
}

func (t *Token) readTail(b []byte) (err error) {
	for _, n := range []*int64{&t.UserEpoch, &t.ScopeEpoch} {
		v, size := binary.Uvarint(b)
		if size <= 0 || v>>63 != 0 {
			return errToken
		}
		*n, b = int64(v), b[size:]
	}
	for _, id := range []*string{&t.UserID, &t.Scope.ID, &t.AppCredentialID} {
		if *id, b, err = cutID(b); err != nil {
			return err
		}
	}
	if len(b) > 0 || t.UserID == "" || (t.Scope.ID == "") != (t.Scope.Kind == Unscoped) {
		return errToken
	}
	return nil
}

func (t *Token) methodBits() (bits byte) {
	for i, m := range methods {
		if slices.Contains(t.Methods, m) {
			bits |= 1 << i
		}
	}
	return bits
}

func (t *Token) readMethods(bits byte) error {
	if bits == 0 || int(bits) >= 1<<len(methods) {
		return errToken
	}
	for i, m := range methods {
		if bits&(1<<i) != 0 {
			t.Methods = append(t.Methods, m)
		}
	}
	return nil
}

// packedID marks an id of 32 hexadecimal digits, which is kept as 16 bytes.
const packedID = 0xff

func appendID(b []byte, id string) []byte {
	if raw, err := hex.DecodeString(id); err == nil && len(raw) == 16 && hex.EncodeToString(raw) == id {
		return append(append(b, packedID), raw...)
	}
	return append(append(b, byte(len(id))), id...)
}

func cutID(b []byte) (id string, rest []byte, err error) {
	if len(b) == 0 {
		return "", nil, errToken
	}
	n := int(b[0])
	if n == packedID && len(b) >= 17 {
		return hex.EncodeToString(b[1:17]), b[17:], nil
	}
	if n > maxTokenID || len(b) < 1+n {
		return "", nil, errToken
	}
	return string(b[1 : 1+n]), b[1+n:], nil
}
