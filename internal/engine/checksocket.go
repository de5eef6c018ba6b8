package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// wire is a socket that is connected to a member. Waiting on it takes no thread.
type wire struct {
	file *os.File
	raw  syscall.RawConn
	stop func() bool
}

// connect opens a socket to the member and waits until it stands, or ctx ends.
func (q question) connect(ctx context.Context, kind, protocol int) (*wire, error) {
	domain := unix.AF_INET6
	if q.to.Addr().Is4() {
		domain = unix.AF_INET
	}
	fd, err := q.open(domain, kind, protocol)
	if err != nil {
		return nil, fmt.Errorf("%w: open a socket: %w", errNotAsked, err)
	}
	err = unix.Connect(fd, q.sockaddr(kind))
	pending := errors.Is(err, unix.EINPROGRESS)
	if err != nil && !pending {
		_ = unix.Close(fd)
		return nil, err
	}
	w, err := newWire(ctx, fd)
	if err != nil || !pending {
		return w, err
	}
	if err := w.connected(); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// sockaddr is where the member is. A raw socket's address has no port (ip(7)).
func (q question) sockaddr(kind int) unix.Sockaddr {
	port := int(q.to.Port())
	if kind == unix.SOCK_RAW {
		port = 0
	}
	if q.to.Addr().Is4() {
		return &unix.SockaddrInet4{Port: port, Addr: q.to.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: port, Addr: q.to.Addr().As16()}
}

// newWire takes over a socket, which does not block.
func newWire(ctx context.Context, fd int) (*wire, error) {
	w := &wire{file: os.NewFile(uintptr(fd), "check")}
	var err error
	if w.raw, err = w.file.SyscallConn(); err != nil {
		_ = w.file.Close()
		return nil, fmt.Errorf("%w: %w", errNotAsked, err)
	}
	w.stop = context.AfterFunc(ctx, func() { _ = w.file.SetDeadline(time.Unix(1, 0)) })
	return w, nil
}

func (w *wire) close() {
	w.stop()
	_ = w.file.Close()
}

// connected waits for the end of a connect(2) that is under way.
func (w *wire) connected() error {
	var number int
	var err error
	waited := w.raw.Write(func(fd uintptr) bool {
		n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 0)
		if n < 1 {
			return false
		}
		number, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		return true
	})
	if err = cmp.Or(waited, err); err == nil && number != 0 {
		err = unix.Errno(number)
	}
	return err
}

// send sends one packet.
func (w *wire) send(packet []byte) error {
	var err error
	waited := w.raw.Write(func(fd uintptr) bool {
		_, err = unix.Write(int(fd), packet)
		return !errors.Is(err, unix.EAGAIN)
	})
	return cmp.Or(waited, err)
}

// receive waits for a packet.
func (w *wire) receive(into []byte) (n int, err error) {
	waited := w.raw.Read(func(fd uintptr) bool {
		n, err = unix.Read(int(fd), into)
		return !errors.Is(err, unix.EAGAIN)
	})
	return n, cmp.Or(waited, err)
}

// stream makes a net.Conn of a TCP connection, which fails once ctx ends. The caller closes it instead.
func (w *wire) stream(ctx context.Context) (net.Conn, error) {
	defer w.close()
	c, err := net.FileConn(w.file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotAsked, err)
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a check leaves no TIME_WAIT behind, on neither side
	}
	context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) }) // every check's ctx ends with it
	return c, nil
}

// payload is what a packet of a raw socket carries: that of IPv4 begins with its IP header (raw(7)).
func payload(packet []byte, to netip.Addr) []byte {
	if !to.Is4() {
		return packet
	}
	if len(packet) < 20 {
		return nil
	}
	header := int(packet[0]&0x0f) * 4
	if header < 20 || header > len(packet) {
		return nil
	}
	return packet[header:]
}
