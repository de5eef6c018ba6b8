package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"plimsoll/internal/engine"
	"plimsoll/internal/statedir"
)

// engineOptions are the flags of "plimsoll engine".
type engineOptions struct {
	stateDir  string
	host      string
	clientUID int
	logFile   string
	supervise bool
	debug     bool
	uplink    uplinkOptions
}

func engineCommand() *cobra.Command {
	var o engineOptions
	cmd := &cobra.Command{
		Use:   "engine",
		Short: "Carry out on this host what a server decides (needs root)",
		Long: `Engine makes network namespaces, links and HAProxy processes as the server of the same state directory asks for.
It is the only part of Plimsoll that needs root. "plimsoll serve", started as root, starts it by itself; start it by hand
beside a server that runs without root. What it made goes on without it; "plimsoll purge" takes that away.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.supervise {
				return supervise(cmd.Context(), o)
			}
			return runEngine(cmd.Context(), o)
		},
	}
	stateDirFlag(cmd, &o.stateDir)
	cmd.Flags().StringVar(&o.host, "host", "", "the host's name in the database (default: the kernel's)")
	cmd.Flags().IntVar(&o.clientUID, "client-uid", -1, "the user id of the server (default: the state directory's owner)")
	cmd.Flags().StringVar(&o.logFile, "log-file", "", "log to this file, of bounded size, instead of stderr")
	cmd.Flags().BoolVar(&o.supervise, "supervise", false, "run the engine as a child and start it again when it dies")
	cmd.Flags().BoolVar(&o.debug, "debug", false, "log every step")
	o.uplink.flags(cmd)
	return cmd
}

func stateDirFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "state-dir", "/var/lib/plimsoll", "the state directory")
	_ = cmd.MarkFlagDirname("state-dir")
}

func (o engineOptions) log() *slog.Logger {
	if o.logFile != "" {
		return newLog(&logFile{path: o.logFile, limit: logLimit}, o.debug)
	}
	return newLog(os.Stderr, o.debug)
}

func runEngine(ctx context.Context, o engineOptions) error {
	if os.Geteuid() != 0 {
		return errors.New("the engine needs root: it makes network namespaces")
	}
	e, dir, err := newEngine(o)
	if err != nil {
		return err
	}
	defer dir.Close()
	defer e.Close()
	uid, err := o.client(dir)
	if err != nil {
		return err
	}
	l, err := engine.Listen(dir.EngineSocket(), uid)
	if err != nil {
		return err
	}
	return e.Run(ctx, l)
}

// newEngine opens the state directory and prepares its engine. The caller closes the directory.
func newEngine(o engineOptions) (*engine.Engine, *statedir.Dir, error) {
	dir, err := statedir.Open(o.stateDir)
	if err != nil {
		return nil, nil, err
	}
	e, err := prepareEngine(o, dir)
	if err != nil {
		return nil, nil, errors.Join(err, dir.Close())
	}
	return e, dir, nil
}

func prepareEngine(o engineOptions, dir *statedir.Dir) (*engine.Engine, error) {
	instance, err := dir.ExistingInstance()
	if err != nil {
		return nil, err
	}
	host, err := hostName(o.host)
	if err != nil {
		return nil, err
	}
	uid, err := o.client(dir)
	if err != nil {
		return nil, err
	}
	uplinks, err := o.uplink.uplinks()
	if err != nil {
		return nil, err
	}
	dhcp, err := o.uplink.dhcp()
	if err != nil {
		return nil, err
	}
	return engine.New(engine.Config{
		StateDir: dir.Path(), Instance: instance, Host: host, ClientUID: uid, Version: version, Log: o.log(),
		Uplinks: uplinks, DHCP: dhcp, Options: o.uplink.text(),
	})
}

func (o engineOptions) client(dir *statedir.Dir) (int, error) {
	if o.clientUID >= 0 {
		return o.clientUID, nil
	}
	owner, err := dir.Owner()
	return owner.UID, err
}

// hostName is how this host is called, unless it is told.
func hostName(told string) (string, error) {
	kernels, err := os.Hostname()
	if name := cmp.Or(told, kernels); name != "" {
		return name, nil
	}
	return "", fmt.Errorf("this host has no name; give it one, or set host in the configuration: %w", err)
}
