package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"plimsoll/internal/config"
	"plimsoll/internal/statedir"
)

// serveOptions are the flags of "plimsoll serve".
type serveOptions struct {
	config   string
	stateDir string
	listen   string
}

func serveCommand() *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server: the APIs, and the loop that makes load balancers real",
		Long: `Serve answers the APIs and makes what they are asked for. Without a configuration it stands alone: its own users, networks
and database, all in the state directory, where openrc and clouds.yaml tell clients how to reach it.

Started as root it runs the engine as a process of its own and goes on as the user plimsoll, or nobody where there is no
such user. Without root it serves the APIs; load balancers then wait for an engine ("plimsoll engine").

SIGTERM ends it within five seconds. The engine and the load balancers go on; "plimsoll purge" takes them away.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.load()
			if err != nil {
				return err
			}
			return serve(cmd.Context(), c, cmd.OutOrStdout(), newLog(os.Stderr, c.Debug))
		},
	}
	o.flags(cmd)
	return cmd
}

// flags are those of all commands that ask for what a server would be.
func (o *serveOptions) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.config, "config", "", "the configuration (default "+config.DefaultFile+", if it is there)")
	cmd.Flags().StringVar(&o.stateDir, "state-dir", "", "the state directory (default "+config.Default().StatePath+")")
	cmd.Flags().StringVar(&o.listen, "listen", "", "the address to serve on (default "+config.Default().API.Listen()+")")
	_ = cmd.MarkFlagDirname("state-dir")
	_ = cmd.MarkFlagFilename("config")
}

// load reads the configuration; flags come before it.
func (o serveOptions) load() (config.Config, error) {
	c, err := config.Load(o.config)
	if err != nil {
		return c, err
	}
	if o.stateDir != "" {
		c.StatePath = o.stateDir
	}
	if c.Host, err = hostName(c.Host); err != nil {
		return c, err
	}
	if o.listen == "" {
		return c, nil
	}
	host, port, err := net.SplitHostPort(o.listen)
	if err != nil {
		return c, &usageError{fmt.Errorf("--listen %s: want HOST:PORT: %w", o.listen, err)}
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 {
		return c, &usageError{fmt.Errorf("--listen %s: %q is no port", o.listen, port)}
	}
	c.API.BindHost, c.API.BindPort = host, n
	return c, nil
}

// serve runs a server until ctx ends.
func serve(ctx context.Context, c config.Config, out io.Writer, log *slog.Logger) error {
	if _, err := newPolicy(c.Policy, nil); err != nil {
		return err // before anything is begun; the server reads it again as the user that it is to be
	}
	dir, user, err := openState(c)
	if err != nil {
		return err
	}
	defer dir.Close()
	lock, err := dir.Lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := dir.Instance(); err != nil {
		return err
	}
	listener, err := listen(ctx, c.API)
	if err != nil {
		return err
	}
	defer listener.Close()
	host := thisHost(dir, c.HAProxy)
	if err := privileged(ctx, c, dir, user, log); err != nil {
		return err
	}
	syscall.Umask(0o077) // the database, too, is for nobody else
	s := &server{config: c, dir: dir, host: host, listener: listener, log: log, out: out}
	return s.run(ctx)
}

// openState makes or opens the state directory, and says who the server runs as.
func openState(c config.Config) (*statedir.Dir, statedir.User, error) {
	user := statedir.Current()
	if user.UID == 0 {
		var err error
		if user, err = statedir.Unprivileged(); err != nil {
			return nil, user, err
		}
	}
	dir, err := statedir.Make(c.StatePath, user)
	if err != nil {
		return nil, user, err
	}
	if user, err = dir.Owner(); err == nil {
		err = user.Reaches(dir.Path())
	}
	if err != nil {
		return nil, user, errors.Join(err, dir.Close())
	}
	return dir, user, nil
}

// listen binds the address of the APIs, while the process may still bind a port below 1024.
func listen(ctx context.Context, api config.API) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", api.Listen())
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("another program listens on %s: stop it (ss -ltnp shows it), or choose another address with --listen: %w", api.Listen(), err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s is no address of this host: choose another with --listen: %w", api.BindHost, err)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("only root can listen on %s: choose a port above 1023 with --listen: %w", api.Listen(), err)
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", api.Listen(), err)
	}
	return l, nil
}

// privileged does what only root can do and gives root's rights up. Without them it says what will be missing.
func privileged(ctx context.Context, c config.Config, dir *statedir.Dir, user statedir.User, log *slog.Logger) error {
	if os.Geteuid() != 0 {
		unprivileged(ctx, c, dir, log)
		return nil
	}
	options := engineOptions{
		stateDir: dir.Path(), host: c.Host, clientUID: user.UID, logFile: dir.EngineLog(), debug: c.Debug,
		uplink: uplinksOf(c.Network),
	}
	a, err := newAttacher(dir, options, log)
	if err != nil {
		return err
	}
	if err := a.attach(ctx); err != nil {
		return err
	}
	if user.UID == 0 {
		return fmt.Errorf("the state directory %s belongs to root, and the server does not run as root", dir.Path())
	}
	if err := user.Become(); err != nil {
		return err
	}
	log.Info("running without root's rights", "user", user.Name)
	return nil
}

// unprivileged says what a server lacks that can start no engine: one, or one that knows what the configuration says of the host.
func unprivileged(ctx context.Context, c config.Config, dir *statedir.Dir, log *slog.Logger) {
	uplink := uplinksOf(c.Network)
	command := strings.Join(append([]string{"sudo plimsoll engine --supervise --state-dir", dir.Path()}, uplink.arguments()...), " ")
	switch found, err := hello(ctx, dir); {
	case err != nil:
		log.Warn("no engine answers: load balancers stay pending until one does; start serve as root, or run the command",
			"command", command, "err", err)
	case found.GetOptions() != uplink.text():
		log.Warn("the engine was started with other options of networks than the configuration has; start it again with the command",
			"command", command, "options", found.GetOptions())
	}
}
