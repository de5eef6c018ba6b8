package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/vishvananda/netlink"

	"plimsoll/test/harness"
)

// TestLastMemberOfSubnet removes the only member of a subnet while a connection to it lives: the load balancer's port there
// stays for as long as the connection does, over a reload too, and goes when it ends.
func TestLastMemberOfSubnet(t *testing.T) {
	s := prepare(t, 0)
	s.lb = s.BuildTree(t, s.net, harness.Tree{Protocol: "TCP"})
	far := s.CreateNetwork(t, "far", "10.2.0.0/24")
	echo := &harness.Web{Node: s.Plug(t, far), Name: "echo", Port: 7}
	serveEcho(t, echo)
	member, err := s.TryMember(t, s.lb, far, echo)
	if err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
	c, err := s.client.Dial(t.Context(), "tcp", s.lb.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	echoes(t, c, "before")
	port := s.portIn(t, far)

	if err := pools.DeleteMember(t.Context(), s.LoadBalancer, s.lb.PoolID, member).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
	for i := range 14 { // longer than from one look at the load balancer to the next
		echoes(t, c, fmt.Sprintf("%d halves of a second after the removal", i))
		time.Sleep(500 * time.Millisecond)
	}
	timeout := 77000
	if err := listeners.Update(t.Context(), s.LoadBalancer, s.lb.ListenerID, listeners.UpdateOpts{TimeoutClientData: &timeout}).Err; err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
	for i := range 4 {
		echoes(t, c, fmt.Sprintf("%d halves of a second after a reload", i))
		time.Sleep(500 * time.Millisecond)
	}
	if now := s.portIn(t, far); now != port {
		t.Errorf("the port in the subnet is %q, was %q", now, port)
	}

	_ = c.Close()
	harness.Eventually(t, 30*time.Second, func() error {
		if left := s.portIn(t, far); left != "" {
			return fmt.Errorf("port %s is there", left)
		}
		_, err := netlink.LinkByName("plm" + port[:11])
		if missing := (netlink.LinkNotFoundError{}); !errors.As(err, &missing) {
			return fmt.Errorf("the port's link is there: %w", err)
		}
		return nil
	})
}

// portIn returns the load balancer's port in a network, or "".
func (s *site) portIn(t *testing.T, n *harness.Net) string {
	t.Helper()
	page, err := ports.List(s.Network, ports.ListOpts{NetworkID: n.ID, DeviceID: "lb-" + s.lb.ID}).AllPages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all, err := ports.ExtractPorts(page)
	switch {
	case err != nil || len(all) > 1:
		t.Fatalf("%d ports, %v", len(all), err)
	case len(all) == 1:
		return all[0].ID
	}
	return ""
}

// serveEcho returns to the sender what comes in, until the test ends.
func serveEcho(t *testing.T, w *harness.Web) {
	t.Helper()
	l, err := w.Node.Listen("tcp", harness.JoinPort(w.Node.Address, w.Port))
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
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
}

// echoes wants a text back over a connection.
func echoes(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(3 * time.Second))
	got := make([]byte, len(text))
	_, err := io.WriteString(c, text)
	if err == nil {
		_, err = io.ReadFull(c, got)
	}
	if err != nil || string(got) != text {
		t.Fatalf("%s: got %q, %v", text, got, err)
	}
}
