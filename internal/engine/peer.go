package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"plimsoll/internal/engine/enginepb"
)

// maxMessage bounds a request and an answer, in bytes: some ten thousand members.
const maxMessage = 16 << 20

// Listen makes the engine's socket, which only root and the user uid can connect to. A socket that is left over is
// replaced; one that answers is not.
func Listen(socket string, uid int) (net.Listener, error) {
	dialer := &net.Dialer{Timeout: time.Second}
	if c, err := dialer.DialContext(context.Background(), "unix", socket); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("listen on %s: another engine answers there", socket)
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the old socket: %w", err)
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if err := give(socket, uid); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("listen on %s: %w", socket, err)
	}
	return l, nil
}

// give lets only the user uid connect to a socket. It does not go by the name twice: who owns the folder could put a link
// to any file of root's in the socket's place.
func give(socket string, uid int) error {
	f, err := os.OpenFile(socket, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return errors.New("something else was put in its place")
	}
	held := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	return errors.Join(os.Chmod(held, 0o600), os.Chown(held, uid, -1))
}

// Dial connects to the engine at socket. Calls fail unless its process runs as the user wantUID, which is 0 outside
// tests. It connects when first called, and again whenever the engine was restarted.
func Dial(socket string, wantUID int) (enginepb.EngineClient, io.Closer, error) {
	backoff := grpc.ConnectParams{MinConnectTimeout: time.Second}
	backoff.Backoff.BaseDelay, backoff.Backoff.Multiplier, backoff.Backoff.MaxDelay = 50*time.Millisecond, 1.5, time.Second
	conn, err := grpc.NewClient("passthrough:///"+socket,
		grpc.WithContextDialer(func(ctx context.Context, socket string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}),
		grpc.WithTransportCredentials(peerCredentials{[]int{wantUID}}),
		grpc.WithConnectParams(backoff),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		return nil, nil, fmt.Errorf("connect to %s: %w", socket, err)
	}
	return enginepb.NewEngineClient(conn), conn, nil
}

// peerCredentials lets only processes of certain users be at the other end of a unix socket (SO_PEERCRED, unix(7)).
type peerCredentials struct{ users []int }

func (p peerCredentials) ClientHandshake(_ context.Context, _ string, c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return p.check(c)
}

func (p peerCredentials) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return p.check(c)
}

func (p peerCredentials) check(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	uid, err := peerUID(c)
	if err != nil {
		return nil, nil, fmt.Errorf("ask who is at the other end: %w", err)
	}
	for _, user := range p.users {
		if uid == user {
			return c, peerInfo{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}}, nil
		}
	}
	return nil, nil, fmt.Errorf("the process at the other end runs as user %d, which is not allowed", uid)
}

func peerUID(c net.Conn) (int, error) {
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return 0, fmt.Errorf("%T is no unix socket", c)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Ucred
	var peerErr error
	err = raw.Control(func(fd uintptr) { peer, peerErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, peerErr); err != nil {
		return 0, err
	}
	return int(peer.Uid), nil
}

func (peerCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "peercred"}
}
func (p peerCredentials) Clone() credentials.TransportCredentials { return p }
func (peerCredentials) OverrideServerName(string) error           { return nil }

type peerInfo struct{ credentials.CommonAuthInfo }

func (peerInfo) AuthType() string { return "peercred" }
