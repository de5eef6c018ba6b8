package avi

import (
	"strings"
	"testing"
	"time"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// TestDrift has somebody else change what an Apply made, and the next Apply mend it.
func TestDrift(t *testing.T) {
	lb := plain(demoProject, 'a')
	pool := translate.PoolUUID(lb.Pools[0].ID, lb.Listeners[0].ID)
	vs := translate.UUID(translate.VirtualService, lb.Listeners[0].ID)
	monitor := translate.UUID(translate.Monitor, lb.Pools[0].HealthMonitor.ID)
	vip := translate.UUID(translate.VsVip, lb.ID)
	for _, test := range []struct {
		name   string
		change func(t *testing.T, s *avitest.Server)
		want   bool
	}{
		{"nothing", func(*testing.T, *avitest.Server) {}, false},
		{"an algorithm", func(t *testing.T, s *avitest.Server) {
			edit(t, s, translate.Pool, pool, func(o map[string]any) { o["lb_algorithm"] = "LB_ALGORITHM_RANDOM" })
		}, true},
		{"a server taken away", func(t *testing.T, s *avitest.Server) {
			edit(t, s, translate.Pool, pool, func(o map[string]any) { o[servers] = o[servers].([]any)[1:] })
		}, true},
		{"a server's ratio", func(t *testing.T, s *avitest.Server) {
			edit(t, s, translate.Pool, pool, func(o map[string]any) { o[servers].([]any)[0].(map[string]any)["ratio"] = 3 })
		}, true},
		{"a pool taken off its virtual service", func(t *testing.T, s *avitest.Server) {
			edit(t, s, translate.VirtualService, vs, func(o map[string]any) { delete(o, "pool_ref") })
		}, true},
		{"a name", func(t *testing.T, s *avitest.Server) {
			edit(t, s, translate.Monitor, monitor, func(o map[string]any) { o["name"] = "mine" })
		}, true},
		{"a description", func(t *testing.T, s *avitest.Server) {
			edit(t, s, translate.Pool, pool, func(o map[string]any) { o[description] = "mine" })
		}, true},
		{"a virtual service deleted", func(_ *testing.T, s *avitest.Server) { s.Drop(translate.VirtualService, vs) }, true},
		{"an address deleted", func(_ *testing.T, s *avitest.Server) { s.Drop(translate.VsVip, vip) }, true},
		{"another port to monitor, which is the user's own", func(t *testing.T, s *avitest.Server) {
			edit(t, s, translate.Monitor, monitor, func(o map[string]any) { o["monitor_port"] = 8081 })
		}, false},
		{"a profile, which is the user's own", func(t *testing.T, s *avitest.Server) {
			edit(t, s, translate.VirtualService, vs, func(o map[string]any) { o["weight"] = 3 })
		}, false},
		{"the mark alone", func(t *testing.T, s *avitest.Server) {
			edit(t, s, translate.Pool, pool, func(o map[string]any) { o[description] = "" })
		}, false},
		{"a newer mark", func(t *testing.T, s *avitest.Server) {
			edit(t, s, translate.Pool, pool, func(o map[string]any) { mark{lb.ID, stamp{1, 9}}.put(translate.Pool, o) })
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newController(t)
			p := open(t, s, nil)
			apply(t, p, lb)
			test.change(t, s)
			for range 2 { // it stays so until it is mended
				if o := observe(t, p, lb)[lb.ID]; o.Drifted != test.want {
					t.Fatalf("drifted: %v, want %v", o.Drifted, test.want)
				}
			}
			if test.name == "a newer mark" { // it is for whoever wrote it
				return
			}
			apply(t, p, lb)
			if o := observe(t, p, lb)[lb.ID]; o.Drifted {
				t.Error("drifted after it was mended")
			}
		})
	}
}

// TestDriftOfWhatIsLate shows that an inventory which does not have what was just made is no reason to make it again; later it is.
func TestDriftOfWhatIsLate(t *testing.T) {
	lb := plain(demoProject, 'a')
	vs := key{translate.VirtualService, translate.UUID(translate.VirtualService, lb.Listeners[0].ID)}
	was := memory{whole: true, ended: time.Now(), objects: objects{vs: {}}}
	for after, want := range map[time.Duration]int{-time.Second: 0, time.Second: 0, lag: 0, lag + 1: 1} {
		if got := drift(lb, was, &sight{began: was.ended.Add(after)}, nil); len(got) != want {
			t.Errorf("%v after it was made: %v", after, got)
		}
	}
}

// TestDriftTooMany has an older process leave a pool behind.
func TestDriftTooMany(t *testing.T) {
	s := newController(t)
	lb, longer := plain(demoProject, 'a'), plain(demoProject, 'a')
	l := *longer.Listeners[0]
	l.ID, l.ProtocolPort, l.Name = strings.Replace(l.ID, "10", "11", 1), 81, "second"
	longer.Listeners = append(longer.Listeners, &l)
	p := open(t, s, nil)
	apply(t, p, lb)
	apply(t, open(t, s, nil), longer)
	if o := observe(t, p, lb)[lb.ID]; !o.Drifted {
		t.Error("a listener that is too many is not found")
	}
	apply(t, p, lb)
	if o := observe(t, p, lb)[lb.ID]; o.Drifted {
		t.Error("drifted after it was mended")
	}
	if left := s.Object(translate.VirtualService, translate.UUID(translate.VirtualService, l.ID)); left != nil {
		t.Errorf("left: %v", left)
	}
}

// TestDriftUnknown shows what is compared of a load balancer that another process made: what it can be translated to without
// certificates.
func TestDriftUnknown(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(s *avitest.Server, uuid func(kind string) string)
		want   bool
	}{
		{"nothing", func(*avitest.Server, func(string) string) {}, false},
		{"no address", func(s *avitest.Server, uuid func(string) string) { s.Drop(translate.VsVip, uuid(translate.VsVip)) }, true},
		{"no pool", func(s *avitest.Server, uuid func(string) string) { s.Drop(translate.Pool, uuid(translate.Pool)) }, true},
		{"no virtual service", func(s *avitest.Server, uuid func(string) string) {
			s.Drop(translate.VirtualService, uuid(translate.VirtualService))
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, lb := newController(t), plain(demoProject, 'a')
			apply(t, open(t, s, nil), lb)
			test.change(s, func(kind string) string {
				return map[string]string{
					translate.VsVip: translate.UUID(kind, lb.ID), translate.Pool: translate.PoolUUID(lb.Pools[0].ID, lb.Listeners[0].ID),
					translate.VirtualService: translate.UUID(kind, lb.Listeners[0].ID),
				}[kind]
			})
			p := open(t, s, nil)
			if o, there := observe(t, p, lb)[lb.ID]; !there || o.Drifted != test.want {
				t.Errorf("there %v, drifted: %v, want %v", there, o.Drifted, test.want)
			}
			gone := *lb
			gone.Listeners, gone.Pools = nil, nil
			if o := observe(t, p, &gone)[lb.ID]; !o.Drifted {
				t.Error("what is left of a load balancer that wants nothing is not found")
			}
		})
	}
}

