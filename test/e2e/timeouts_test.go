package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"plimsoll/test/harness"
)

// Each timeout that is tested is short, and all others are as long as they are by default: so a test that waits for less than those
// tells one from the other.
const (
	shortTimeout = 1000             // ms
	patience     = 15 * time.Second // less than the others
)

// lead makes a listener and its pool with members on a port, all of one protocol, and returns the listener's and the pool's ids.
func (s *site) lead(t *testing.T, protocol string, port int, listener, pool object, memberPort int, nodes ...*harness.Node) (string, string) {
	t.Helper()
	l := object{"loadbalancer_id": s.lb.ID, "protocol": protocol, "protocol_port": port}
	p := object{"protocol": protocol, "lb_algorithm": "ROUND_ROBIN"}
	if protocol == "TERMINATED_HTTPS" {
		p["protocol"] = "HTTP"
	}
	for name, value := range listener {
		l[name] = value
	}
	for name, value := range pool {
		p[name] = value
	}
	p["listener_id"] = s.create(t, "/listeners", "listener", l)
	id := s.create(t, "/pools", "pool", p)
	for _, n := range nodes {
		s.create(t, "/pools/"+id+"/members", "member", object{"address": n.Address, "protocol_port": memberPort, "subnet_id": s.net.SubnetID})
	}
	return p["listener_id"].(string), id
}

// bare is a site with a load balancer that has nothing in it yet.
func bare(t *testing.T) *site {
	t.Helper()
	s, _ := tlsSite(t)
	return s
}

// dial connects to a port of the VIP until the test ends.
func (s *site) dial(t *testing.T, port int) net.Conn {
	t.Helper()
	c, err := s.client.Dial(t.Context(), "tcp", harness.JoinPort(s.lb.VIP, port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// isClosed wants a connection to be closed by the other side, after what is left in it.
func isClosed(t *testing.T, what string, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, c); isTimeout(err) {
		t.Errorf("%s: the connection is still there", what)
	}
}

// TestTimeouts has clients and members be silent, and members that nobody reaches: each of a listener's timeouts ends that.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	s := bare(t)
	echo := &harness.Web{Node: s.Plug(t, s.net), Name: "echo", Port: 7}
	serveEcho(t, echo)
	silent := s.Plug(t, s.net)
	never := make(chan struct{})
	t.Cleanup(func() { close(never) }) // before its server ends, since it comes later
	serve(t, silent, func(http.ResponseWriter, *http.Request) { <-never })
	lost := s.Plug(t, s.net) // drops what comes to it
	lost.Mute(t, true)

	s.lead(t, "TCP", 81, object{"timeout_client_data": shortTimeout}, nil, 7, echo.Node)
	s.lead(t, "TCP", 82, object{"timeout_member_data": shortTimeout}, nil, 7, echo.Node)
	s.lead(t, "TCP", 83, object{"timeout_member_connect": shortTimeout / 4}, nil, harness.OrganPort, lost)
	s.lead(t, "HTTP", 91, object{"timeout_client_data": shortTimeout}, nil, 8080, silent)
	s.lead(t, "HTTP", 92, object{"timeout_member_data": shortTimeout}, nil, 8080, silent)
	s.lead(t, "HTTP", 93, object{"timeout_member_connect": shortTimeout / 4}, nil, harness.OrganPort, lost)
	// Nothing looks into a connection, so nothing waits for what is in it.
	s.lead(t, "TCP", 84, object{"timeout_tcp_inspect": 60000}, object{"lb_algorithm": "SOURCE_IP_PORT"}, 22, s.greeter(t))
	s.WaitActive(t, s.lb.ID)

	for port, what := range map[int]string{81: "timeout_client_data", 82: "timeout_member_data"} {
		c := s.dial(t, port)
		echoes(t, c, "hello")
		isClosed(t, what, c)
	}
	isClosed(t, "timeout_member_connect", s.dial(t, 83))
	half := s.dial(t, 91)
	if _, err := io.WriteString(half, "GET / HTTP/1.1\r\nHost: "); err != nil {
		t.Fatal(err)
	}
	isClosed(t, "timeout_client_data of half a request", half)
	for port, want := range map[int]int{92: http.StatusGatewayTimeout, 93: http.StatusServiceUnavailable} {
		client := s.browser(nil)
		client.Timeout = patience
		resp, err := client.Get(fmt.Sprintf("http://www.example.com:%d/", port))
		if err != nil {
			t.Errorf("listener %d: %v", port, err)
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("listener %d: status %d, want %d", port, resp.StatusCode, want)
		}
	}
	greeting := make([]byte, 5)
	c := s.dial(t, 84)
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(c, greeting); err != nil || string(greeting) != "hello" {
		t.Errorf("a member that speaks first is heard as %q, %v", greeting, err)
	}
}

// greeter speaks first, as servers of SSH and SMTP do.
func (s *site) greeter(t *testing.T) *harness.Node {
	t.Helper()
	n := s.Plug(t, s.net)
	l, err := n.Listen("tcp", ":22")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "hello")
			go func() { _, _ = io.Copy(io.Discard, c); _ = c.Close() }()
		}
	}()
	return n
}

