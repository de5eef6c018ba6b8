// Package engine is the only part of Plimsoll that acts with root's rights: it carries out Specs on one host. It
// makes network namespaces and links through package linux, starts, changes and reloads HAProxy, watches both, and
// answers a controller over a unix socket. What it makes outlives it.
package engine

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"

	"plimsoll/internal/engine/enginepb"
)

// Config says what an Engine works on.
type Config struct {
	// StateDir is the state directory; the engine keeps its files in lbaas/ and plugs/ below it.
	StateDir string
	// Instance is the state directory's instance id, which stamps everything made on the host.
	Instance string
	// Host is the host's name, as load balancers and bindings spell it.
	Host string
	// HAProxy is the program's path or name; "" is haproxy, found in PATH.
	HAProxy string
	// ClientUID is the user that may call the engine, besides root.
	ClientUID int
	// Version of this program, for Hello.
	Version string
	// Log may be nil.
	Log *slog.Logger
}

// Engine carries out Specs on one host. It implements enginepb.EngineServer.
type Engine struct {
	enginepb.UnimplementedEngineServer
	config Config
}

// New prepares an engine. It changes nothing on the host before Run, and several may be made for one state directory.
func New(config Config) (*Engine, error) { return &Engine{config: config}, nil }

// Run restores the plugs, adopts what runs and serves l until ctx ends; the data plane stays. It fails at once when
// another engine runs on the state directory. It closes l.
func (e *Engine) Run(ctx context.Context, l net.Listener) error {
	return errors.New("serve: not there yet")
}

// Purge removes everything that carries the instance's stamp: processes, namespaces, links, bridges, and the
// engine's files. It fails when an engine runs on the state directory.
func (e *Engine) Purge(ctx context.Context) error { return errors.New("purge: not there yet") }

// Listen makes the engine's socket, which only root and the user uid can connect to. A socket that is left over is
// replaced; one that answers is not.
func Listen(socket string, uid int) (net.Listener, error) { return nil, errors.New("listen: not there yet") }

// Dial connects to the engine at socket. Calls fail unless its process runs as the user wantUID, which is 0 outside
// tests. It connects when first called, and again whenever the engine was restarted.
func Dial(socket string, wantUID int) (enginepb.EngineClient, io.Closer, error) {
	return nil, nil, errors.New("dial: not there yet")
}
