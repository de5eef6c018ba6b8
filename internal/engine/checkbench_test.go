package engine

import (
	"context"
	"net/netip"
	"testing"

	"github.com/google/uuid"

	"plimsoll/internal/linux"
)

// BenchmarkPing is what one PING of a member costs, with the socket that is opened in a namespace for it.
func BenchmarkPing(b *testing.B) {
	host, err := linux.Open(uuid.NewString())
	if err != nil {
		b.Fatal(err)
	}
	defer host.Close()
	name := "plmtest-" + uuid.NewString()
	if _, err := host.EnsureNamespace(name); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = host.RemoveNamespace(name) }()
	q := asking(typePing, netip.AddrPortFrom(local()[0], 0))
	q.open = func(domain, kind, protocol int) (int, error) { return linux.Socket(name, domain, kind, protocol) }
	for b.Loop() {
		if err := askPing(context.Background(), q); err != nil {
			b.Fatal(err)
		}
	}
}