// TestConnectionLimit has a client more than a listener takes: it waits until another one leaves, or the limit is raised.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	s := bare(t)
	echo := &harness.Web{Node: s.Plug(t, s.net), Name: "echo", Port: 7}
	serveEcho(t, echo)
	web := s.newMember(t, "m1")
	listener, _ := s.lead(t, "TCP", 81, object{"connection_limit": 1}, nil, 7, echo.Node)
	s.lead(t, "HTTP", 82, object{"connection_limit": 1}, nil, 8080, web.Node)
	s.WaitActive(t, s.lb.ID)

	waits := func(what string, port int, send string) net.Conn {
		t.Helper()
		c := s.dial(t, port)
		if _, err := io.WriteString(c, send); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		if n, err := c.Read(make([]byte, 1)); !isTimeout(err) {
			t.Errorf("%s: one more than the limit gets %d bytes, %v", what, n, err)
		}
		return c
	}
	isServed := func(what string, c net.Conn) {
		t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.ReadFull(c, make([]byte, 2)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	first := s.dial(t, 81)
	echoes(t, first, "first")
	second := waits("TCP", 81, "second")
	_ = first.Close()
	isServed("TCP, once the first has gone", second)
	third := waits("TCP", 81, "third")
	s.alter(t, "/listeners/"+listener, "listener", object{"connection_limit": -1})
	echoes(t, s.dial(t, 81), "without a limit")
	_ = second.Close() // which the process before goes on to serve
	_ = third.Close()

	idle := s.dial(t, 82)
	const request = "GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n"
	if _, err := io.WriteString(idle, request); err != nil {
		t.Fatal(err)
	}
	isServed("HTTP", idle)
	other := waits("HTTP", 82, request)
	_ = idle.Close()
	isServed("HTTP, once the first has gone", other)
}

// TestHardStop keeps a connection open over a reload: the process before goes on to serve it, for as long as the configuration says.
func TestHardStop(t *testing.T) {
	t.Parallel()
	s := prepare(t, 0, harness.Config("[haproxy]\nhard_stop_after = 4\n"))
	echo := &harness.Web{Node: s.Plug(t, s.net), Name: "echo", Port: 7}
	serveEcho(t, echo)
	s.lb = s.BuildTree(t, s.net, harness.Tree{Protocol: "TCP", Members: []*harness.Web{echo}})
	s.WaitActive(t, s.lb.ID)
	c := s.dial(t, 80)
	echoes(t, c, "before")
	s.reload(t, 81)
	echoes(t, c, "after")
	isClosed(t, "hard_stop_after", c)
	s.onlyOne(t)
	echoes(t, s.dial(t, 80), "anew")
}
