package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the program under test, which Main builds. It is written once, before any test runs.
var binary string

// Main builds plimsoll, runs the tests and returns the exit code, for TestMain. The environment variable PLIMSOLL_BINARY
// names a program to test instead of building one.
func Main(m *testing.M) int {
	if os.Geteuid() != 0 {
		fmt.Println("these tests need root: they make network namespaces")
		return m.Run() // each test skips, so that the run says what it did not test
	}
	if binary = os.Getenv("PLIMSOLL_BINARY"); binary != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "plimsoll-binary-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "plimsoll")
	// Without the race detector, whatever the tests run with: it would cost the data path's timing.
	build := exec.CommandContext(context.Background(), "go", "build", "-tags", "failpoints,grpcnotrace", "-o", binary, "plimsoll/cmd/plimsoll")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("build plimsoll: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// Binary is the path of the program under test.
func Binary() string { return binary }
