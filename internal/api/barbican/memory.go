package barbican

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"plimsoll/internal/keymanager"
)

// mostRemembered bounds what a memory holds: some kilobytes each.
const mostRemembered = 1000

// memory remembers what payloads were read as, or why they could not be: a passphrase, even an empty one, takes milliseconds to stretch, and a
// load balancer may have a hundred certificates, which are looked at with every change of a member. Whoever makes a payload can have it take
// seconds. The payloads themselves are fetched each time.
type memory struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]judgement
}

// judgement is what a payload was read as, or the error.
type judgement struct {
	made *keymanager.Material
	err  error
}

// read returns what was read of the same payloads before, or reads them.
func (m *memory) read(use keymanager.Use, payloads [][]byte, parse func() (*keymanager.Material, error)) (*keymanager.Material, error) {
	key := keyOf(use, payloads)
	m.mu.Lock()
	known, there := m.known[key]
	m.mu.Unlock()
	if there {
		return known.made, known.err
	}
	made, err := parse()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = map[[sha256.Size]byte]judgement{}
	}
	for old := range m.known { // any will do
		if len(m.known) < mostRemembered {
			break
		}
		delete(m.known, old)
	}
	m.known[key] = judgement{made, err}
	return made, err
}

func keyOf(use keymanager.Use, payloads [][]byte) (key [sha256.Size]byte) {
	h := sha256.New()
	fmt.Fprintf(h, "%d", use)
	for _, p := range payloads {
		fmt.Fprintf(h, " %d %s", len(p), p)
	}
	h.Sum(key[:0])
	return key
}
