package bench

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"plimsoll/test/harness"
)

// restartRounds is how often server and engine are killed. The engine is given time between two deaths, since its
// supervisor waits longer and longer before it starts one again that dies at once.
const (
	restartRounds = 3
	enginePause   = 11 * time.Second
)

// BenchmarkRestart kills the server and the engine, as kill -9 does, while a client asks the load balancer all the time: no
// request fails. A server is back when it answers a request; an engine when a change that was made right after its death
// is in the traffic. HAProxy lives on: the engine adopts it.
func BenchmarkRestart(b *testing.B) {
	s := newSite(b, 2)
	lb, _ := s.create(b, s.wholeTree(s.webs[0]))
	address := harness.JoinPort(lb.VIPAddress, 80)
	s.answered(b, address)
	s.WaitActive(b, lb.ID) // an engine that dies in the middle of a change has the next one reload
	p := probe(b, s.client, address)
	var server, engine sample
	haproxy := s.onlyHAProxy(b)
	for range restartRounds {
		engine = append(engine, s.killEngine(b, p, lb))
		for idle := time.Now().Add(enginePause); time.Now().Before(idle); {
			server = append(server, s.killServer(b, lb.ID))
		}
	}
	if now := s.onlyHAProxy(b); now != haproxy {
		b.Errorf("HAProxy is process %d, was %d: it was not adopted", now, haproxy)
	}
	p.noFailures(b)
	b.Run("server", func(b *testing.B) { server.report(b) })
	b.Run("engine", func(b *testing.B) { engine.report(b) })
}

func (s *site) onlyHAProxy(b *testing.B) int {
	b.Helper()
	all := s.HAProxies()
	if len(all) != 1 {
		b.Fatalf("%d HAProxy processes, want 1: %v", len(all), all)
	}
	return all[0].PID
}

// killServer measures from the start of a server, whose predecessor was killed, to its answer.
func (s *site) killServer(b *testing.B, id string) time.Duration {
	b.Helper()
	s.Kill(b)
	start := time.Now()
	s.Start(b)
	if _, err := s.api.status(b.Context(), id); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// killEngine measures from the death of the engine to a change's effect. The engine's supervisor is left alone.
func (s *site) killEngine(b *testing.B, p *prober, lb created) time.Duration {
	b.Helper()
	path := "/pools/" + lb.Pools[0].ID + "/members"
	start := time.Now()
	for _, e := range s.Engines() {
		if !strings.Contains(e.Command, "--supervise") {
			_ = syscall.Kill(e.PID, syscall.SIGKILL)
		}
	}
	made, err := s.api.create(b.Context(), path, "member", member(s.net, s.webs[1]))
	if err != nil {
		b.Fatal(err)
	}
	took := p.arrival(b, s.webs[1].Name, start).Sub(start)
	sent := s.change(b, http.MethodDelete, path+"/"+made.ID, nil)
	p.departure(b, s.webs[1].Name, sent)
	s.WaitActive(b, lb.ID)
	return took
}
