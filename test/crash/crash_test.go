// Package crash kills the server and the engine right after every commit and after every action on the kernel or on a
// running process, starts them again, and asks that all becomes as it was wanted.
package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"plimsoll/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// unsettled finds what must not be in a status tree in the end.
var unsettled = regexp.MustCompile(`"provisioning_status": ?"(PENDING_[A-Z]+|ERROR)"`)

// quick makes leases short, so that one is renewed while the scenario plays. The tunnel is the run's own: runs may share a host.
func quick(run int) harness.Option {
	vni := 1000000 + os.Getpid()%10000*1000 + run*20
	return harness.Config(fmt.Sprintf(`
[api_settings]
enabled_provider_drivers = haproxy, noop
[reconcile]
lease_ttl = 2
audit_interval = 2
[ml2]
tenant_network_types = local
[ml2_type_vxlan]
vni_ranges = %d:%d
[vxlan]
local_ip = 127.0.0.1
udp_dstport = 47890
`, vni, vni+19))
}

// perRun is how many points kill in one run of the scenario. Each kills once; more of them make fewer runs, and
// failures that are harder to read.
const perRun = 8

// TestEveryPoint first asks that the scenario passes every failpoint there is, then kills at each of them.
func TestEveryPoint(t *testing.T) {
	all := points(t)
	if len(all) < 40 {
		t.Fatalf("only %d failpoints found in the source: the search for them is broken", len(all))
	}
	t.Run("all are passed", func(t *testing.T) {
		dir := scratch(t)
		log := filepath.Join(dir, "points")
		s := harness.Start(t, quick(0), harness.Env("PLIMSOLL_FAILPOINT_LOG="+log, failingAt(dir)))
		scenarioOf(t, s, dir).run()
		s.Stop(t)
		passed := lines(log)
		for _, point := range all {
			if !passed[point] {
				t.Errorf("the scenario never passes failpoint %s", point)
			}
		}
	})
	runs := (len(all) + perRun - 1) / perRun
	for i := range runs {
		t.Run(fmt.Sprintf("run %d", i+1), func(t *testing.T) {
			t.Parallel() // it waits for most of its time
			crashAt(t, i+1, every(all, i, runs))
		})
	}
}

// every returns each nth point from the ith on, so that the points of the server and of the engine are mixed.
func every(all []string, i, n int) []string {
	var some []string
	for ; i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}

func crashAt(t *testing.T, run int, chunk []string) {
	t.Log("killing at ", strings.Join(chunk, ", "))
	once := scratch(t)
	s := harness.Start(t, quick(run), harness.Survive(), harness.Env(
		"PLIMSOLL_FAILPOINT_KILL="+strings.Join(chunk, ","), "PLIMSOLL_FAILPOINT_ONCE="+once, failingAt(once)))
	life := scenarioOf(t, s, once)
	func() {
		defer keepAlive(t, s)()
		life.run()
	}()
	s.Stop(t)
	for _, point := range chunk {
		if _, err := os.Stat(filepath.Join(once, point)); err != nil {
			t.Errorf("nothing was killed at %s: %v", point, err)
		}
	}
}

func scenarioOf(t *testing.T, s *harness.Server, dir string) *scenario {
	c := &client{t: t, server: s, url: s.URL}
	return &scenario{client: c, name: fmt.Sprintf("crash-%d", os.Getpid()), failing: filepath.Join(dir, failingFile)}
}

// failingFile names what the engine cannot make of a host's plan, while it names something.
const failingFile = "failing"

func failingAt(dir string) string {
	return "PLIMSOLL_FAILPOINT_VALUES=engine.hostFailure=@" + filepath.Join(dir, failingFile)
}

// keepAlive starts the server again each time it dies, until stop.
func keepAlive(t *testing.T, s *harness.Server) (stop func()) {
	done := make(chan struct{})
	var keeper sync.WaitGroup
	keeper.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if !s.Wait(50 * time.Millisecond) {
				continue
			}
			if err := s.TryStart(); err != nil {
				t.Logf("start again: %v", err)
			}
		}
	})
	return func() {
		close(done)
		keeper.Wait()
	}
}

// scratch is a directory that the server may write to after it gave up root's rights.
func scratch(t *testing.T) string {
	dir := t.TempDir()
	for d := dir; d != filepath.Dir(filepath.Dir(dir)); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
