// Package e2e tests the real plimsoll from the outside, with real traffic in network namespaces.
package e2e

import (
	"fmt"
	"os"
	"testing"
	"time"

	"plimsoll/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// site is a server with a network, members that serve, a client, and a load balancer in front of the members.
type site struct {
	*harness.Server
	*harness.Cloud
	net    *harness.Net
	webs   []*harness.Web
	client *harness.Node
	lb     *harness.LB
}

// newSite makes a site of which everything is ACTIVE and answers.
func newSite(t *testing.T, members int, tree harness.Tree, options ...harness.Option) *site {
	t.Helper()
	s := prepare(t, members, options...)
	tree.Members = s.webs
	s.lb = s.BuildTree(t, s.net, tree)
	s.WaitActive(t, s.lb.ID)
	s.answers(t)
	return s
}

// prepare makes a site without a load balancer.
func prepare(t *testing.T, members int, options ...harness.Option) *site {
	t.Helper()
	s := &site{Server: harness.Start(t, options...)}
	s.Cloud = s.Admin(t)
	s.net = s.CreateNetwork(t, "web", "10.1.0.0/24")
	s.client = s.Plug(t, s.net)
	for i := range members {
		s.webs = append(s.webs, s.newMember(t, fmt.Sprintf("m%d", i+1)))
	}
	return s
}

// newMember makes a namespace with an HTTP server.
func (s *site) newMember(t *testing.T, name string) *harness.Web {
	t.Helper()
	return s.Plug(t, s.net).Serve(t, 8080, name)
}

// answers waits until the load balancer answers.
func (s *site) answers(t *testing.T) {
	t.Helper()
	harness.Eventually(t, 10*time.Second, func() error {
		_, err := s.client.Get(s.lb.Address)
		return err
	})
}
