package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os/user"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"plimsoll/internal/api/barbican"
	"plimsoll/internal/api/keystone"
	"plimsoll/internal/api/neutron"
	"plimsoll/internal/api/neutronlbaas"
	"plimsoll/internal/api/octavia"
	"plimsoll/internal/config"
	"plimsoll/internal/engine"
	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/identity"
	"plimsoll/internal/metrics"
	"plimsoll/internal/network"
	"plimsoll/internal/policy"
	"plimsoll/internal/reconcile"
	"plimsoll/internal/statedir"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

const (
	drainTime = 3 * time.Second // that requests have to finish when the server ends
	stopTime  = 4500 * time.Millisecond
)

// server is what "plimsoll serve" runs once it has given up root's rights.
type server struct {
	config   config.Config
	dir      *statedir.Dir
	host     haproxy.Options
	listener net.Listener
	log      *slog.Logger
	out      io.Writer
}

// run serves until ctx ends.
func (s *server) run(ctx context.Context) error {
	instance, err := s.dir.Instance()
	if err != nil {
		return err
	}
	rules, err := newPolicy(s.config.Policy, s.log)
	if err != nil {
		return err
	}
	st, err := s.openStore(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	client, closer, err := engine.Dial(s.dir.EngineSocket(), 0)
	if err != nil {
		return err
	}
	defer closer.Close()
	enabled, err := enable(s.config, workshop{
		engine: client, networks: st, secrets: &barbican.Service{Vault: st}, projects: projectNames(st), config: s.config, haproxy: s.host, dir: s.dir, log: s.log,
	})
	if err != nil {
		return err
	}
	st.SetVIPGroups(enabled.vipGroups)
	defer func() {
		if err := enabled.close(); err != nil {
			s.log.Info("sessions with controllers left to their end", "err", err)
		}
	}()
	ident, err := s.identity(ctx, st)
	if err != nil {
		return err
	}
	if err := firstNetworks(ctx, st); err != nil {
		return fmt.Errorf("make the first networks: %w", err)
	}
	shown := metrics.New(metrics.Config{
		Store: st, Engine: client, Version: version, LoadBalancers: s.config.Metrics.LoadBalancers, Log: s.log,
	})
	handler := s.measured(s.handler(st, ident, enabled, rules), shown, ident)
	loop := s.loop(st, enabled, instance, shown.Stepped)
	shown.Loop(loop.State)
	plugger := reconcile.EnginePlugger{Engine: client}
	return s.work(ctx, handler, []func(context.Context) error{
		loop.Run,
		reconcile.NewBindings(reconcile.BindingsConfig{Store: st, Plugger: plugger, Host: s.config.Host, Log: s.log}).Run,
		s.hostNetwork(st, client).Run,
		reconcile.NewJanitor(reconcile.JanitorConfig{Store: st, Networks: st, Log: s.log}).Run,
		ident.Run,
	})
}

func (s *server) loop(st *store.Store, enabled enabledProviders, instance string, stepped func(reconcile.Step)) *reconcile.Loop {
	return reconcile.New(reconcile.Config{
		Store: st, Networks: st, Providers: enabled.providers, Instance: instance, Host: s.config.Host, Shards: true, Log: s.log, Stepped: stepped,
		LeaseTTL: seconds(s.config.Reconcile.LeaseTTL), Deadline: seconds(s.config.Reconcile.Deadline),
		AuditEvery: seconds(s.config.Reconcile.Audit),
	})
}

// hostNetwork has the engine do what the network service wants of this host.
func (s *server) hostNetwork(st *store.Store, client enginepb.EngineClient) *reconcile.HostNetwork {
	self := network.Host{Name: s.config.Host, Version: version}
	if s.config.Network.TunnelIP.IsValid() {
		self.TunnelIP = s.config.Network.TunnelIP.String()
	}
	return reconcile.NewHostNetwork(reconcile.HostNetworkConfig{Store: st, Engine: reconcile.EngineHost{Engine: client}, Host: self, Log: s.log})
}

// measured has the requests counted, and answers at /metrics, beside what CORS lets pages of others read.
func (s *server) measured(faces http.Handler, shown *metrics.Metrics, auth web.Authenticator) http.Handler {
	if !s.config.Metrics.Enabled {
		return faces
	}
	return withMetrics(metrics.Guarded(shown.Handler(), s.config.Metrics.Clients, auth), web.Watched(faces, shown.Seen))
}

func (s *server) openStore(ctx context.Context) (*store.Store, error) {
	connection := cmp.Or(s.config.Database.Connection, s.dir.Database())
	st, err := store.Open(ctx, connection, s.log)
	if err != nil {
		return nil, fmt.Errorf("open the database %s: %w", config.Database{Connection: connection}.Redacted(), err)
	}
	st.SetQuotaDefaults(s.config.Quotas)
	st.SetNetworkQuotaDefaults(s.config.NetworkQuotas)
	st.SetSegments(s.config.Network.Segments)
	key, err := s.dir.SealingKey()
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	st.SetKey(key)
	if err := st.CheckKey(ctx); err != nil {
		s.log.Error("secrets cannot be read", "file", s.dir.Path()+"/keymanager.key", "err", err)
	}
	return st, nil
}

// identity makes the identity service, and at the first start its users; and tells clients how to come in.
func (s *server) identity(ctx context.Context, st *store.Store) (*keystone.Service, error) {
	ident, err := keystone.New(keystone.Config{
		Store: st, KeyDir: s.dir.FernetKeys(), Region: s.config.Region, PublicURL: s.config.API.BaseURI, Log: s.log,
		Endpoints: []identity.Endpoint{
			{Type: "identity", Name: "keystone", Path: "/identity"},
			{Type: "network", Name: "neutron", Path: "/networking"},
			{Type: "load-balancer", Name: "octavia", Path: "/load-balancer"},
			{Type: "key-manager", Name: "barbican", Path: "/key-manager"},
		},
	})
	if err != nil {
		return nil, err
	}
	password, err := s.dir.AdminPassword()
	if err != nil {
		return nil, err
	}
	demo, err := s.dir.DemoPassword()
	if err != nil {
		return nil, err
	}
	if err := ident.Bootstrap(ctx, password, demo); err != nil {
		return nil, fmt.Errorf("make the first users: %w", err)
	}
	return ident, s.dir.WriteCredentials(statedir.Credentials{
		AuthURL: cmp.Or(s.config.API.BaseURI, s.url()) + "/identity/v3", Region: s.config.Region,
		User: "admin", Password: password, Project: "admin",
	})
}

// firstNetworks makes the networks of a first start, for the project admin. By a later start that project may be gone.
func firstNetworks(ctx context.Context, st *store.Store) error {
	admin, err := st.ProjectByName(ctx, identity.DefaultDomainID, "admin")
	if errors.Is(err, lbaas.NotFound) {
		admin, err = &identity.Project{}, nil
	}
	if err != nil {
		return err
	}
	return st.BootstrapNetworks(ctx, admin.ID)
}

// url is where clients on this host reach the server.
func (s *server) url() string {
	addr := s.listener.Addr().(*net.TCPAddr).AddrPort()
	ip := addr.Addr().Unmap()
	if ip.IsUnspecified() {
		ip = netip.MustParseAddr("127.0.0.1")
	}
	return "http://" + net.JoinHostPort(ip.String(), strconv.Itoa(int(addr.Port())))
}

func (s *server) handler(st *store.Store, ident *keystone.Service, enabled enabledProviders, rules *policy.Enforcer) http.Handler {
	lb := octavia.New(octavia.Config{
		Store: st, Networks: st, Auth: ident, Policy: rules, Providers: enabled.faces, DefaultProvider: enabled.byDefault,
		Host: s.config.Host, MaxPage: s.config.API.MaxLimit, Stats: enabled.stats,
		Options: apiOptions(s.config), Certificates: certificates(s.config, &barbican.Service{Vault: st}), MaxBody: int64(s.config.MaxBody), Log: s.log,
	})
	faces := announce(s.config.API.BaseURI, mount(map[string]http.Handler{
		"/identity": ident.Handler(),
		"/networking": networking(
			neutron.New(neutron.Config{Store: st, Auth: ident, Providers: enabled.faces, DefaultProvider: enabled.byDefault, NoSecurityGroups: !s.config.SecurityGroups,
				Host: s.config.Host, Log: s.log}),
			neutronlbaas.New(neutronlbaas.Config{
				Store: st, Octavia: lb, Auth: ident, Policy: rules, Providers: enabled.faces, Stats: enabled.stats, MaxBody: int64(s.config.MaxBody), Log: s.log,
			}),
		),
		"/key-manager":   barbican.New(barbican.Config{Store: st, Auth: ident, MaxSecret: s.config.MaxSecret, Log: s.log}),
		"/load-balancer": lb,
		"":               lb,
	}, s.health(st)))
	return cors(s.config.CORS).Wrap(faces)
}

// health answers at /healthcheck; nil where that is switched off.
func (s *server) health(st *store.Store) http.Handler {
	if !s.config.API.Healthcheck {
		return nil
	}
	return &health{ping: st.Ping}
}

// work serves HTTP and runs the loops until ctx ends or one of them fails. Then it lets requests finish, and ends the
// loops, all in less than five seconds.
func (s *server) work(ctx context.Context, handler http.Handler, loops []func(context.Context) error) error {
	front := s.httpServer(handler)
	g, ctx := errgroup.WithContext(ctx)
	looping, endLoops := context.WithCancel(context.WithoutCancel(ctx))
	defer endLoops()
	for _, loop := range loops {
		g.Go(func() error { return loop(looping) })
	}
	g.Go(func() error {
		if err := front.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve HTTP: %w", err)
		}
		return nil
	})
	fmt.Fprintf(s.out, "plimsoll: ready on %s\n", s.url())
	s.log.Info("ready", "url", s.url(), "version", version)
	<-ctx.Done()
	s.log.Info("stopping")
	s.drain(front)
	endLoops()
	return waitFor(g.Wait, stopTime-drainTime)
}

func (s *server) drain(front *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := front.Shutdown(ctx); err != nil {
		s.log.Warn("requests cut short", "err", err)
		_ = front.Close()
	}
}

// waitFor bounds how long it waits.
func waitFor(wait func() error, bound time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- wait() }()
	select {
	case err := <-done:
		return err
	case <-time.After(bound):
		return errors.New("stop: what was under way did not end in time; the next start goes on with it")
	}
}

func (s *server) httpServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// thisHost is what HAProxy's configurations need to know of this host.
func thisHost(dir *statedir.Dir, c config.HAProxy) haproxy.Options {
	o := haproxy.Options{StateDir: dir.Path(), User: "nobody", Group: "nogroup", HardStop: seconds(c.HardStopAfter)}
	if u, err := user.Lookup("haproxy"); err == nil {
		if g, err := user.LookupGroupId(u.Gid); err == nil {
			o.User, o.Group = u.Username, g.Name
		}
	} else if _, err := user.LookupGroup(o.Group); err != nil {
		o.Group = "nobody" // as Fedora calls it
	}
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil {
		o.FDLimit = int(min(files.Max, 1<<20))
	}
	return o
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
