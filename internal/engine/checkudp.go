package engine

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// askUDP sends a datagram, as Octavia's check by nc does. A member is well unless its host says that nobody listens there (ICMP), or no
// host is there at all: UDP itself promises no answer. One that comes is taken for health at once.
func askUDP(ctx context.Context, q question) error {
	w, err := q.connect(ctx, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.send([]byte("X")); err != nil {
		return err
	}
	_, err = w.receive(make([]byte, 1))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if nobody, err := q.unanswered(q.to.Addr()); err == nil && nobody {
		return unix.EHOSTUNREACH
	}
	return nil
}
