package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"plimsoll/test/harness"
)

type object = map[string]any

// create makes an object of the load-balancer API and returns its id.
func (s *site) create(t *testing.T, path, noun string, body object) string {
	t.Helper()
	var made map[string]struct {
		ID string `json:"id"`
	}
	resp, err := s.LoadBalancer.Post(t.Context(), s.LoadBalancer.ServiceURL("lbaas")+path, object{noun: body}, &made,
		&gophercloud.RequestOpts{OkCodes: []int{http.StatusCreated}})
	if err != nil {
		t.Fatalf("POST %s: %v", path, err)
	}
	_ = resp.Body.Close()
	return made[noun].ID
}

// alter changes an object, and waits until everything is ACTIVE again.
func (s *site) alter(t *testing.T, path, noun string, body object) {
	t.Helper()
	s.change(t, path, noun, body)
	s.WaitActive(t, s.lb.ID)
}

// change changes an object.
func (s *site) change(t *testing.T, path, noun string, body object) {
	t.Helper()
	resp, err := s.LoadBalancer.Put(t.Context(), s.LoadBalancer.ServiceURL("lbaas")+path, object{noun: body}, nil,
		&gophercloud.RequestOpts{OkCodes: []int{http.StatusOK}})
	if err != nil {
		t.Fatalf("PUT %s: %v", path, err)
	}
	_ = resp.Body.Close()
}

// remove deletes an object, and waits until everything is ACTIVE again.
func (s *site) remove(t *testing.T, path string) {
	t.Helper()
	resp, err := s.LoadBalancer.Delete(t.Context(), s.LoadBalancer.ServiceURL("lbaas")+path, nil)
	if err != nil {
		t.Fatalf("DELETE %s: %v", path, err)
	}
	_ = resp.Body.Close()
	s.WaitActive(t, s.lb.ID)
}

// pid is the process that takes connections; another one has been reloaded.
func (s *site) pid(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.StateDir, "lbaas", "v2", s.lb.ID, "haproxy.pid"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// reload has HAProxy replaced, by a listener that is new.
func (s *site) reload(t *testing.T, port int) {
	t.Helper()
	before := s.pid(t)
	s.create(t, "/listeners", "listener", object{"loadbalancer_id": s.lb.ID, "protocol": "HTTP", "protocol_port": port})
	s.WaitActive(t, s.lb.ID)
	if s.pid(t) == before {
		t.Fatal("a new listener is there without a reload")
	}
}

// An answer is what a client sees of an answer.
type answer struct {
	Code     int
	Location string
	Body     string
	header   http.Header
}

// request makes a request from a node over a connection of its own. Headers are in pairs; that of the host counts.
func request(n *harness.Node, address, path string, headers ...string) (answer, error) {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
		return n.Dial(ctx, network, to)
	}}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address, nil)
	if err != nil {
		return answer{}, err
	}
	r.URL.Opaque = path // as it stands
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
		}
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return answer{Code: resp.StatusCode, Location: resp.Header.Get("Location"), Body: strings.TrimSpace(string(body)), header: resp.Header}, err
}

// codes asks several times and returns the codes of the answers, "none" where there was no answer.
func codes(n *harness.Node, address, path string, times int) []string {
	var all []string
	for range times {
		a, err := request(n, address, path)
		if err != nil {
			all = append(all, "none")
		} else {
			all = append(all, fmt.Sprint(a.Code))
		}
	}
	return all
}

// serve has a node answer on port 8080 until the test ends.
func serve(t *testing.T, n *harness.Node, handler http.HandlerFunc) {
	t.Helper()
	l, err := n.Listen("tcp", ":8080")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
}

// console asks HAProxy's Runtime API.
func (s *site) console(command string) (string, error) {
	c, err := net.Dial("unix", filepath.Join(s.StateDir, "lbaas", "v2", s.lb.ID, "haproxy_stats.sock"))
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := fmt.Fprintln(c, command); err != nil {
		return "", err
	}
	text, err := io.ReadAll(c)
	return string(text), err
}

// has waits until HAProxy has an entry in a table: a process gets those of the one before some milliseconds after its start.
func (s *site) has(t *testing.T, table string) {
	t.Helper()
	harness.Eventually(t, 10*time.Second, func() error {
		text, err := s.console("show table " + table)
		if err == nil && !strings.Contains(text, "key=") {
			err = fmt.Errorf("table %s is empty: %s", table, text)
		}
		return err
	})
}

var peersFlags = regexp.MustCompile(`flags=0x([0-9a-f]+)`)

// settles waits until HAProxy gives up on tables of a process before, which it does after ten seconds: only then does it give
// its own to the next.
func (s *site) settles(t *testing.T) {
	t.Helper()
	harness.Eventually(t, 20*time.Second, func() error {
		text, err := s.console("show peers")
		if err != nil {
			return err
		}
		found := peersFlags.FindStringSubmatch(text)
		if found == nil {
			return fmt.Errorf("no peers in %q", text)
		}
		const finished = 3
		if flags, err := strconv.ParseUint(found[1], 16, 64); err != nil || flags&finished != finished {
			return fmt.Errorf("still waiting: %s", text)
		}
		return nil
	})
}
