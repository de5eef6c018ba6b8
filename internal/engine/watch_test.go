package engine

import (
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
)

// hung is a load balancer of which HAProxy takes questions and answers none of them.
func hung(t *testing.T) (b *balancer, questions *atomic.Int32) {
	t.Helper()
	dir, err := os.MkdirTemp("", "plimsoll-test-") // short enough for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, haproxy.SocketFile))
	if err != nil {
		t.Fatal(err)
	}
	questions = new(atomic.Int32)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer func() { _ = c.Close() }()
			questions.Add(1)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	fd, err := unix.PidfdOpen(os.Getpid(), unix.PIDFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{processID: processID{PID: os.Getpid()}, fd: os.NewFile(uintptr(fd), "pidfd")}
	t.Cleanup(func() { _ = p.fd.Close() })
	return &balancer{id: "edfacd79-e9ec-4811-8ffe-7cfb8a8b3b03", dir: dir, current: p, health: &health{},
		record: record{Spec: &enginepb.Spec{Servers: []*enginepb.Server{{Checked: true}}}}}, questions
}

// TestHungHAProxy shows that a HAProxy that does not answer is asked one thing, and not again soon: others wait for their turn.
func TestHungHAProxy(t *testing.T) {
	t.Parallel()
	e := &Engine{hub: newHub()}
	b, questions := hung(t)
	for range 3 {
		e.pollInTime(b)
	}
	if n := questions.Load(); n != 1 {
		t.Errorf("it is polled %d times", n)
	}
	b, questions = hung(t)
	b.removals = make([]haproxy.Step, 5)
	b.removeIdle()
	if n := questions.Load(); n != 1 || len(b.removals) != 5 {
		t.Errorf("it is asked %d times to delete servers, of which %d are left", n, len(b.removals))
	}
}
