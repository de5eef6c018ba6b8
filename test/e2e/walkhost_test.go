package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plimsoll/test/harness"
)

// onHost is what the host has for a server, by names.
type onHost struct {
	namespaces, links []string
	dnsmasqs          []string // by the namespaces that they serve
}

// hostHas lists it, sorted.
func hostHas(s *harness.Server) onHost {
	var has onHost
	for _, what := range s.Leftovers() {
		kind, name, _ := strings.Cut(what, " ")
		switch kind {
		case "namespace":
			has.namespaces = append(has.namespaces, name)
		case "link":
			has.links = append(has.links, name)
		}
	}
	for _, p := range s.DNSMasqs() {
		for _, word := range strings.Fields(p.Command) {
			if _, after, found := strings.Cut(word, "/dhcp-"); found {
				id, _, _ := strings.Cut(after, "/")
				has.dnsmasqs = append(has.dnsmasqs, "qdhcp-"+id+elsewhere(p.PID, "qdhcp-"+id))
			}
		}
	}
	slices.Sort(has.namespaces)
	slices.Sort(has.links)
	slices.Sort(has.dnsmasqs)
	return has
}

// elsewhere says when a process is not in a namespace: one of that name has taken the place of the one in which it is.
func elsewhere(pid int, name string) string {
	is, err := os.Stat(fmt.Sprintf("/proc/%d/ns/net", pid))
	want, err2 := os.Stat(filepath.Join("/run/netns", name))
	if err == nil && err2 == nil && os.SameFile(is, want) {
		return ""
	}
	return " in another namespace"
}

// read reads a list of the API.
func (w *walk) read(t *testing.T, url, name string, list any) {
	t.Helper()
	answer := w.askOf(t, url, "GET", nil)
	text, err := json.Marshal(answer[name])
	if err == nil {
		err = json.Unmarshal(text, list)
	}
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
}

// wanted is what the host should have.
func (s *walkState) wanted(w *walk) onHost {
	var has onHost
	bridges := map[string]bool{}
	spaces := map[string]bool{}
	for _, p := range s.Ports {
		if !s.plugged(p) {
			continue
		}
		switch {
		case strings.HasPrefix(p.Owner, "network:router"):
			spaces["qrouter-"+p.DeviceID] = true
		case p.Owner == "network:dhcp":
			spaces["qdhcp-"+p.NetworkID] = true
			has.dnsmasqs = append(has.dnsmasqs, "qdhcp-"+p.NetworkID)
		case w.guests[p.ID] != nil:
			spaces[w.guests[p.ID].NetNS] = true
		default:
			continue
		}
		bridges["brq"+p.NetworkID[:11]] = true
		has.links = append(has.links, "plm"+p.ID[:11])
	}
	for _, r := range s.Routers {
		if r.Up {
			spaces["qrouter-"+r.ID] = true
		}
	}
	for _, lb := range s.Balancers { // it has its links even while it or its network is switched off
		p := s.port(lb.Port)
		spaces["qlbaas-"+lb.ID] = true
		bridges["brq"+p.NetworkID[:11]] = true
		has.links = append(has.links, "plm"+p.ID[:11])
	}
	for name := range spaces {
		has.namespaces = append(has.namespaces, name)
	}
	for name := range bridges {
		has.links = append(has.links, name)
	}
	slices.Sort(has.namespaces)
	slices.Sort(has.links)
	slices.Sort(has.dnsmasqs)
	return has
}

// compare waits until the host is as the API says.
func (w *walk) compare(t *testing.T) {
	t.Helper()
	var now *walkState
	began, last := time.Now(), ""
	harness.Eventually(t, 40*time.Second, func() error {
		now = w.look(t)
		err := errors.Join(w.statuses(now), w.sameHost(now), w.traffic(now))
		if err != nil && err.Error() != last {
			last = err.Error()
			w.note("\tnot yet: %v", err)
		}
		return err
	})
	w.note("\tquiet after %v, of %d ways %d lead somewhere", time.Since(began).Round(time.Millisecond), w.tried, w.reached)
}

func (w *walk) sameHost(now *walkState) error {
	if diff := cmp.Diff(now.wanted(w), hostHas(w.Server), cmp.AllowUnexported(onHost{}), cmpopts.EquateEmpty()); diff != "" {
		return fmt.Errorf("the host (-want +got):\n%s", diff)
	}
	return nil
}

// statuses compares what ports, floating addresses and load balancers say of themselves.
func (w *walk) statuses(now *walkState) error {
	for _, p := range now.Ports {
		if p.Owner == "network:floatingip" || p.Owner == "Octavia" {
			continue
		}
		if want := map[bool]string{true: "ACTIVE", false: "DOWN"}[now.plugged(p)]; p.Status != want {
			return fmt.Errorf("port %s of %q is %s, want %s", p.ID, p.Owner, p.Status, want)
		}
	}
	for _, lb := range now.Balancers {
		if lb.Status != "ACTIVE" {
			return fmt.Errorf("load balancer %s is %s", lb.ID, lb.Status)
		}
	}
	return now.dhcp(w)
}

