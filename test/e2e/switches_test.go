package e2e

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/test/harness"
)

// answers asks a port of the VIP some times and counts the answers by the member, or by what came instead.
func (s *site) answersAt(port, times int) map[string]int {
	by := map[string]int{}
	for range times {
		name, err := s.client.Get(harness.JoinPort(s.lb.VIP, port))
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			name = "refused"
		case err != nil && err.Error() == "status 503":
			name = "503"
		case err != nil:
			name = "nothing"
		}
		by[name]++
	}
	return by
}

// wants waits until a port of the VIP answers so.
func (s *site) wants(t *testing.T, what string, port int, want map[string]int) {
	t.Helper()
	times := 0
	for _, n := range want {
		times += n
	}
	harness.Eventually(t, 10*time.Second, func() error {
		if diff := cmp.Diff(want, s.answersAt(port, times)); diff != "" {
			return fmt.Errorf("%s: port %d answers (-want +got):\n%s", what, port, diff)
		}
		return nil
	})
}

// TestSwitchedOff switches each part of a load balancer off and on, and takes pools and members away: clients see at once what there is.
func TestSwitchedOff(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2, harness.Tree{})
	stream := s.create(t, "/listeners", "listener", object{"loadbalancer_id": s.lb.ID, "protocol": "TCP", "protocol_port": 81,
		"default_pool_id": s.lb.PoolID})
	s.WaitActive(t, s.lb.ID)
	both := map[string]int{"m1": 2, "m2": 2}
	none, closed, refused := map[string]int{"503": 2}, map[string]int{"nothing": 2}, map[string]int{"refused": 2}
	members := "/pools/" + s.lb.PoolID + "/members/"
	for _, test := range []struct {
		name, path, noun string
		http, tcp        map[string]int
	}{
		{"a member", members + s.lb.MemberIDs[0], "member", map[string]int{"m2": 4}, map[string]int{"m2": 4}},
		{"a pool", "/pools/" + s.lb.PoolID, "pool", none, closed},
		{"a listener", "/listeners/" + s.lb.ListenerID, "listener", refused, both},
		{"a load balancer", "/loadbalancers/" + s.lb.ID, "loadbalancer", refused, refused},
	} {
		s.alter(t, test.path, test.noun, object{"admin_state_up": false})
		s.wants(t, test.name+" that is off", 80, test.http)
		s.wants(t, test.name+" that is off", 81, test.tcp)
		s.alter(t, test.path, test.noun, object{"admin_state_up": true})
		s.wants(t, test.name+" that is on again", 80, both)
		s.wants(t, test.name+" that is on again", 81, both)
	}
	for _, id := range s.lb.MemberIDs {
		s.alter(t, members+id, "member", object{"weight": 0})
	}
	s.wants(t, "a pool that drains", 80, none)
	s.wants(t, "a pool that drains", 81, closed)
	for _, id := range s.lb.MemberIDs {
		s.remove(t, members+id)
	}
	s.wants(t, "a pool without members", 80, none)
	s.wants(t, "a pool without members", 81, closed)
	for _, id := range []string{s.lb.ListenerID, stream} {
		s.alter(t, "/listeners/"+id, "listener", object{"default_pool_id": nil})
	}
	s.wants(t, "a listener without a pool", 80, none)
	s.wants(t, "a listener without a pool", 81, closed)
}

