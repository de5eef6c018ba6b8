package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"

	"plimsoll/test/harness"
)

// TestOneBadObject makes HAProxy refuse one listener of several: it says why, the others work on, and it heals when it
// is changed.
func TestOneBadObject(t *testing.T) {
	s := newSite(t, 2, harness.Tree{}, harness.Env("PLIMSOLL_FAILPOINT_VALUES=haproxy.refuse=bad"))
	ctx, api := t.Context(), s.LoadBalancer
	bad, err := listeners.Create(ctx, api, listeners.CreateOpts{
		Name: "bad", LoadbalancerID: s.lb.ID, Protocol: listeners.ProtocolHTTP, ProtocolPort: 81, DefaultPoolID: s.lb.PoolID,
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	good, err := listeners.Create(ctx, api, listeners.CreateOpts{
		Name: "good", LoadbalancerID: s.lb.ID, Protocol: listeners.ProtocolHTTP, ProtocolPort: 82, DefaultPoolID: s.lb.PoolID,
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	s.provisions(t, map[string]string{
		s.lb.ID: "ERROR", bad.ID: "ERROR", good.ID: "ACTIVE", s.lb.ListenerID: "ACTIVE", s.lb.PoolID: "ACTIVE",
	})
	s.says(t, "refuse-this-on-purpose", "listeners", bad.ID)
	s.says(t, "refuse-this-on-purpose", "loadbalancers", s.lb.ID)
	for _, port := range []int{80, 82} {
		if _, err := s.client.Get(harness.JoinPort(s.lb.VIP, port)); err != nil {
			t.Errorf("port %d beside the bad listener: %v", port, err)
		}
	}
	// It is no hindrance to others.
	weight := 5
	_, err = pools.UpdateMember(ctx, api, s.lb.PoolID, s.lb.MemberIDs[0], pools.UpdateMemberOpts{Weight: &weight}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	s.provisions(t, map[string]string{s.lb.ID: "ERROR", s.lb.MemberIDs[0]: "ACTIVE"})

	name := "better"
	if _, err := listeners.Update(ctx, api, bad.ID, listeners.UpdateOpts{Name: &name}).Extract(); err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
	if _, err := s.client.Get(harness.JoinPort(s.lb.VIP, 81)); err != nil {
		t.Errorf("the healed listener: %v", err)
	}
}

// provisions waits until objects have their provisioning statuses.
func (s *site) provisions(t *testing.T, want map[string]string) {
	t.Helper()
	harness.Eventually(t, 20*time.Second, func() error {
		all, err := s.Statuses(t, s.lb.ID)
		for id, status := range want {
			if is := all[id]; err == nil && is.Provisioning != status {
				err = fmt.Errorf("%s %s is %s, want %s", is.Name, id, is.Provisioning, status)
			}
		}
		return err
	})
}

// says waits until an object gives a reason with some words in it for its status.
func (s *site) says(t *testing.T, want string, path ...string) {
	t.Helper()
	harness.Eventually(t, 20*time.Second, func() error {
		reason, err := s.Reason(t, path...)
		if err == nil && !strings.Contains(reason, want) {
			err = fmt.Errorf("%v gives the reason %q, want one with %q", path, reason, want)
		}
		return err
	})
}

// TestBrokenHAProxy has a program that does not work: the load balancer says so, and is made once there is one that does.
func TestBrokenHAProxy(t *testing.T) {
	bin := t.TempDir()
	program := filepath.Join(bin, "haproxy")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho 'out of order' >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := prepare(t, 1, harness.Env("PATH="+bin))
	s.lb = s.BuildTree(t, s.net, harness.Tree{Members: s.webs})
	s.says(t, "HAProxy", "loadbalancers", s.lb.ID)
	s.provisions(t, map[string]string{s.lb.ID: "PENDING_CREATE", s.lb.ListenerID: "PENDING_CREATE"})
	works, err := exec.LookPath("/usr/sbin/haproxy")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(works, program); err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
	s.answers(t)
}

// TestFullSubnet has no address left for the load balancer's port on a member's subnet: the member waits and says why,
// all else works, and it is made once there is room.
func TestFullSubnet(t *testing.T) {
	s := newSite(t, 1, harness.Tree{})
	small := s.CreateNetwork(t, "small", "10.9.0.0/30")
	dhcp := false // or its port may have the last address
	if err := subnets.Update(t.Context(), s.Network, small.SubnetID, subnets.UpdateOpts{EnableDHCP: &dhcp}).Err; err != nil {
		t.Fatal(err)
	}
	web := s.Plug(t, small, "10.9.0.1").Serve(t, 8080, "far")
	var last *ports.Port
	harness.Eventually(t, 30*time.Second, func() (err error) {
		last, err = ports.Create(t.Context(), s.Network, ports.CreateOpts{NetworkID: small.ID}).Extract()
		return err
	})
	id, err := s.TryMember(t, s.lb, small, web)
	if err != nil {
		t.Fatal(err)
	}
	s.says(t, "No more IP addresses", "pools", s.lb.PoolID, "members", id)
	for range 4 {
		if name, err := s.client.Get(s.lb.Address); err != nil || name != "m1" {
			t.Errorf("%q answered: %v", name, err)
		}
	}
	if err := ports.Delete(t.Context(), s.Network, last.ID).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
	harness.Eventually(t, 10*time.Second, func() error {
		name, err := s.client.Get(s.lb.Address)
		if err == nil && name != "far" {
			err = fmt.Errorf("%q answered", name)
		}
		return err
	})
}

// TestFullDisk fills the file system of the state directory: traffic goes on, what cannot be kept is refused, and what was
// accepted is made once there is room.
func TestFullDisk(t *testing.T) {
	disk, err := os.MkdirTemp("", "plimsoll-disk-")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("plimsoll-test", disk, "tmpfs", 0, "size=32m,mode=0755"); err != nil {
		t.Fatalf("mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Errorf("unmount %s: %v", disk, err)
		}
		_ = os.Remove(disk)
	})
	s := newSite(t, 2, harness.Tree{}, harness.In(disk))
	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	accepted, refused := 0, 0
	for i := range 30 {
		weight := 10 + i
		_, err := pools.UpdateMember(t.Context(), s.LoadBalancer, s.lb.PoolID, s.lb.MemberIDs[0], pools.UpdateMemberOpts{Weight: &weight}).Extract()
		if err == nil {
			accepted++
		} else {
			refused++
		}
		if _, err := s.client.Get(s.lb.Address); err != nil {
			t.Errorf("request %d on a full disk: %v", i, err)
		}
	}
	t.Logf("%d changes accepted, %d refused", accepted, refused)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, 20*time.Second, func() error {
		weight := 99
		return pools.UpdateMember(t.Context(), s.LoadBalancer, s.lb.PoolID, s.lb.MemberIDs[0], pools.UpdateMemberOpts{Weight: &weight}).Err
	})
	s.WaitActive(t, s.lb.ID)
	s.answers(t)
	if !strings.Contains(s.configuration(t), "weight 99") {
		t.Error("the last change is not in haproxy.conf")
	}
}

// fill writes until there is no room.
func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	chunk := make([]byte, 4096)
	for {
		if _, err := f.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