// TestDriftDuringApply shows that nothing is said of what changes while it is looked at.
func TestDriftDuringApply(t *testing.T) {
	s, lb := newController(t), plain(demoProject, 'a')
	p := open(t, s, nil)
	apply(t, p, lb)
	was := p.memory.get(lb.ID)
	v, err := p.views(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for k := range v(lb).audit.objects {
		delete(v(lb).audit.objects, k)
	}
	if got := drift(lb, was, v(lb).sight, v(lb).audit); len(got) != len(was.wanted) {
		t.Errorf("drift of what is gone: %v", got)
	}
	was.ended = time.Now()
	if got := drift(lb, was, v(lb).sight, v(lb).audit); len(got) > 0 {
		t.Errorf("drift of what was made after it was looked: %v", got)
	}
	p.memory.begin(lb.ID, stampOf(lb))
	if o := observe(t, p, lb)[lb.ID]; o.Drifted {
		t.Error("drifted while an Apply is at work")
	}
}

// TestDriftOfNothing goes through a life with about all that a load balancer can have. What was just made has never drifted, neither to
// who made it nor to another process, which reads no certificates for that.
func TestDriftOfNothing(t *testing.T) {
	s := newSaga(t)
	w := worldOf(t, avitest.Options{}, func(c *Config) { c.Secrets, c.VRFPerSubnet = s.secrets, true })
	for chapter := range chapters {
		lb := s.tree(chapter)
		lb.Progress.Observed = lb.Progress.Generation
		apply(t, w.provider, lb)
		other := w.open(func(c *Config) { c.VRFPerSubnet = true })
		for name, p := range map[string]*Provider{"who made it": w.provider, "another": other} {
			o, there := observe(t, p, lb)[lb.ID]
			if !there || o.Drifted {
				v, _ := p.views(t.Context(), nil)
				again := p.unknownDrift(t.Context(), lb, v(lb).audit)
				t.Errorf("chapter %d, %s: there %v, drifted %v; %v", chapter, name, there, o.Drifted, again)
			}
			if chapter == 4 { // it is off
				continue
			}
			for id, status := range o.Operating {
				if status != lbaas.Online && status != lbaas.NoMonitor && status != lbaas.Draining && !unused(lb, id) {
					t.Errorf("chapter %d, %s: %s is %s", chapter, name, id, status)
				}
			}
		}
	}
}

// unused tells whether no listener uses a pool.
func unused(lb *lbaas.LoadBalancer, id string) bool {
	return lb.Pool(id) != nil && len(lb.ListenersOf(id)) == 0
}

// TestDoubt shows what is left of what was remembered of a load balancer that was found changed.
func TestDoubt(t *testing.T) {
	var m memories
	at := stamp{1, 2}
	looked := memory{stamp: at, whole: true, done: at, ended: time.Now()}
	m.put("a", looked)
	m.doubt("a", memory{})
	if !m.get("a").whole {
		t.Error("doubted by who looked before it was made")
	}
	m.doubt("a", looked)
	if is := m.get("a"); is.whole || !is.doubted || is.stamp != at {
		t.Errorf("doubted: %+v", is)
	}
	m.doubt("b", memory{})
	if is := m.get("b"); !is.doubted {
		t.Errorf("doubted without having been made: %+v", is)
	}
	m.begin("b", at)
	if is := m.get("b"); is.doubted {
		t.Errorf("doubted while an Apply is at work: %+v", is)
	}
}
