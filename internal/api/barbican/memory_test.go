package barbican

import (
	"errors"
	"strconv"
	"testing"

	"plimsoll/internal/keymanager"
)

func TestMemory(t *testing.T) {
	m := &memory{}
	parsed := 0
	read := func(use keymanager.Use, payloads ...string) string {
		var all [][]byte
		for _, p := range payloads {
			all = append(all, []byte(p))
		}
		made, err := m.read(use, all, func() (*keymanager.Material, error) {
			parsed++
			if payloads[0] == "bad" {
				return nil, errors.New("bad")
			}
			return &keymanager.Material{Fingerprint: strconv.Itoa(parsed)}, nil
		})
		if err != nil {
			return err.Error()
		}
		return made.Fingerprint
	}
	for _, step := range []struct{ got, want string }{
		{read(keymanager.Certificate, "a", "b"), "1"}, {read(keymanager.Certificate, "a", "b"), "1"},
		{read(keymanager.Certificate, "ab", ""), "2"}, {read(keymanager.Authorities, "a", "b"), "3"},
		{read(keymanager.Certificate, "bad"), "bad"}, {read(keymanager.Certificate, "bad"), "bad"}, {read(keymanager.Certificate, "b"), "5"},
	} {
		if step.got != step.want {
			t.Errorf("it is %s, want %s", step.got, step.want)
		}
	}
	for i := range 2 * mostRemembered {
		read(keymanager.Certificate, strconv.Itoa(i))
	}
	if len(m.known) != mostRemembered {
		t.Errorf("it remembers %d", len(m.known))
	}
}
