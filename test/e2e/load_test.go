package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"

	"plimsoll/test/harness"
)

// loaded is a site under constant load, with a connection per request and with connections that are kept.
type loaded struct {
	*site
	loads map[string]*harness.Load
}

func underLoad(t *testing.T, s *site) *loaded {
	l := &loaded{site: s, loads: map[string]*harness.Load{}}
	for name, keep := range map[string]bool{"connection per request": false, "keep-alive": true} {
		l.loads[name] = s.client.Load(t, harness.LoadOptions{Address: s.lb.Address, KeepAlive: keep, Workers: 6, Time: 5 * time.Minute})
	}
	l.flows(t)
	return l
}

// flows waits until some hundred more requests of each kind have been answered: what was done before had time to hurt.
func (l *loaded) flows(t *testing.T) {
	t.Helper()
	for name, load := range l.loads {
		start := load.Report()
		harness.Eventually(t, 20*time.Second, func() error {
			if r := load.Report(); r.Answered < start.Answered+200 {
				return fmt.Errorf("%s: only %v", name, r)
			}
			return nil
		})
	}
}

// does runs one change and tells whether requests failed meanwhile.
func (l *loaded) does(t *testing.T, what string, change func(t *testing.T)) {
	t.Helper()
	before := map[string]int{}
	for name, load := range l.loads {
		before[name] = load.Report().Failed
	}
	start := time.Now()
	change(t)
	took := time.Since(start)
	l.flows(t)
	for name, load := range l.loads {
		if r := load.Report(); r.Failed != before[name] {
			t.Errorf("%s, %s: %d requests failed: %v", what, name, r.Failed-before[name], r)
		}
	}
	t.Logf("%s took %v", what, took.Round(time.Millisecond))
}

// end stops the load and reports it.
func (l *loaded) end(t *testing.T) {
	for name, load := range l.loads {
		t.Logf("%s: %v", name, load.Stop())
	}
}

// TestNoRequestFails changes everything that may change under load.
func TestNoRequestFails(t *testing.T) {
	for _, protocol := range []string{"HTTP", "TCP"} {
		t.Run(protocol, func(t *testing.T) { noRequestFails(t, protocol) })
	}
}

func noRequestFails(t *testing.T, protocol string) {
	s := newSite(t, 2, harness.Tree{Protocol: protocol, Monitor: true})
	third := s.newMember(t, "m3")
	third.Delay(30 * time.Millisecond) // so that requests are under way whatever is done
	s.webs[1].Delay(10 * time.Millisecond)
	l := underLoad(t, s)
	defer l.end(t)
	ctx, api, lb := t.Context(), s.LoadBalancer, s.lb
	check := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	l.does(t, "member add", func(t *testing.T) {
		id, err := s.TryMember(t, lb, s.net, third)
		check(t, err)
		lb.MemberIDs = append(lb.MemberIDs, id)
		s.WaitActive(t, lb.ID)
		harness.Eventually(t, 10*time.Second, func() error {
			if third.Served() == 0 {
				return fmt.Errorf("the new member serves nothing")
			}
			return nil
		})
	})
	l.does(t, "weight changes", func(t *testing.T) {
		for weight := range 10 {
			_, err := pools.UpdateMember(ctx, api, lb.PoolID, lb.MemberIDs[0], pools.UpdateMemberOpts{Weight: &weight}).Extract()
			check(t, err)
			s.WaitActive(t, lb.ID)
		}
	})
	l.does(t, "member disable and enable", func(t *testing.T) {
		for _, up := range []bool{false, true} {
			_, err := pools.UpdateMember(ctx, api, lb.PoolID, lb.MemberIDs[1], pools.UpdateMemberOpts{AdminStateUp: &up}).Extract()
			check(t, err)
			s.WaitActive(t, lb.ID)
		}
	})
	l.does(t, "member remove", func(t *testing.T) {
		check(t, pools.DeleteMember(ctx, api, lb.PoolID, lb.MemberIDs[2]).ExtractErr())
		lb.MemberIDs = lb.MemberIDs[:2]
		s.WaitActive(t, lb.ID)
	})
	served := third.Served()
	l.does(t, "listener add", func(t *testing.T) {
		_, err := listeners.Create(ctx, api, listeners.CreateOpts{
			LoadbalancerID: lb.ID, Protocol: listeners.Protocol(protocol), ProtocolPort: 81, DefaultPoolID: lb.PoolID,
		}).Extract()
		check(t, err)
		s.WaitActive(t, lb.ID)
		_, err = s.client.Get(harness.JoinPort(lb.VIP, 81))
		check(t, err)
	})
	if protocol == "HTTP" && third.Served() != served { // a TCP connection that is open stays where it is
		t.Errorf("a removed member served %d requests", third.Served()-served)
	}
	l.does(t, "health monitor change", func(t *testing.T) {
		_, err := monitors.Update(ctx, api, lb.MonitorID, monitors.UpdateOpts{Delay: 2, ExpectedCodes: "200-204"}).Extract()
		check(t, err)
		s.WaitActive(t, lb.ID)
	})
	l.does(t, "health monitor delete and create", func(t *testing.T) {
		check(t, monitors.Delete(ctx, api, lb.MonitorID).ExtractErr())
		s.WaitActive(t, lb.ID)
		var err error
		lb.MonitorID, err = s.TryMonitor(t, lb)
		check(t, err)
		s.WaitActive(t, lb.ID)
	})
	l.does(t, "20 reloads", func(t *testing.T) {
		for i := range 20 {
			timeout := 50000 + i
			_, err := listeners.Update(ctx, api, lb.ListenerID, listeners.UpdateOpts{TimeoutClientData: &timeout}).Extract()
			check(t, err)
			s.WaitActive(t, lb.ID)
		}
	})
	l.does(t, "kill -9 of the server, and its restart", func(t *testing.T) {
		s.Kill(t)
		l.flows(t)
		s.Start(t)
		s.WaitActive(t, lb.ID)
	})
	l.does(t, "kill -9 of the engine, and its restart", func(t *testing.T) {
		for _, p := range s.Engines() {
			check(t, syscall.Kill(p.PID, syscall.SIGKILL))
		}
		l.flows(t)
		s.Stop(t)
		s.Start(t)
		weight := 7
		_, err := pools.UpdateMember(ctx, api, lb.PoolID, lb.MemberIDs[0], pools.UpdateMemberOpts{Weight: &weight}).Extract()
		check(t, err)
		s.WaitActive(t, lb.ID)
	})
}
