package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plimsoll/internal/linux"
)

const (
	demoRequests = 1000
	demoWorkers  = 8
	demoTimeout  = 2 * time.Minute // of everything before it stays up
	demoEndTime  = 45 * time.Second
)

func demoCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show a load balancer that serves, on this machine (needs root)",
		Long: `Demo starts a server of its own in a temporary directory, makes two networks, two web servers in network namespaces and a
load balancer in front of them, all through the public API, and sends requests through it. It stays up until Ctrl-C and then
removes all that it made. Its traffic never leaves the namespaces.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd.Context(), once, cmd.OutOrStdout()) },
	}
	cmd.Flags().BoolVar(&once, "once", false, "end after the requests: successfully if all were answered and both members served")
	return cmd
}

// demo is one demonstration: a server, what it has been asked for, and who plays the members and the client.
type demo struct {
	out      io.Writer
	self     string // this program
	dir      string
	prefix   string // of the namespaces' names
	server   *child
	web      []*child
	clients  *clients
	front    demoNetwork
	back     demoNetwork
	members  []demoHost
	client   demoHost
	balancer demoBalancer
}

func runDemo(ctx context.Context, once bool, out io.Writer) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("the demo needs root: it makes network namespaces; try: sudo plimsoll demo")
	}
	if _, err := findProgram("haproxy"); err != nil {
		return fmt.Errorf("the demo needs HAProxy: %w; make deps installs it, or: apt install haproxy", err)
	}
	d, err := newDemo(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.end(context.WithoutCancel(ctx))) }()
	building, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	report, err := d.build(building)
	if err != nil {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		return fmt.Errorf("%w\nThe end of the server's log:\n%s", err, tail(d.serverLog()))
	}
	d.table(report)
	if once {
		return d.verdict(report)
	}
	d.explore()
	<-ctx.Done()
	return nil
}

func newDemo(out io.Writer) (*demo, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "plimsoll-demo-")
	if err != nil {
		return nil, err
	}
	// The server does not run as root and has to come to its state directory.
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &demo{out: out, self: self, dir: dir, prefix: filepath.Base(dir)}, nil
}

func (d *demo) stateDir() string  { return filepath.Join(d.dir, "state") }
func (d *demo) serverLog() string { return filepath.Join(d.dir, "serve.log") }

// build makes everything, step by step, and sends the requests.
func (d *demo) build(ctx context.Context) (demoReport, error) {
	var report demoReport
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"start a server, with users, networks and database of its own", d.startServer},
		{"log in", d.logIn},
		{"make the networks front (203.0.113.0/24) and back (10.20.0.0/24)", d.makeNetworks},
		{"start two web servers on back and a client on front, each in a namespace", d.startHosts},
		{"make a load balancer, listener, pool, health monitor and members", d.makeBalancer},
		{"wait until all of it is ACTIVE", d.awaitActive},
		{"wait until both members are ONLINE", d.awaitOnline},
		{fmt.Sprintf("send %d requests through the load balancer", demoRequests), func(ctx context.Context) (err error) {
			report, err = d.send(ctx)
			return err
		}},
	} {
		began := time.Now()
		if err := step.do(ctx); err != nil {
			return report, fmt.Errorf("%s: %w", step.what, err)
		}
		fmt.Fprintf(d.out, "%8.3f s  %s\n", time.Since(began).Seconds(), step.what)
	}
	return report, nil
}

// table prints how the requests spread.
func (d *demo) table(r demoReport) {
	fmt.Fprintf(d.out, "\n%-10s %-22s %9s %7s\n", "member", "address", "requests", "share")
	for _, m := range d.members {
		n := r.Answers[m.name]
		fmt.Fprintf(d.out, "%-10s %-22s %9d %6.1f%%\n", m.name, m.address+":80", n, 100*float64(n)/demoRequests)
	}
	fmt.Fprintf(d.out, "%-10s %-22s %9d %6.1f%%\n", "no answer", "", r.Failed, 100*float64(r.Failed)/demoRequests)
	fmt.Fprintf(d.out, "\n%.0f requests/s over new connections, %d at a time; half of them within %.2f ms, 99%% within %.2f ms\n",
		float64(demoRequests)/r.Seconds, demoWorkers, r.Median, r.P99)
}

// verdict is what --once ends with.
func (d *demo) verdict(r demoReport) error {
	if r.Failed > 0 {
		return fmt.Errorf("%d of %d requests had no answer: %s", r.Failed, demoRequests, r.Error)
	}
	for _, m := range d.members {
		if r.Answers[m.name] == 0 {
			return fmt.Errorf("member %s served none of the requests", m.name)
		}
	}
	if served := slices.Sorted(maps.Keys(r.Answers)); len(served) != len(d.members) {
		return fmt.Errorf("answers came from %s", strings.Join(served, ", "))
	}
	return nil
}

func (d *demo) explore() {
	state := d.stateDir()
	fmt.Fprintf(d.out, `
Look further, in another shell:
  source %s/openrc
  openstack loadbalancer list
  openstack loadbalancer status show demo
  openstack loadbalancer stats show demo
  openstack loadbalancer member set --weight 3 demo %s
  ip netns exec %s curl -s http://%s/
  cat %s/lbaas/v2/%s/haproxy.conf
The server's log is %s.

It stays up until you press Ctrl-C, and then leaves nothing behind.
`, state, d.members[0].name, d.client.netns, d.balancer.vip, state, d.balancer.id, d.serverLog())
}

// end takes everything away, whatever there is of it.
func (d *demo) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoEndTime)
	defer cancel()
	began := time.Now()
	var failed []error
	for _, c := range d.web {
		failed = append(failed, c.stop())
	}
	if d.server != nil {
		failed = append(failed, d.server.stop(), purge(ctx, d.stateDir(), true, io.Discard))
	}
	failed = append(failed, os.RemoveAll(d.dir))
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	fmt.Fprintf(d.out, "%8.3f s  remove all of it\n", time.Since(began).Seconds())
	return nil
}

// findProgram looks where root's PATH leads, too.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if err == nil {
			return path, nil
		}
		path, err = exec.LookPath(filepath.Join(dir, name))
	}
	if err != nil {
		return "", fmt.Errorf("there is no program %s", name)
	}
	return path, nil
}

// startIn starts a command in a network namespace; "" is the one that we are in.
func startIn(netns string, cmd *exec.Cmd) error {
	if netns == "" {
		return cmd.Start()
	}
	return linux.Start(netns, cmd)
}
