package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/linux"
)

// The types of checks, as the API spells them.
const (
	typeHTTP       = "HTTP"
	typeHTTPS      = "HTTPS"
	typePing       = "PING"
	typeTCP        = "TCP"
	typeTLSHello   = "TLS-HELLO"
	typeUDPConnect = "UDP-CONNECT"
	typeSCTP       = "SCTP"
)

// A question is one check of one member.
type question struct {
	check *enginepb.Check
	to    netip.AddrPort
	// open makes a socket where the question is asked from.
	open func(domain, kind, protocol int) (fd int, err error)
	// unanswered tells whether nobody has answered at the address when its link address was asked for.
	unanswered func(netip.Addr) (bool, error)
}

// errNotAsked means that there is no answer because nobody was asked: the namespace is not there, or this host is out of sockets. It
// says nothing about the member.
var errNotAsked = errors.New("nobody was asked")

// probers ask, by the type of the check. They return nil when the member is well. They give up when ctx ends.
func probers() map[string]func(ctx context.Context, q question) error {
	return map[string]func(context.Context, question) error{
		typeHTTP:       askHTTP,
		typeHTTPS:      askHTTPS,
		typePing:       askPing,
		typeTCP:        askTCP,
		typeTLSHello:   askTLS,
		typeUDPConnect: askUDP,
		typeSCTP:       askSCTP,
	}
}

// probe asks a member of a load balancer, from its namespace.
func (e *Engine) probe(ctx context.Context, id string, c *enginepb.Check, p *enginepb.Probe) error {
	at, err := netip.ParseAddr(p.Address)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotAsked, err)
	}
	namespace := namespaceName(id)
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.TimeoutSeconds)*time.Second)
	defer cancel()
	return probers()[c.Type](ctx, question{
		check: c,
		to:    netip.AddrPortFrom(at.Unmap(), uint16(p.Port)),
		open: func(domain, kind, protocol int) (int, error) {
			// Each of these needs a thread for a moment: a thousand at once would leave a thousand threads.
			e.checks.opening <- struct{}{}
			defer func() { <-e.checks.opening }()
			return linux.Socket(namespace, domain, kind, protocol)
		},
		unanswered: func(a netip.Addr) (bool, error) {
			e.checks.opening <- struct{}{}
			defer func() { <-e.checks.opening }()
			return linux.Unanswered(namespace, a)
		},
	})
}
