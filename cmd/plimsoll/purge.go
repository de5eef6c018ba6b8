package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"plimsoll/internal/statedir"
)

func purgeCommand() *cobra.Command {
	var stateDir string
	var state bool
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Remove everything that was made on this host",
		Long: `Purge stops the engine of a state directory and removes everything that it made on this host: HAProxy processes, network
namespaces, links and bridges, and the load balancers' files. Traffic ends. Nothing that another state directory's
engine made is touched. The server must be stopped first.

What is wanted stays in the database: the next "plimsoll serve" on the state directory makes it all again. With --state the
state directory goes too, and with it the embedded database, its users and its load balancers.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return purge(cmd.Context(), stateDir, state, cmd.OutOrStdout())
		},
	}
	stateDirFlag(cmd, &stateDir)
	cmd.Flags().BoolVar(&state, "state", false, "remove the state directory too")
	return cmd
}

func purge(ctx context.Context, stateDir string, state bool, out io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("purge needs root: what it removes was made by root")
	}
	e, dir, err := newEngine(engineOptions{stateDir: stateDir, clientUID: -1})
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(out, "there is nothing to remove: %v\n", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	defer e.Close()
	lock, err := dir.Lock()
	if inUse := new(statedir.InUse); errors.As(err, &inUse) {
		return fmt.Errorf("the server still runs, stop it first: %w", err)
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := stopEngine(ctx, dir); err != nil {
		return err
	}
	if err := e.Purge(ctx); err != nil {
		return fmt.Errorf("purge: %w", err)
	}
	fmt.Fprintln(out, "everything that this state directory's engine made on the host is gone")
	if !state {
		return nil
	}
	if err := os.RemoveAll(stateDir); err != nil {
		return fmt.Errorf("remove the state directory: %w", err)
	}
	fmt.Fprintf(out, "%s is gone\n", stateDir)
	return nil
}
