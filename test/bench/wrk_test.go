package bench

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"plimsoll/test/harness"
)

// result is what wrk says of a run.
type result struct {
	rate     float64 // requests per second
	requests int
	p50, p99 time.Duration
	failures string // wrk's lines about answers that were none; "" is none
}

// wrk loads a URL from a node with connections that are kept, or with one for each request.
func wrk(b *testing.B, n *harness.Node, url string, keep bool, span time.Duration) result {
	b.Helper()
	args := []string{"netns", "exec", n.NetNS, "wrk", "-t", "2", "-c", "32", "-d", fmt.Sprintf("%.0fs", span.Seconds()), "--latency"}
	if !keep {
		args = append(args, "-H", "Connection: close")
	}
	ctx, cancel := context.WithTimeout(b.Context(), span+20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ip", append(args, url)...).CombinedOutput()
	if err != nil {
		b.Fatalf("wrk: %v\n%s", err, out)
	}
	r, err := parseWrk(string(out))
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return r
}

func parseWrk(out string) (r result, err error) {
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "Requests/sec:") && len(words) == 2:
			r.rate, err = strconv.ParseFloat(words[1], 64)
		case len(words) == 6 && words[1] == "requests":
			r.requests, err = strconv.Atoi(words[0])
		case len(words) == 2 && words[0] == "50%":
			r.p50, err = time.ParseDuration(words[1])
		case len(words) == 2 && words[0] == "99%":
			r.p99, err = time.ParseDuration(words[1])
		case strings.HasPrefix(line, "Socket errors:"), strings.HasPrefix(line, "Non-2xx"):
			r.failures += line + "\n"
		}
		if err != nil {
			return r, fmt.Errorf("read %q of wrk: %w", line, err)
		}
	}
	if r.rate == 0 {
		return r, fmt.Errorf("wrk gave no rate")
	}
	return r, nil
}

func TestParseWrk(t *testing.T) {
	const good = `Running 3s test @ http://10.1.0.5/
  2 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.20ms    2.01ms  30.13ms   92.18%
    Req/Sec    20.48k     3.18k   27.51k    70.00%
  Latency Distribution
     50%  614.00us
     75%    1.05ms
     90%    2.50ms
     99%   10.02ms
  122345 requests in 3.00s, 15.52MB read
  Socket errors: connect 0, read 7, write 0, timeout 0
Requests/sec:  40781.66
Transfer/sec:      5.17MB
`
	for _, bad := range []string{"", "unable to connect to 10.1.0.5:80 Connection refused\n", "Requests/sec: many\n", "  50%  soon\n"} {
		if r, err := parseWrk(bad); err == nil {
			t.Errorf("parseWrk(%q) = %v, want an error", bad, r)
		}
	}
	want := result{40781.66, 122345, 614 * time.Microsecond, 10020 * time.Microsecond, "Socket errors: connect 0, read 7, write 0, timeout 0\n"}
	if r, err := parseWrk(good); err != nil || r != want {
		t.Errorf("parseWrk = %+v, %v, want %+v", r, err, want)
	}
}
