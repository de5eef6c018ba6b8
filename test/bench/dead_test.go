package bench

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"plimsoll/test/harness"
)

// How often each kind of member dies, and what its monitor says: three failures in a row are enough, a second apart.
const (
	deadRuns = 4
	deadFall = 3
)

// dying is a load balancer with two members, of which the second dies again and again.
type dying struct {
	name    string
	traffic string // HTTP or UDP: the protocol of the listener
	monitor object
	organ   harness.Organ
	silent  bool // it does not refuse, but says nothing

	node *harness.Node
	ask  func() (string, error)
	took sample
}

// dyings are a monitor of each type, with a member whose port is closed and one that says nothing. UDP promises no answer, so
// nothing is missing of who says nothing; and a host that answers no echoes does not refuse them.
func dyings() []*dying {
	web := func() harness.Organ { return &harness.HTTPOrgan{} }
	secure := func() harness.Organ { return &harness.HTTPOrgan{TLS: true} }
	var all []*dying
	for _, d := range []struct {
		name, traffic, kind string
		organ               func() harness.Organ
		refuses, silent     bool
	}{
		{"HTTP", "HTTP", "HTTP", web, true, true},
		{"HTTPS", "HTTP", "HTTPS", secure, true, true},
		{"TCP", "HTTP", "TCP", web, true, true},
		{"TLS-HELLO", "HTTP", "TLS-HELLO", secure, true, true},
		{"PING", "HTTP", "PING", func() harness.Organ { return &harness.PingOrgan{} }, false, true},
		{"UDP-CONNECT", "UDP", "UDP-CONNECT", func() harness.Organ { return &harness.UDPOrgan{} }, true, false},
		{"SCTP", "UDP", "SCTP", func() harness.Organ { return &harness.SCTPOrgan{} }, true, true},
		{"HTTP-of-UDP", "UDP", "HTTP", web, true, true},
	} {
		monitor := object{"type": d.kind, "delay": 1, "timeout": 1, "max_retries": 1, "max_retries_down": deadFall}
		if d.kind == "HTTP" || d.kind == "HTTPS" {
			monitor["expected_codes"] = "204"
		}
		if d.kind == "UDP-CONNECT" {
			monitor["delay"] = 3 // the least that the API takes
		}
		if d.refuses {
			all = append(all, &dying{name: d.name + "/refuses", traffic: d.traffic, monitor: monitor, organ: d.organ()})
		}
		if d.silent {
			all = append(all, &dying{name: d.name + "/silent", traffic: d.traffic, monitor: monitor, organ: d.organ(), silent: true})
		}
	}
	return all
}

// BenchmarkDead measures how long a member gets traffic after it died: from when it stops to answer its monitor, while it goes on to
// answer everybody else, to its last answer. All types are measured at once.
func BenchmarkDead(b *testing.B) {
	s := newSite(b, 0)
	all := dyings()
	var group sync.WaitGroup
	for _, d := range all {
		s.make(b, d)
		group.Go(func() { d.die(b) })
	}
	group.Wait()
	for _, d := range all {
		b.Run(d.name, func(b *testing.B) { d.took.report(b) })
	}
}

// make makes a load balancer with two members.
func (s *site) make(b *testing.B, d *dying) {
	b.Helper()
	members := []object{}
	for i, name := range []string{"well", "dying"} {
		n := s.Plug(b, s.net)
		organ := d.organ
		if i == 0 {
			organ = like(organ)
		}
		organ.Start(b, n)
		b.Cleanup(func() { organ.Stop(b) })
		port := 8080
		if d.traffic == "UDP" {
			port = n.ServeDatagrams(b, 5353, name).Port
		} else {
			n.Serve(b, port, name)
		}
		d.node = n
		members = append(members, object{"address": n.Address, "protocol_port": port, "monitor_port": harness.OrganPort, "subnet_id": s.net.SubnetID})
	}
	lb, _ := s.create(b, object{"name": d.name, "vip_subnet_id": s.net.SubnetID, "listeners": []object{{
		"name": "front", "protocol": d.traffic, "protocol_port": 80, "default_pool": object{
			"name": "back", "protocol": d.traffic, "lb_algorithm": "ROUND_ROBIN", "members": members, "healthmonitor": d.monitor,
		},
	}}})
	s.WaitActive(b, lb.ID)
	address := harness.JoinPort(lb.VIPAddress, 80)
	d.ask = func() (string, error) { return s.client.Get(address) }
	if d.traffic == "UDP" {
		d.ask = func() (string, error) { return s.client.AskOnce(b, address) }
	}
}

// like is another organ of a kind.
func like(o harness.Organ) harness.Organ {
	switch o := o.(type) {
	case *harness.HTTPOrgan:
		return &harness.HTTPOrgan{TLS: o.TLS}
	case *harness.PingOrgan:
		return &harness.PingOrgan{}
	case *harness.UDPOrgan:
		return &harness.UDPOrgan{}
	}
	return &harness.SCTPOrgan{}
}

// die lets the member die and live again, at any moment between two checks.
func (d *dying) die(b *testing.B) {
	const second = time.Second
	d.until(b, true)
	for range deadRuns {
		time.Sleep(4*second + rand.N(second)) // the last failure is forgotten by then
		died := time.Now()
		if d.stop(b, true); b.Failed() {
			return
		}
		last := d.until(b, false)
		d.took = append(d.took, max(0, last.Sub(died)))
		d.stop(b, false)
		d.until(b, true)
	}
}

// stop has the member answer its monitor no more, or again.
func (d *dying) stop(b *testing.B, dead bool) {
	_, ping := d.organ.(*harness.PingOrgan)
	switch {
	case d.silent && !ping:
		d.node.Mute(b, dead)
	case dead:
		d.organ.Stop(b)
	default:
		d.organ.Start(b, d.node)
	}
}

// until asks until the member answers, or has not answered for a while, and returns when it last did.
func (d *dying) until(b *testing.B, answers bool) (last time.Time) {
	const pause, enough, patience = 20 * time.Millisecond, 24, time.Minute
	last = time.Now()
	missing := 0
	for began := time.Now(); time.Since(began) < patience; time.Sleep(pause) {
		switch name, err := d.ask(); {
		case err != nil:
			b.Errorf("%s: a request fails: %v", d.name, err)
			return last
		case name == "dying" && answers:
			return time.Now()
		case name == "dying":
			last, missing = time.Now(), 0
		default:
			missing++
		}
		if missing >= enough && !answers {
			return last
		}
	}
	b.Errorf("%s: it is still so after %v", d.name, patience)
	return last
}
