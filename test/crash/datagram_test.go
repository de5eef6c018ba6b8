package crash

import (
	"net"

	"plimsoll/test/harness"
)

// forwardDatagrams has a listener whose packets the kernel forwards, with a flow that has to leave its member when that goes.
func (s *scenario) forwardDatagrams() {
	const servers = 5353
	pools := balancers + "/pools"
	pool := s.create(pools, "pool", "pools", object{
		"name": s.name + "-udp", "loadbalancer_id": s.lb, "protocol": "UDP", "lb_algorithm": "ROUND_ROBIN"})["id"].(string)
	s.create(balancers+"/listeners", "listener", "listeners", object{
		"name": s.name + "-udp", "loadbalancer_id": s.lb, "protocol": "UDP", "protocol_port": 53, "default_pool_id": pool})
	add := func(name string, n *harness.Node) {
		n.ServeDatagrams(s.t, servers, name)
		s.create(pools+"/"+pool+"/members", "member", "members", object{
			"name": "udp-" + name, "address": n.Address, "protocol_port": servers, "subnet_id": s.subnet(s.back)})
		s.settle()
	}
	add("a", s.web[0])
	flow, err := s.ask.Dial(s.t.Context(), "udp", s.vip+":53")
	if err != nil {
		s.t.Fatal(err)
	}
	defer flow.Close()
	s.wait("a answers the flow", answersFlow(flow, "a"))
	add("b", s.web[1])
	s.wait("a still answers the flow", answersFlow(flow, "a"))
	s.remove(pools + "/" + pool + "/members/" + s.named(pools+"/"+pool+"/members", "members", "udp-a")["id"].(string))
	s.settle()
	s.wait("b answers the flow", answersFlow(flow, "b"))
	s.remove(balancers + "/listeners/" + s.named(balancers+"/listeners", "listeners", s.name+"-udp")["id"].(string))
	s.remove(pools + "/" + pool)
	s.settle()
}

func answersFlow(flow net.Conn, name string) func() bool {
	return func() bool {
		answer, err := harness.Ask(flow, "?")
		return err == nil && answer == name
	}
}
