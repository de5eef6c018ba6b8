package bench

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"plimsoll/test/harness"
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

// run builds the program as "make build" does, without the failpoints that the tests' own has, where there is anything
// to measure with it.
func run(m *testing.M) int {
	if flag.Lookup("test.bench").Value.String() == "" {
		return m.Run()
	}
	if os.Getenv("PLIMSOLL_BINARY") == "" {
		dir, err := os.MkdirTemp("", "plimsoll-bench-")
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary := filepath.Join(dir, "plimsoll")
		build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", binary, "plimsoll/cmd/plimsoll")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Printf("build plimsoll: %v\n%s", err, out)
			return 1
		}
		_ = os.Setenv("PLIMSOLL_BINARY", binary)
	}
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("load average at the start: %s", load)
	return harness.Main(m)
}

// site is a server, a network with web servers and a client on it, and the API as its administrator sees it.
type site struct {
	*harness.Server
	*harness.Cloud
	api    *api
	net    *harness.Net
	webs   []*harness.Web
	client *harness.Node
	rows   int // load balancers that were filled in
}

func newSite(b *testing.B, webs int) *site {
	b.Helper()
	s := &site{Server: harness.Start(b)}
	s.Cloud = s.Admin(b)
	s.api = newAPI(s.Cloud)
	s.net = s.CreateNetwork(b, "web", "10.1.0.0/20")
	s.client = s.Plug(b, s.net)
	for i := range webs {
		s.webs = append(s.webs, s.Plug(b, s.net).Serve(b, 8080, fmt.Sprintf("m%d", i+1)))
	}
	return s
}
