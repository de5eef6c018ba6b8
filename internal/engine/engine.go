// Package engine is the only part of Plimsoll that acts with root's rights: it carries out Specs on one host. It
// makes network namespaces and links through package linux, starts, changes and reloads HAProxy, watches both, and
// answers a controller over a unix socket. What it makes outlives it.
//
// An Apply walks: apply.go (what to do), admit.go (what HAProxy accepts), runtime.go (changes without a reload),
// start.go (start and reload). What is kept of a load balancer is in record.go and counters.go.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/linux"
)

// Config says what an Engine works on.
type Config struct {
	// StateDir is the state directory; the engine keeps its files in lbaas/v2/ and plugs/ below it.
	StateDir string
	// Instance is the state directory's instance id, which stamps everything made on the host.
	Instance string
	// Host is the host's name, as load balancers and bindings spell it.
	Host string
	// HAProxy is the program's path or name; "" is haproxy, found in PATH or where Debian puts it.
	HAProxy string
	// ClientUID is the user that may call the engine, besides root.
	ClientUID int
	// Version of this program, for Hello.
	Version string
	// Uplinks are the ways out of the host that networks may use.
	Uplinks linux.Uplinks
	// DHCP is what the host's DHCP servers tell every client.
	DHCP DHCP
	// Options is Uplinks and DHCP as the caller writes them, for Hello: engines of other options are told apart by it.
	Options string
	// Log may be nil.
	Log *slog.Logger
}

// Engine carries out Specs on one host. It implements enginepb.EngineServer.
type Engine struct {
	enginepb.UnimplementedEngineServer
	config Config
	log    *slog.Logger
	dir    string // the state directory, absolute
	files  folders
	host   *linux.Host
	digest func() string // of the program

	hub        *hub
	checks     *schedule
	tombstones *tombstones
	logs       readers // of access logs
	done       done
	plugging   sync.Mutex // one change of plugs at a time
	plugs      plugRecords
	hosting    *hosting
	touched    chan string // holds the program that may have changed guards, when they are to be looked at soon
	servants   servants
	dhcps      map[string]bool        // networks of which a DHCP server, or its namespace, may be there; of whoever applies the host's plan
	foundDhcps bool                   // those that an engine before us has left are among them
	routers    map[string]routerTable // by router; of whom applies the host's plan

	mu        sync.Mutex
	balancers map[string]*balancer
	// tasks are the goroutines that watch processes; life ends when Run does.
	tasks sync.WaitGroup
	life  context.Context
	end   context.CancelFunc
}

// New prepares an engine. It changes nothing on the host before Run, and several may be made for one state directory.
func New(config Config) (*Engine, error) {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.StateDir == "" {
		return nil, errors.New("make an engine: no state directory is given")
	}
	dir, err := filepath.Abs(config.StateDir)
	if err != nil {
		return nil, fmt.Errorf("find state directory %s: %w", config.StateDir, err)
	}
	host, err := linux.Open(config.Instance)
	if err != nil {
		return nil, err
	}
	host.SetUplinks(config.Uplinks)
	e := &Engine{config: config, log: config.Log, dir: dir, host: host, digest: sync.OnceValue(Digest),
		hub: newHub(), checks: newSchedule(), hosting: newHosting(), touched: make(chan string, 1), routers: map[string]routerTable{}, balancers: map[string]*balancer{}}
	e.checks.ask, e.checks.result = e.probe, e.checked
	e.tombstones = &tombstones{}
	e.life, e.end = context.WithCancel(context.Background())
	return e, nil
}

// Close frees what New opened. Call it after Run or Purge.
func (e *Engine) Close() {
	e.end()
	e.tasks.Wait()
	e.files.close()
	e.host.Close()
}

// prepare makes and opens the folders that the engine keeps its files in.
func (e *Engine) prepare() (err error) {
	if err := makeFolders(e.dir); err != nil {
		return err
	}
	e.plugs.forget()
	if e.files, err = openFolders(e.dir); err == nil {
		e.tombstones.path = e.files.lbaas.path("tombstones.json")
	}
	return err
}

// home is where people find a load balancer's files; the id has been checked. HAProxy is told it as its name.
func (e *Engine) home(id string) string { return filepath.Join(e.dir, balancersDir, id) }

// namespaceName is the name of a load balancer's network namespace.
func namespaceName(id string) string { return "qlbaas-" + id }
