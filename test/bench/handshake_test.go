package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// handshakers are how many clients shake hands at the same time.
const handshakers = 16

// handshakes is what clients that connect anew for each request got to.
type handshakes struct {
	took    sample // from the first packet to the end of the answer
	resumed int
	failed  int
	err     error // the last failure
}

// shakeHands makes connections from the client's node for a while, each for one request, with full handshakes or with sessions that
// are resumed. wrk cannot be told which.
func (s *site) shakeHands(b *testing.B, address string, resume bool) result {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), trafficSpan)
	defer cancel()
	start := time.Now()
	all := shakeHands(ctx, func() (net.Conn, error) { return s.client.Dial(b.Context(), "tcp", address) }, resume)
	r := result{requests: len(all.took), rate: float64(len(all.took)) / time.Since(start).Seconds(), p50: all.took.at(0.5), p99: all.took.at(0.99)}
	if all.failed > 0 {
		r.failures = fmt.Sprintf("%d requests failed, the last one: %v", all.failed, all.err)
	}
	if len(all.took) == 0 {
		b.Fatalf("no request was answered: %s", r.failures)
	}
	if full := len(all.took) - all.resumed; resume && full > handshakers || !resume && all.resumed > 0 { // each client's first is full
		r.failures += fmt.Sprintf("%d of %d sessions were resumed", all.resumed, len(all.took))
	}
	return r
}

func shakeHands(ctx context.Context, dial func() (net.Conn, error), resume bool) (all handshakes) {
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range handshakers {
		workers.Go(func() {
			config := &tls.Config{ServerName: "www.example.com", InsecureSkipVerify: true} //nolint:gosec // the client's own work is not measured
			if resume {
				config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			}
			var mine handshakes
			for ctx.Err() == nil {
				mine.once(dial, config)
			}
			mu.Lock()
			defer mu.Unlock()
			all.took = append(all.took, mine.took...)
			all.resumed += mine.resumed
			all.failed += mine.failed
			if mine.err != nil {
				all.err = mine.err
			}
		})
	}
	workers.Wait()
	return all
}

// once connects, makes a request and reads the answer to its end.
func (h *handshakes) once(dial func() (net.Conn, error), config *tls.Config) {
	start := time.Now()
	raw, err := dial()
	if err != nil {
		h.failed, h.err = h.failed+1, err
		return
	}
	conn := tls.Client(raw, config)
	defer conn.Close()
	_ = conn.SetDeadline(start.Add(5 * time.Second))
	if _, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n"); err == nil {
		var answer []byte
		if answer, err = io.ReadAll(conn); err == nil && string(answer[:min(len(answer), 13)]) != "HTTP/1.1 200 " {
			err = fmt.Errorf("answer %q", answer)
		}
	}
	if err != nil {
		h.failed, h.err = h.failed+1, err
		return
	}
	h.took = append(h.took, time.Since(start))
	if conn.ConnectionState().DidResume {
		h.resumed++
	}
}

func TestShakeHands(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	for _, resume := range []bool{false, true} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		all := shakeHands(ctx, func() (net.Conn, error) { return net.Dial("tcp", server.Listener.Addr().String()) }, resume)
		cancel()
		full := len(all.took) - all.resumed
		if len(all.took) < handshakers || all.failed > 0 || (!resume && all.resumed > 0) || (resume && full > handshakers) {
			t.Errorf("resume %t: %d answered, %d resumed, %d failed: %v", resume, len(all.took), all.resumed, all.failed, all.err)
		}
	}
}
