// Package keymanager is the domain of the key manager: secrets and containers as Barbican has them, how payloads are sealed, and
// how certificates, authorities and revocation lists are read from them. It does no input or output.
package keymanager

import (
	"errors"
	"time"

	"plimsoll/lbaas"
)

// Use is what a listener or a pool wants of a secret.
type Use int

// The uses that TLS has of secrets.
const (
	Certificate Use = iota // a certificate with its chain and its private key
	Authorities            // certificates of authorities
	Revocations            // revocation lists
)

// String is the use as messages name it.
func (u Use) String() string {
	switch u {
	case Certificate:
		return "certificate"
	case Authorities:
		return "CA certificates"
	case Revocations:
		return "certificate revocation list"
	}
	return "unknown use"
}

// Material is what TLS needs, as HAProxy reads it.
type Material struct {
	// PEM is the leaf, its chain in order and the private key, not encrypted; or the authorities; or the revocation lists.
	PEM []byte
	// NotAfter is when the first of it expires (for a revocation list: when the next is due); zero where nothing does.
	NotAfter time.Time
	// Names are the DNS names and IP addresses of the leaf, or its common name where it has none of them.
	Names []string
	// Fingerprint is the SHA-256 of the leaf (or of all that is in PEM) in lower-case hex.
	Fingerprint string
}

// Told tells whether an error of reading a Material is one that the user has to do something about: the secret is not there, not the
// user's to use, or not what TLS needs. With any other error nothing is known.
func Told(err error) bool {
	return errors.Is(err, lbaas.NotFound) || errors.Is(err, lbaas.Forbidden) || errors.Is(err, lbaas.Invalid)
}

// Status is the state of a secret or container, with Barbican's words.
type Status string

// The statuses that objects have here: nothing waits for anything.
const (
	Active Status = "ACTIVE"
)
