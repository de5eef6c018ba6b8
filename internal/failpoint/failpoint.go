//go:build !failpoints

// Package failpoint marks the lines at which a crash is interesting: after every commit and after every action on the
// kernel or on a running process. In ordinary builds the marks cost nothing; built with the tag "failpoints", a test
// can kill the process at any of them, or make one give an error.
package failpoint

// Enabled tells whether this build can fail on purpose.
const Enabled = false

// Here marks a line at which a process may die. Names are constants of the form "package.action".
func Here(string) {}

// Value returns what a test asked of the named point, or "".
func Value(string) string { return "" }