// TestBackups has two members for the case that no other is left: both serve then, and neither when one is back.
func TestBackups(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2, harness.Tree{Monitor: true})
	for i := range 2 {
		spare := s.newMember(t, fmt.Sprintf("spare%d", i+1))
		s.create(t, "/pools/"+s.lb.PoolID+"/members", "member", object{
			"address": spare.Node.Address, "protocol_port": spare.Port, "subnet_id": s.net.SubnetID, "backup": true,
		})
	}
	s.create(t, "/listeners", "listener", object{"loadbalancer_id": s.lb.ID, "protocol": "TCP", "protocol_port": 81,
		"default_pool_id": s.lb.PoolID})
	s.WaitActive(t, s.lb.ID)
	for _, port := range []int{80, 81} {
		s.wants(t, "well", port, map[string]int{"m1": 2, "m2": 2})
	}
	s.webs[0].Stop()
	for _, port := range []int{80, 81} {
		s.wants(t, "one is dead", port, map[string]int{"m2": 4})
	}
	s.webs[1].Stop()
	for _, port := range []int{80, 81} {
		s.wants(t, "both are dead", port, map[string]int{"spare1": 2, "spare2": 2})
	}
	s.webs[0].Start(t)
	for _, port := range []int{80, 81} {
		s.wants(t, "one is back", port, map[string]int{"m1": 4})
	}
}

// TestAlgorithms shares requests by weight, by the connections that members have, and by the client.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2, harness.Tree{Protocol: "TCP"})
	pool, first := "/pools/"+s.lb.PoolID, "/pools/"+s.lb.PoolID+"/members/"+s.lb.MemberIDs[0]
	s.alter(t, first, "member", object{"weight": 3})
	s.wants(t, "weights of 3 and 1", 80, map[string]int{"m1": 12, "m2": 4})
	s.alter(t, first, "member", object{"weight": 1})

	s.alter(t, pool, "pool", object{"lb_algorithm": "LEAST_CONNECTIONS"})
	for range 6 {
		s.talk(t) // so that a member has it before the next comes
	}
	s.wants(t, "six connections", 80, map[string]int{"m1": 2, "m2": 2}) // three each
	s.alter(t, first, "member", object{"weight": 2})
	s.wants(t, "six connections, and one member that may have more", 80, map[string]int{"m1": 4})

	s.alter(t, pool, "pool", object{"lb_algorithm": "SOURCE_IP"})
	seen := map[string]bool{}
	for range 12 {
		n := s.Plug(t, s.net)
		name, err := n.Get(s.lb.Address)
		if err != nil {
			t.Fatal(err)
		}
		seen[name] = true
		if again, err := n.Get(s.lb.Address); err != nil || again != name {
			t.Errorf("a client is with %s and then with %q, %v", name, again, err)
		}
	}
	if len(seen) != 2 {
		t.Errorf("twelve clients are all with %v", seen)
	}
}

// TestSharedPool takes the listener away by which a pool was checked, while a member is dead: the pool's other listener knows.
func TestSharedPool(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2, harness.Tree{Monitor: true})
	s.create(t, "/listeners", "listener", object{"loadbalancer_id": s.lb.ID, "protocol": "HTTP", "protocol_port": 81,
		"default_pool_id": s.lb.PoolID})
	s.WaitActive(t, s.lb.ID)
	s.WaitOperating(t, s.lb.ID, s.lb.MemberIDs[0], "ONLINE")
	s.webs[0].Stop()
	s.WaitOperating(t, s.lb.ID, s.lb.MemberIDs[0], "ERROR")
	s.alter(t, "/healthmonitors/"+s.lb.MonitorID, "healthmonitor", object{"delay": 60}) // nobody asks again while this goes on
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"off", func() { s.alter(t, "/listeners/"+s.lb.ListenerID, "listener", object{"admin_state_up": false}) }},
		{"on", func() { s.alter(t, "/listeners/"+s.lb.ListenerID, "listener", object{"admin_state_up": true}) }},
		{"gone", func() { s.remove(t, "/listeners/"+s.lb.ListenerID) }},
	} {
		step.do()
		if diff := cmp.Diff(map[string]int{"m2": 6}, s.answersAt(81, 6)); diff != "" {
			t.Errorf("the first listener is %s: the other's answers (-want +got):\n%s", step.name, diff)
		}
		if all, err := s.Statuses(t, s.lb.ID); err != nil || all[s.lb.MemberIDs[0]].Operating != "ERROR" {
			t.Errorf("the first listener is %s: the dead member is %v, %v", step.name, all[s.lb.MemberIDs[0]], err)
		}
	}
}
