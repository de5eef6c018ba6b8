package keymanager

import (
	"crypto/x509"
	"time"
)

// Expiry is when what a listener or pool refers to expires.
type Expiry struct {
	LoadBalancerID, ProjectID string
	Noun                      string // "listener" or "pool"
	ObjectID                  string
	Ref                       string
	NotAfter                  time.Time // of the certificate of it that expires first; of a revocation list, when the next is due
}

// SoonExpired is for how long before the end a certificate is warned of.
const SoonExpired = 30 * 24 * time.Hour

// NotAfter is when the first of the certificates and revocation lists of a payload expires; zero where it has none that can be read
// without a passphrase.
func NotAfter(payload []byte) time.Time {
	m := &Material{}
	if certs, err := certificates(payload); err == nil {
		m.addAll(certs)
	}
	if lists, err := revocations(payload); err == nil {
		for _, l := range lists {
			m.add(blockRevocations, l.Raw, l.NextUpdate)
		}
	}
	if len(m.PEM) == 0 && len(blocks(payload)) == 0 {
		if b, err := ParseBundle(payload, nil); err == nil {
			m = b
		}
	}
	return m.NotAfter
}

func (m *Material) addAll(certs []*x509.Certificate) {
	for _, c := range certs {
		m.add(blockCertificate, c.Raw, c.NotAfter)
	}
}
