package engine

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/linux"
)

func (w *world) unplug(id string) {
	w.t.Helper()
	if _, err := w.client.Unplug(context.Background(), &enginepb.UnplugRequest{PortId: id}); err != nil {
		w.t.Fatalf("Unplug: %v", err)
	}
}

// plugged lists the plugs, by port.
func (w *world) plugged() map[string]string {
	w.t.Helper()
	reply, err := w.client.Plugged(context.Background(), &enginepb.PluggedRequest{})
	if err != nil {
		w.t.Fatal(err)
	}
	all := map[string]string{}
	for _, p := range reply.Plugs {
		all[p.PortId] = p.Netns
	}
	return all
}

func (w *world) plugInto(name string) *enginepb.Port {
	w.t.Helper()
	p := w.port()
	if _, err := w.client.Plug(context.Background(), &enginepb.PlugRequest{Port: p, Netns: name}); err != nil {
		w.t.Fatalf("Plug: %v", err)
	}
	return p
}

func TestPlugAndUnplug(t *testing.T) {
	w := newWorld(t)
	before, name := listing(t, w), "plmtest-"+uuid.NewString()
	p, q := w.plugInto(name), w.plugInto(name)
	if diff := cmp.Diff(map[string]string{p.Id: name, q.Id: name}, w.plugged()); diff != "" {
		t.Errorf("Plugged (-want +got):\n%s", diff)
	}
	for range 2 {
		w.unplug(p.Id)
		if !linux.HasNamespace(name) {
			t.Fatal("the namespace went though a port is in it")
		}
	}
	w.unplug(q.Id)
	if diff := cmp.Diff(before, listing(t, w)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

func TestPlugIntoOthersNamespace(t *testing.T) {
	w := newWorld(t)
	name := "plmtest-" + uuid.NewString()
	run(t, "ip", "netns", "add", name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	p := w.plugInto(name)
	run(t, "ip", "-n", name, "addr", "add", "10.77.0.200/24", "dev", linux.TapName(p.Id))
	if _, err := w.client.Plug(t.Context(), &enginepb.PlugRequest{Port: p, Netns: name}); err != nil {
		t.Fatal(err)
	}
	if out := run(t, "ip", "-n", name, "addr"); !strings.Contains(out, "10.77.0.200") {
		t.Errorf("the user's own address went:\n%s", out)
	}
	w.unplug(p.Id)
	if !linux.HasNamespace(name) {
		t.Error("the user's own namespace went")
	}
}

func TestPlugsAreMended(t *testing.T) {
	w := newWorld(t)
	name := "plmtest-" + uuid.NewString()
	p := w.plugInto(name)
	mended := func() bool { return w.plugged()[p.Id] == name }
	run(t, "ip", "-n", name, "link", "del", linux.TapName(p.Id))
	eventually(t, "the link to come back", mended)
	w.stop()
	run(t, "ip", "netns", "del", name) // as after a reboot
	w.start()
	eventually(t, "the namespace to come back", mended)
	moved := "plmtest-" + uuid.NewString()
	if _, err := w.client.Plug(t.Context(), &enginepb.PlugRequest{Port: p, Netns: moved}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{p.Id: moved}, w.plugged()); diff != "" {
		t.Errorf("Plugged (-want +got):\n%s", diff)
	}
	if linux.HasNamespace(name) {
		t.Error("the first namespace stayed")
	}
}

func TestBadPlugs(t *testing.T) {
	w := newWorld(t)
	for name, spoil := range map[string]func(*enginepb.PlugRequest){
		"bad: no port":    func(r *enginepb.PlugRequest) { r.Port = nil },
		"bad: port id":    func(r *enginepb.PlugRequest) { r.Port.Id = "../../etc/passwd" },
		"bad: network id": func(r *enginepb.PlugRequest) { r.Port.NetworkId = "x" },
		"bad: MAC":        func(r *enginepb.PlugRequest) { r.Port.Mac = "fa:16" },
		"bad: address":    func(r *enginepb.PlugRequest) { r.Port.Addresses = []string{"10.0.0.1"} },
		"bad: MTU":        func(r *enginepb.PlugRequest) { r.Port.Mtu = 70000 },
		"bad: route":      func(r *enginepb.PlugRequest) { r.Port.Routes = []*enginepb.Route{{Destination: "x"}} },
		"bad: next hop of another family": func(r *enginepb.PlugRequest) {
			r.Port.Routes = []*enginepb.Route{{Destination: "::/0", NextHop: "10.0.0.1"}}
		},
		"bad: no namespace":                func(r *enginepb.PlugRequest) { r.Netns = "" },
		"bad: path as namespace":           func(r *enginepb.PlugRequest) { r.Netns = "../x" },
		"bad: a load balancer's namespace": func(r *enginepb.PlugRequest) { r.Netns = namespaceName(uuid.NewString()) },
	} {
		request := &enginepb.PlugRequest{Port: w.port(), Netns: "plmtest-bad"}
		spoil(request)
		if _, err := w.client.Plug(t.Context(), request); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: Plug = %v, want InvalidArgument", name, err)
		}
	}
}
