package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/portsbinding"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/spf13/cobra"
)

// plugOptions are the flags that plug and unplug share.
type plugOptions struct {
	stateDir string
	timeout  time.Duration
}

func (o *plugOptions) bind(cmd *cobra.Command) {
	stateDirFlag(cmd, &o.stateDir)
	cmd.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the host")
}

const findsTheServer = `

The server is found as OpenStack's client finds it: by the OS_* variables ("source openrc"), or by OS_CLOUD and clouds.yaml;
else it is that of the state directory.`

func plugCommand() *cobra.Command {
	var o plugOptions
	var netns, host string
	cmd := &cobra.Command{
		Use:   "plug PORT --netns NAME",
		Short: "Connect a port to a network namespace of a host",
		Long: `Plug connects a port (by its id) to a network namespace, which it makes if there is none of that name: it gets a link
with the port's MAC address, its addresses and its routes. The server remembers it, so that it survives restarts and
reboots. That is how a container or a test's server comes onto a network.` + findsTheServer,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if netns == "" {
				return &usageError{errors.New("--netns is missing: into which namespace?")}
			}
			name, err := hostName(host)
			if err != nil {
				return err
			}
			return o.with(cmd.Context(), func(ctx context.Context, c *clients) error {
				if err := plug(ctx, c.network, args[0], name, netns); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "port %s is connected to the network namespace %s of %s\n", args[0], netns, name)
				return nil
			})
		},
	}
	o.bind(cmd)
	cmd.Flags().StringVar(&netns, "netns", "", "the network namespace, by its name")
	cmd.Flags().StringVar(&host, "host", "", "the host of the namespace (default: this one)")
	return cmd
}

func unplugCommand() *cobra.Command {
	var o plugOptions
	cmd := &cobra.Command{
		Use:   "unplug PORT",
		Short: "Undo plug",
		Long:  `Unplug takes a port (by its id) out of the network namespace that "plimsoll plug" connected it to.` + findsTheServer,
		Args:  arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.with(cmd.Context(), func(ctx context.Context, c *clients) error {
				if err := unplug(ctx, c.network, args[0]); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "port %s is no longer connected\n", args[0])
				return nil
			})
		},
	}
	o.bind(cmd)
	return cmd
}

// with logs in and bounds the time of fn.
func (o *plugOptions) with(ctx context.Context, fn func(context.Context, *clients) error) error {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	a, err := findAccount(os.Getenv, o.stateDir)
	if err != nil {
		return err
	}
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	return fn(ctx, c)
}

// plug binds a port and waits until the host has it connected.
func plug(ctx context.Context, client *gophercloud.ServiceClient, port, host, netns string) error {
	err := bind(ctx, client, port, host, map[string]any{"netns": netns})
	if err != nil {
		return fmt.Errorf("plug port %s: %w", port, err)
	}
	return awaitPort(ctx, client, port, "ACTIVE", host)
}

// unplug unbinds a port and waits until the host has it disconnected.
func unplug(ctx context.Context, client *gophercloud.ServiceClient, port string) error {
	if err := bind(ctx, client, port, "", map[string]any{}); err != nil {
		return fmt.Errorf("unplug port %s: %w", port, err)
	}
	return awaitPort(ctx, client, port, "DOWN", "its host")
}

func bind(ctx context.Context, client *gophercloud.ServiceClient, port, host string, profile map[string]any) error {
	err := ports.Update(ctx, client, port, portsbinding.UpdateOptsExt{
		UpdateOptsBuilder: ports.UpdateOpts{}, HostID: &host, Profile: profile,
	}).Err
	if gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
		return errors.New("there is no such port; give its id, as \"openstack port list\" shows it")
	}
	return err
}

// awaitPort waits until a port has a status, and says what the server knows when that takes too long.
func awaitPort(ctx context.Context, client *gophercloud.ServiceClient, port, status, host string) error {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		var found boundPort
		err := ports.Get(ctx, client, port).ExtractIntoStructPtr(&found, "port")
		if err == nil && found.Status == status {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("look at port %s: %w", port, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("wait until port %s is %s: %s has not done it: %s", port, status, host, found.reason())
		}
	}
}

type boundPort struct {
	Status string `json:"status"`
	Reason string `json:"status_reason"`
}

func (p boundPort) reason() string {
	return cmp.Or(p.Reason, "does its engine run? (plimsoll doctor tells)")
}