// dhcp tells whether the networks have DHCP servers that need them.
func (s *walkState) dhcp(w *walk) error {
	for _, n := range s.inside(w) {
		sub := s.subnetOf(n.ID)
		has, guests := false, false
		for _, p := range s.Ports {
			has = has || p.NetworkID == n.ID && p.Owner == "network:dhcp"
			guests = guests || p.NetworkID == n.ID && w.guests[p.ID] != nil
		}
		if want := sub != nil && sub.DHCP && guests; has != want {
			return fmt.Errorf("network %s has a DHCP server: %v, want %v", n.ID, has, want)
		}
	}
	return nil
}

// traffic tries every way from a guest to a guest, to a floating address and to a VIP.
func (w *walk) traffic(now *walkState) error {
	var all sync.WaitGroup
	var mu sync.Mutex
	var wrong []error
	w.tried, w.reached = 0, 0
	addresses := map[string]bool{}
	for _, p := range now.Ports {
		if w.guests[p.ID] != nil || p.Owner == "Octavia" || p.Owner == "network:floatingip" {
			addresses[p.FixedIPs[0].Address] = true
		}
	}
	for _, lb := range now.Balancers {
		addresses[lb.Address] = true
	}
	for _, p := range now.Ports {
		g := w.guests[p.ID]
		if g == nil || !now.plugged(p) {
			continue
		}
		if err := g.listen(); err != nil {
			return err
		}
	}
	for _, p := range now.Ports {
		g := w.guests[p.ID]
		if g == nil || !now.plugged(p) {
			continue
		}
		for address := range addresses {
			all.Go(func() {
				want, got := now.reaches(w, p, address), g.connects(address, 1500*time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				w.tried++
				if got == nil {
					w.reached++
				}
				if want != (got == nil) {
					wrong = append(wrong, fmt.Errorf("%s (%s) reaches %s: want %v, got %s", g.NetNS, p.FixedIPs[0].Address, address, want, fmt.Sprint(got)))
				}
			})
		}
	}
	all.Wait()
	return errors.Join(wrong...)
}

// connects opens a connection. It is short when nothing is there, since that is what guards and networks that are apart look like.
func (g *walkGuest) connects(address string, bound time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	c, err := g.Dial(ctx, "tcp", net.JoinHostPort(address, "8080"))
	if err == nil {
		_ = c.Close()
	}
	return err
}

// listen sees to it that somebody listens in the namespace that the guest has now.
func (g *walkGuest) listen() error {
	info, err := os.Stat(filepath.Join("/run/netns", g.NetNS))
	if err != nil {
		return err
	}
	inode := info.Sys().(*syscall.Stat_t).Ino
	if g.listens != nil && g.inode == inode {
		return nil
	}
	g.stop()
	l, err := g.Listen("tcp", ":8080")
	if err != nil {
		return err
	}
	g.listens, g.inode = l, inode
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, g.NetNS)
			_ = c.Close()
		}
	}()
	return nil
}

func (g *walkGuest) stop() {
	if g.listens != nil {
		_ = g.listens.Close()
		g.listens = nil
	}
}

// end deletes everything and looks for what stays.
func (w *walk) end(t *testing.T) {
	now := w.look(t)
	for _, f := range now.Floating {
		w.ask(t, "DELETE", "floatingips/"+f.ID, nil)
	}
	for _, lb := range now.Balancers {
		w.askOf(t, w.LoadBalancer.ServiceURL("lbaas", "loadbalancers", lb.ID)+"?cascade=true", "DELETE", nil)
	}
	for _, p := range now.Ports {
		if p.Owner == "network:router_interface" {
			w.ask(t, "PUT", "routers/"+p.DeviceID+"/remove_router_interface", object{"port_id": p.ID})
		}
	}
	for _, r := range now.Routers {
		w.ask(t, "DELETE", "routers/"+r.ID, nil)
	}
	for id, g := range w.guests {
		g.stop()
		w.ask(t, "DELETE", "ports/"+id, nil)
	}
	harness.Eventually(t, 20*time.Second, func() error {
		for _, n := range w.look(t).Networks {
			if n.Name != "private" && n.Name != "public" {
				w.ask(t, "DELETE", "networks/"+n.ID, nil)
			}
		}
		if n := len(w.look(t).Networks); n > 2 {
			return fmt.Errorf("%d networks", n)
		}
		return nil
	})
	for _, g := range now.Groups {
		w.ask(t, "DELETE", "security-groups/"+g.ID, nil)
	}
	harness.Eventually(t, 20*time.Second, func() error {
		if left := w.Leftovers(); len(left) > 0 {
			return fmt.Errorf("left on the host: %v", left)
		}
		return nil
	})
	w.Stop(t)
	noRowsOf(t, w.Server, "routers", "floating_ips", "ports", "port_addresses", "load_balancers", "listeners", "security_groups",
		"security_group_rules", "port_security_groups")
	noTables(t, w.Instance())
}

// noTables fails the test when the host has tables of an instance.
func noTables(t *testing.T, instance string) {
	t.Helper()
	if rules, err := exec.CommandContext(t.Context(), "nft", "list", "tables").Output(); err != nil || strings.Contains(string(rules), instance) {
		t.Errorf("tables: %s, %v", rules, err)
	}
}
