package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"plimsoll/internal/provider/avi/avitest"
)

// aviPassword is the variable that has the password of an Avi Controller where no flag has: command lines are for all to see.
const aviPassword = "AVI_PASSWORD"

// emulatorOptions are the flags of "plimsoll avi-emulator".
type emulatorOptions struct {
	listen    string
	user      string
	password  string
	version   string
	lenient   bool
	tenants   []string
	seGroups  []string
	placement time.Duration
	caFile    string
	failEvery int

	network   string
	portDelay time.Duration
}

func aviEmulatorCommand() *cobra.Command {
	var o emulatorOptions
	cmd := &cobra.Command{
		Use:   "avi-emulator",
		Short: "Run a stand-in for an Avi Controller, for rehearsals of the provider avi",
		Long: `Avi-emulator answers the REST API of an Avi Vantage Controller as recorded controllers did, and more strictly: unknown fields
and references to what is not there are refused. It has no service engines and carries no traffic: virtual services come up
at once, or after --placement, and servers are up. What it has is gone when it ends.

Its certificate is its own; --ca-file writes it where the option ca_file of a provider can name it. The password can be in
the variable ` + aviPassword + ` instead of a flag.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:9443", "the `HOST:PORT` to serve on")
	f.StringVar(&o.user, "user", avitest.DefaultUser, "who may log in")
	f.StringVar(&o.password, "password", "", "with which `password`")
	f.StringVar(&o.version, "version", avitest.DefaultVersion, "of the controller that it stands in for")
	f.BoolVar(&o.lenient, "lenient", false, "ignore unknown fields, as real controllers do")
	f.StringArrayVar(&o.tenants, "tenant", nil, "a tenant that there is besides admin: `NAME=ID`, where ID is a project's; repeatable")
	f.StringArrayVar(&o.seGroups, "se-group", nil, "the `name` of a service engine group that there is besides Default-Group; repeatable")
	f.DurationVar(&o.placement, "placement", 0, "the `duration` of placing a virtual service; without it they are placed at once")
	f.StringVar(&o.caFile, "ca-file", "", "write the certificate to this `file`")
	f.IntVar(&o.failEvery, "fail-every", 0, "have one of `N` requests fail, in all ways in turn: refused, cut, stale, logged out; 0 is none")
	f.StringVar(&o.network, "network-url", "", "the `URL` (before /v2.0) of the network service in which service engines have ports; its token is in "+aviNetworkToken)
	f.DurationVar(&o.portDelay, "port-delay", 15*time.Minute, "the `duration` that a port stays for when it is not used any more")
	_ = cmd.MarkFlagFilename("ca-file")
	cmd.AddCommand(aviShowCommand())
	return cmd
}

// options makes flags what the emulator is started with.
func (o emulatorOptions) options() (avitest.Options, error) {
	tenants, err := parseTenants(o.tenants)
	if err != nil {
		return avitest.Options{}, err
	}
	password, err := passwordOf(o.password)
	if err != nil {
		return avitest.Options{}, err
	}
	for i, name := range o.seGroups {
		if name == "" || name == "Default-Group" || slices.Contains(o.seGroups[:i], name) {
			return avitest.Options{}, &usageError{fmt.Errorf("--se-group %s: want names that differ", name)}
		}
	}
	if o.placement < 0 || o.portDelay < 0 || o.failEvery < 0 {
		return avitest.Options{}, &usageError{errors.New("--placement, --port-delay and --fail-every cannot be less than 0")}
	}
	options := avitest.Options{
		Listen: o.listen, User: o.user, Password: password, Version: o.version, Lenient: o.lenient, Tenants: tenants, SEGroups: o.seGroups,
		Placement: o.placement, Instant: o.placement == 0, PortDelay: portDelay(o.portDelay), AnyNetwork: true, FailEvery: o.failEvery,
	}
	if o.network == "" {
		return options, nil
	}
	if u, err := url.Parse(o.network); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return avitest.Options{}, &usageError{fmt.Errorf("--network-url %s: want http:// or https:// and an address", o.network)}
	}
	options.Ports = aviPorts{url: o.network, token: os.Getenv(aviNetworkToken)}
	return options, nil
}

// portDelay makes no time what the emulator takes for that: there 0 is its default.
func portDelay(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// passwordOf is what a flag says, or else the variable.
func passwordOf(flag string) (string, error) {
	if flag == "" {
		flag = os.Getenv(aviPassword)
	}
	if flag == "" {
		return "", &usageError{fmt.Errorf("no password is given: use --password, or the variable %s", aviPassword)}
	}
	return flag, nil
}

// parseTenants reads tenants, of which each has a name and an id of its own.
func parseTenants(texts []string) (map[string]string, error) {
	tenants, taken := map[string]string{}, map[string]bool{"admin": true}
	for _, text := range texts {
		name, id, err := parseTenant(text)
		if err != nil {
			return nil, err
		}
		if taken[name] || taken[id] {
			return nil, &usageError{fmt.Errorf("--tenant %s: there is a tenant of that name or ID already", text)}
		}
		taken[name], taken[id] = true, true
		tenants[name] = id
	}
	return tenants, nil
}

// parseTenant reads NAME=ID. Avi's tenants of projects are named by the project's id, with dashes.
func parseTenant(text string) (name, id string, err error) {
	name, id, found := strings.Cut(text, "=")
	parsed, err := uuid.Parse(strings.TrimPrefix(id, "tenant-"))
	if !found || name == "" || err != nil {
		return "", "", &usageError{fmt.Errorf("--tenant %s: want NAME=ID with the id of a project", text)}
	}
	return name, "tenant-" + parsed.String(), nil
}

// run serves until ctx ends.
func (o emulatorOptions) run(ctx context.Context, out, problems io.Writer) error {
	options, err := o.options()
	if err != nil {
		return err
	}
	s, err := avitest.New(options)
	if err != nil {
		return err
	}
	if o.caFile != "" {
		if err := os.WriteFile(o.caFile, s.CertPEM, 0o644); err != nil {
			return fmt.Errorf("write the certificate: %w", closing(s, err))
		}
	}
	fmt.Fprintf(out, "plimsoll: ready on %s\n", s.URL)
	collect(ctx, s, problems)
	return s.Close()
}

// collect has garbage collection look after ports from time to time until ctx ends. What goes wrong is told once, not each time.
func collect(ctx context.Context, s *avitest.Server, problems io.Writer) {
	tick := time.NewTicker(collectInterval)
	defer tick.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			told = complain(ctx, s.Collect(ctx), told, problems)
		}
	}
}

// complain writes an error that is not the one that was told last, and returns what is the last one now.
func complain(ctx context.Context, err error, told string, problems io.Writer) string {
	if err == nil || ctx.Err() != nil {
		return ""
	}
	if err.Error() != told {
		fmt.Fprintf(problems, "plimsoll: collect ports: %v\n", err)
	}
	return err.Error()
}

// collectInterval is short, so that rehearsals need not wait.
const collectInterval = time.Second

// closing ends an emulator because of an error, which it returns.
func closing(s *avitest.Server, err error) error {
	_ = s.Close() // what went wrong before is what matters
	return err
}
