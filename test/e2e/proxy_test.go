package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"

	"plimsoll/test/harness"
)

// TestProxyPools tells members of PROXY and PROXYV2 pools who the client is, behind HTTP and TCP listeners.
func TestProxyPools(t *testing.T) {
	s := prepare(t, 0)
	s.lb = s.BuildTree(t, s.net, harness.Tree{})
	node := s.Plug(t, s.net)
	serveProxied(t, node, 8080)
	port := 8000
	for _, pool := range []pools.Protocol{pools.ProtocolPROXY, "PROXYV2"} {
		for _, listener := range []listeners.Protocol{listeners.ProtocolHTTP, listeners.ProtocolTCP} {
			port++
			l, err := listeners.Create(t.Context(), s.LoadBalancer, listeners.CreateOpts{LoadbalancerID: s.lb.ID, Protocol: listener, ProtocolPort: port}).Extract()
			if err != nil {
				t.Fatal(err)
			}
			p, err := pools.Create(t.Context(), s.LoadBalancer, pools.CreateOpts{ListenerID: l.ID, Protocol: pool, LBMethod: pools.LBMethodRoundRobin}).Extract()
			if err != nil {
				t.Fatal(err)
			}
			err = pools.CreateMember(t.Context(), s.LoadBalancer, p.ID, pools.CreateMemberOpts{Address: node.Address, ProtocolPort: 8080, SubnetID: s.net.SubnetID}).Err
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	s.WaitActive(t, s.lb.ID)
	for i, want := range []string{"v1 ", "v1 ", "v2 ", "v2 "} {
		want += s.client.Address
		harness.Eventually(t, 10*time.Second, func() error {
			got, err := s.client.Get(harness.JoinPort(s.lb.VIP, 8001+i))
			if err == nil && got != want {
				err = fmt.Errorf("listener %d: the member says %q, want %q", i, got, want)
			}
			return err
		})
	}
}

// serveProxied answers requests with what the PROXY protocol said before them: its version and the client's address.
func serveProxied(t *testing.T, node *harness.Node, port int) {
	t.Helper()
	l, err := node.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			answerProxied(c)
		}
	}()
}

func answerProxied(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	r := bufio.NewReader(c)
	head, err := proxyHead(r)
	if err != nil {
		head = err.Error()
	}
	if _, err := http.ReadRequest(r); err == nil {
		_, _ = fmt.Fprintf(c, "HTTP/1.0 200 OK\r\nX-Member: %s\r\nContent-Length: %d\r\n\r\n%s", head, len(head), head)
	}
}

// proxyHead reads the head of a connection, as the PROXY protocol's specification has it: a line, or (section 2.2) bytes.
func proxyHead(r *bufio.Reader) (string, error) {
	if start, err := r.Peek(5); err != nil || string(start) == "PROXY" {
		line, _ := r.ReadString('\n')
		words := strings.Fields(line)
		if len(words) != 6 || words[1] != "TCP4" {
			return "", fmt.Errorf("head %q, %w", line, err)
		}
		return "v1 " + words[2], nil
	}
	head := make([]byte, 28)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	if string(head[:12]) != "\r\n\r\n\x00\r\nQUIT\n" || head[12] != 0x21 || head[13] != 0x11 || head[15] != 12 {
		return "", fmt.Errorf("head %x", head)
	}
	return "v2 " + net.IP(head[16:20]).String(), nil
}
