package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/test/harness"
)

// noted are the lines of the load balancer's access log, each read on its own. What HAProxy says of itself is left out.
func (s *site) noted(t *testing.T) []object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.StateDir, "lbaas", "v2", s.lb.ID, "access.log"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var lines []object
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("Proxy ")) {
			continue
		}
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // it is being written
		}
		var fields object
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		lines = append(lines, fields)
	}
	return lines
}

// waitNoted waits for a line of which the fields are as given, and returns it.
func (s *site) waitNoted(t *testing.T, want object) object {
	t.Helper()
	var found object
	harness.Eventually(t, 10*time.Second, func() error {
		for _, line := range s.noted(t) {
			same := true
			for name, value := range want {
				same = same && fmt.Sprint(line[name]) == fmt.Sprint(value)
			}
			if same {
				found = line
				return nil
			}
		}
		return fmt.Errorf("no line of %v in %v", want, s.noted(t))
	})
	return found
}

// TestAccessLog switches an access log on and off, and reads what it says of HTTP, TLS and TCP, over a reload and without an engine.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, harness.Tree{})
	s.answers(t)
	if lines := s.noted(t); len(lines) > 0 {
		t.Errorf("unasked, the access log has %v", lines)
	}
	authority := harness.NewAuthority(t, "authority")
	ref := s.StoreSecret(t, "web", authority.Issue("www.example.com").Bundle())
	secure := s.create(t, "/listeners", "listener", object{"loadbalancer_id": s.lb.ID, "protocol": "TERMINATED_HTTPS", "protocol_port": 443,
		"default_pool_id": s.lb.PoolID, "default_tls_container_ref": ref})
	s.WaitActive(t, s.lb.ID)
	stream := s.create(t, "/listeners", "listener", object{"loadbalancer_id": s.lb.ID, "protocol": "TCP", "protocol_port": 81,
		"default_pool_id": s.lb.PoolID})
	s.WaitActive(t, s.lb.ID)
	path, before := "/loadbalancers/"+s.lb.ID, s.pid(t)
	s.alter(t, path, "loadbalancer", object{"access_log": true})
	if s.pid(t) == before {
		t.Fatal("the log is switched on without a reload")
	}
	s.notesRequests(t, secure, stream, authority)
	s.notesHostile(t)
	s.reload(t, 82)
	s.killEngine(t)
	s.get(t, s.lb.Address, "/after")
	s.waitNoted(t, object{"uri": "/after", "code": 200})
	s.WaitActive(t, s.lb.ID)
	s.alter(t, path, "loadbalancer", object{"access_log": false})
	s.get(t, s.lb.Address, "/unseen")
	s.alter(t, path, "loadbalancer", object{"access_log": true})
	s.get(t, s.lb.Address, "/seen")
	s.waitNoted(t, object{"uri": "/seen"})
	if slices.ContainsFunc(s.noted(t), func(line object) bool { return line["uri"] == "/unseen" }) {
		t.Error("a request is noted although the log was off")
	}
}

func (s *site) get(t *testing.T, address, path string) {
	t.Helper()
	if a, err := request(s.client, address, path, "Host", "www.example.com"); err != nil || a.Code != http.StatusOK {
		t.Fatalf("GET %s: %v, %v", path, a, err)
	}
}

// notesRequests reads every field of a request, of one over TLS and of a connection.
func (s *site) notesRequests(t *testing.T, secure, stream string, authority *harness.Authority) {
	t.Helper()
	s.get(t, s.lb.Address, "/plain?a=1")
	line := s.waitNoted(t, object{"uri": "/plain?a=1"})
	want := object{
		"client": s.client.Address, "listener": s.lb.ListenerID, "pool": s.lb.PoolID, "member": s.lb.MemberIDs[0], "method": "GET",
		"uri": "/plain?a=1", "http": "1", "version": "HTTP/1.1", "host": "www.example.com", "code": 200.0, "termination": "--",
	}
	numbers := []string{"time", "client_port", "bytes_in", "bytes_out", "time_request", "time_queue", "time_connect", "time_response", "time_total"}
	compareLine(t, want, line, numbers)
	resp, err := s.browser(&tls.Config{RootCAs: authority.Pool(), ServerName: "www.example.com"}).Get("https://www.example.com/secret")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	line = s.waitNoted(t, object{"listener": secure})
	want["listener"], want["http"], want["tls_version"] = secure, "2", "TLSv1.3"
	want["uri"], want["tls_cipher"] = line["uri"], line["tls_cipher"]
	compareLine(t, want, line, numbers)
	if uri, _ := line["uri"].(string); !strings.HasSuffix(uri, "/secret") || !strings.HasPrefix(line["tls_cipher"].(string), "TLS_") {
		t.Errorf("over TLS: %v", line)
	}
	s.get(t, harness.JoinPort(s.lb.VIP, 81), "/bytes")
	line = s.waitNoted(t, object{"listener": stream})
	want = object{"client": s.client.Address, "listener": stream, "pool": s.lb.PoolID, "member": s.lb.MemberIDs[0], "termination": "--"}
	compareLine(t, want, line, []string{"time", "client_port", "bytes_in", "bytes_out", "time_queue", "time_connect", "time_total"})
}

// compareLine compares a line's fields; of numbers it wants no more than that they are none that are missing.
func compareLine(t *testing.T, want, line object, numbers []string) {
	t.Helper()
	got := object{}
	for name, value := range line {
		if n, is := value.(float64); !slices.Contains(numbers, name) || !is || n < 0 {
			got[name] = value
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a line (-want +got):\n%s", diff)
	}
	if len(line) != len(want)+len(numbers) {
		t.Errorf("fields %v, want %d", line, len(want)+len(numbers))
	}
}

// notesHostile sends what would forge a line if it were not written as a text of JSON.
func (s *site) notesHostile(t *testing.T) {
	t.Helper()
	const forged = `"}` + `{"client":"192.0.2.1"}`
	requests := map[string]string{
		"quotes and brackets": "GET /a" + forged + " HTTP/1.1\r\nHost: x" + forged + "\\\t\xff\xc3\xa9\r\n\r\n",
		"encoded lines":       "GET /b%0a%0d" + forged + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"folded header":       "GET /c HTTP/1.1\r\nHost: x\r\n " + forged + "\r\n\r\n",
		"control characters":  "GET /d\x01\x0b HTTP/1.1\r\nHost: x\r\n\r\n",
		"no request":          forged + "\n" + forged + "\r\n\r\n",
		"method":              "GE" + forged + " / HTTP/1.1\r\nHost: x\r\n\r\n",
		"long":                "GET /" + strings.Repeat(`"`, 4000) + " HTTP/1.1\r\nHost: " + strings.Repeat(`\`, 900) + "\r\n\r\n",
	}
	before := len(s.noted(t))
	for name, text := range requests {
		if err := s.raw(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	harness.Eventually(t, 10*time.Second, func() error {
		if got := len(s.noted(t)) - before; got != len(requests) {
			return fmt.Errorf("%d lines of %d requests", got, len(requests))
		}
		return nil
	})
	for _, line := range s.noted(t) {
		if line["client"] != s.client.Address {
			t.Errorf("a line is forged: %v", line)
		}
	}
	s.waitNoted(t, object{"uri": "/b%0a%0d" + forged})
}

// raw sends bytes as they are, and reads what comes.
func (s *site) raw(text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := s.client.Dial(ctx, "tcp", s.lb.Address)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	if tcp, is := c.(*net.TCPConn); is {
		_ = tcp.CloseWrite()
	}
	_, err = io.Copy(io.Discard, c)
	return err
}
