// Servers runs a command, such as go test ./..., with a PostgreSQL and a MariaDB server that all its tests share:
//
//	go run ./internal/store/storetest/servers -- go test ./...
//
// It ends with the command's exit code, and the servers end with it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: servers -- command [argument]...")
		return 2
	}
	env, stop, err := start()
	defer stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
		return 1
	}
	return command(args, env)
}

// start starts the servers side by side and returns the variables that name them.
func start() (env []string, stop func(), err error) {
	engines := []store.Engine{store.PostgreSQL, store.MariaDB}
	servers := make([]*storetest.Server, len(engines))
	var g errgroup.Group
	for i, engine := range engines {
		g.Go(func() (err error) {
			if servers[i], err = storetest.Start(engine); err != nil {
				return fmt.Errorf("start %s: %w", engine, err)
			}
			return nil
		})
	}
	err = g.Wait()
	for i, engine := range engines {
		if servers[i] != nil {
			env = append(env, storetest.Variable(engine)+"="+servers[i].Connection)
		}
	}
	stop = func() {
		for _, s := range servers {
			if s != nil {
				s.Stop()
			}
		}
	}
	return env, stop, err
}

// command runs the command. Signals end it rather than us, since we have to tidy up behind it.
func command(args, env []string) int {
	cmd := exec.CommandContext(context.Background(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
		return 1
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	err := cmd.Wait()
	signal.Stop(signals)
	close(signals)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "servers:", err)
	return 1
}
