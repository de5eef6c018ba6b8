package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"plimsoll/test/harness"
)

// runIn runs a program in a node's namespace until the benchmark ends. It is in a session of its own, as every daemon is: the
// kernel shares the processors out among sessions first (sched_autogroup_enabled).
func runIn(b *testing.B, n *harness.Node, env []string, program string, args ...string) harness.Process {
	b.Helper()
	cmd := exec.Command("ip", append([]string{"netns", "exec", n.NetNS, program}, args...)...) //nolint:noctx // it is killed below
	var output bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if b.Failed() {
			b.Logf("%s: %s", program, output.String())
		}
	})
	return harness.Process{PID: cmd.Process.Pid, Command: program} // ip becomes the program
}

// listens waits until a node's port takes connections.
func listens(b *testing.B, n *harness.Node, port int) {
	b.Helper()
	harness.Eventually(b, 5*time.Second, func() error {
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		c, err := n.Dial(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			_ = c.Close()
		}
		return err
	})
}

// weight is memory in megabytes (MB, 10⁶ bytes): resident, and the share of it that would be freed if the process ended.
type weight struct{ rss, pss float64 }

// weigh adds the memory of processes up.
func weigh(processes ...harness.Process) (w weight) {
	for _, p := range processes {
		file, err := os.Open(filepath.Join("/proc", strconv.Itoa(p.PID), "smaps_rollup"))
		if err != nil {
			continue // it ended
		}
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			var kib float64
			name, value, _ := strings.Cut(lines.Text(), ":")
			_, _ = fmt.Sscan(value, &kib)
			switch name {
			case "Rss":
				w.rss += kib * 1024 / 1e6
			case "Pss":
				w.pss += kib * 1024 / 1e6
			}
		}
		_ = file.Close()
	}
	return w
}

// busy is the processor time that a process's threads have used so far.
func busy(p harness.Process) (total time.Duration) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.PID))
	for _, file := range files {
		var nanoseconds int64
		text, _ := os.ReadFile(file)
		_, _ = fmt.Sscan(string(text), &nanoseconds)
		total += time.Duration(nanoseconds)
	}
	return total
}

// spent is the processor time that processes have used so far, that of threads that ended included, to the hundredth of a second of
// each (proc_pid_stat(5), fields 14 and 15, after the name in parentheses).
func spent(processes ...harness.Process) (total time.Duration) {
	for _, p := range processes {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID), "stat"))
		if err != nil {
			continue // it ended
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		for _, field := range fields[11:13] {
			ticks, _ := strconv.Atoi(field)
			total += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return total
}

// serving is the server's own process, without its engine.
func (s *site) serving(b *testing.B) harness.Process {
	b.Helper()
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(line, []byte("\x00serve\x00")) || !bytes.Contains(line, []byte(s.StateDir)) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		return harness.Process{PID: pid, Command: string(line)}
	}
	b.Fatal("the server does not run")
	return harness.Process{}
}

// memory reports what everything weighs. The engine is two processes: itself and its supervisor.
func (s *site) memory(b *testing.B) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(weigh(s.serving(b)).rss, "serve-rss-MB")
	b.ReportMetric(weigh(s.Engines()...).rss, "engine-rss-MB")
	haproxies := s.HAProxies()
	b.ReportMetric(float64(len(haproxies)), "haproxies")
	if len(haproxies) > 0 {
		b.ReportMetric(weigh(haproxies...).pss/float64(len(haproxies)), "haproxy-pss-MB")
	}
}
