package linux

import "os/exec"

// Start starts a program in a named namespace.
func Start(namespace string, cmd *exec.Cmd) error {
	return Within(namespace, cmd.Start)
}
