package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"plimsoll/internal/engine/enginepb"
)

// callTime bounds a call; a start of HAProxy and the removal of a load balancer are the longest.
const callTime = time.Minute

// Run restores the plugs, adopts what runs and serves l until ctx ends; the data plane stays. It fails at once when
// another engine runs on the state directory. It closes l.
func (e *Engine) Run(ctx context.Context, l net.Listener) error {
	defer func() { _ = l.Close() }()
	unlock, err := e.lockStateDir()
	if err != nil {
		return err
	}
	defer unlock()
	if err := errors.Join(e.prepare(), e.tombstones.load()); err != nil {
		return err
	}
	e.restoreHost(ctx)
	if err := e.adopt(); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return e.watchLinks(ctx) })
	group.Go(func() error { return e.watchServers(ctx) })
	group.Go(func() error { return e.keepCounters(ctx) })
	group.Go(func() error { return e.checks.run(ctx) })
	group.Go(func() error { return e.keepPlugs(ctx) })
	group.Go(func() error { return e.keepGuards(ctx) })
	group.Go(func() error { return e.watchTables(ctx) })
	group.Go(func() error { return e.keepHost(ctx) })
	group.Go(func() error { return e.serve(ctx, l) })
	err = group.Wait()
	e.end()
	e.tasks.Wait()
	e.saveCounters()
	e.hangUp()
	return err
}

// hangUp lets the replaced processes end without us.
func (e *Engine) hangUp() {
	for _, id := range e.known() {
		if b := e.tryBalancer(id); b != nil {
			for _, p := range b.draining {
				p.hangUp()
			}
			b.unlock()
		}
	}
}

func (e *Engine) serve(ctx context.Context, l net.Listener) error {
	server := grpc.NewServer(
		grpc.Creds(peerCredentials{[]int{0, e.config.ClientUID}}),
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(256), grpc.ConnectionTimeout(5*time.Second),
		grpc.UnaryInterceptor(e.call))
	enginepb.RegisterEngineServer(server, e)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		e.hub.close() // ends the watches
		// A change in progress is finished, unless it hangs.
		hurry := time.AfterFunc(3*time.Second, server.Stop)
		defer hurry.Stop()
		server.GracefulStop()
	}()
	err := server.Serve(l)
	if ctx.Err() != nil {
		err = nil
	} else {
		server.Stop()
		e.end()
	}
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	<-stopped
	return nil
}

// call bounds every call and keeps a fault in one from ending the engine.
func (e *Engine) call(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (_ any, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			e.log.Error("call ended in a fault", "method", info.FullMethod, "err", fmt.Sprint(fault))
			err = status.Errorf(codes.Internal, "%s ended in a fault: %v", info.FullMethod, fault)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return handle(ctx, req)
}

// lockStateDir makes sure that one engine works on a state directory. The kernel frees the lock when the process ends.
func (e *Engine) lockStateDir() (unlock func(), err error) {
	path := filepath.Join(e.dir, "engine.lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the state directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("another engine runs on the state directory %s: it holds %s", e.dir, path)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}
