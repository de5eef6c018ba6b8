package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"plimsoll/internal/engine/enginepb"
)

func TestCheckPlan(t *testing.T) {
	t.Parallel()
	id, other := uuid.NewString(), uuid.NewString()
	tests := []struct {
		name string
		plan *enginepb.HostPlan
		want string // part of the error; "" is none
	}{
		{"bad: none", nil, "no plan"},
		{"bad router", &enginepb.HostPlan{Routers: []*enginepb.Router{{Id: "../../etc"}}}, `router "../../etc" is no UUID`},
		{"bad router: nil", &enginepb.HostPlan{Routers: []*enginepb.Router{nil}}, "is no UUID"},
		{"bad router twice", &enginepb.HostPlan{Routers: []*enginepb.Router{{Id: id}, {Id: id}}}, "is there twice"},
		{"bad inner port", &enginepb.HostPlan{Routers: []*enginepb.Router{{Id: id, InternalPortIds: []string{""}}}}, `port "" is no UUID`},
		{"bad outer port", &enginepb.HostPlan{Routers: []*enginepb.Router{{Id: id, ExternalPortId: "x"}}}, `port "x" is no UUID`},
		{"bad advertisement", &enginepb.HostPlan{Routers: []*enginepb.Router{{Id: id, Advertisements: []*enginepb.Advertisement{{PortId: "x"}}}}}, `port "x"`},
		{"bad network", &enginepb.HostPlan{Dhcps: []*enginepb.Dhcp{{NetworkId: strings.ToUpper(id), PortId: id}}}, "is no UUID"},
		{"bad DHCP port", &enginepb.HostPlan{Dhcps: []*enginepb.Dhcp{{NetworkId: id}}}, `port "" is no UUID`},
		{"bad DHCP subnet", &enginepb.HostPlan{Dhcps: []*enginepb.Dhcp{{NetworkId: id, PortId: id, Subnets: []*enginepb.DhcpSubnet{{Id: "s"}}}}}, `subnet "s"`},
		{"bad DHCP host", &enginepb.HostPlan{Dhcps: []*enginepb.Dhcp{{NetworkId: id, PortId: id, Hosts: []*enginepb.DhcpHost{{PortId: "h"}}}}}, `port "h"`},
		{"bad guard", &enginepb.HostPlan{Guards: []*enginepb.Guard{{PortId: id, NetworkId: id}, {PortId: id, NetworkId: id}}}, "is there twice"},
		{"bad guard's network", &enginepb.HostPlan{Guards: []*enginepb.Guard{{PortId: id}}}, `network "" is no UUID`},
		{"bad guard's group", &enginepb.HostPlan{Guards: []*enginepb.Guard{{PortId: id, NetworkId: id, GroupIds: []string{"g"}}}}, `security group "g"`},
		{"bad group", &enginepb.HostPlan{Groups: []*enginepb.Group{{Id: "g"}}}, `security group "g"`},
		{"bad rule", &enginepb.HostPlan{Groups: []*enginepb.Group{{Id: id, Rules: []*enginepb.GuardRule{{RemoteGroupId: "g"}}}}}, `security group "g"`},
		{"bad peer", &enginepb.HostPlan{TunnelPeers: []string{"fe80::1%eth0"}}, "is no address"},
		{"nothing", &enginepb.HostPlan{}, ""},
		{"one id for several things", &enginepb.HostPlan{
			Routers:     []*enginepb.Router{{Id: id, InternalPortIds: []string{other}, ExternalPortId: other}},
			Dhcps:       []*enginepb.Dhcp{{NetworkId: id, PortId: id}},
			Guards:      []*enginepb.Guard{{PortId: id, NetworkId: id, GroupIds: []string{id}}},
			Groups:      []*enginepb.Group{{Id: id, Rules: []*enginepb.GuardRule{{}, {RemoteGroupId: other}}}},
			TunnelPeers: []string{"192.0.2.1", "2001:db8::1"},
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := checkPlan(tt.plan)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("checkPlan: %v, want %q", err, tt.want)
			}
		})
	}
}

// TestSettled holds what is remembered of objects against a model.
func TestSettled(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := &Engine{hosting: newHosting()}
		model := map[string]string{}
		ids := rapid.SampledFrom([]string{"a", "b", "c"})
		message := func(text string) proto.Message { return &enginepb.Router{Id: text} }
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(t *rapid.T) {
				id, text := ids.Draw(t, "id"), ids.Draw(t, "text")
				if begins := e.begin(kindRouter, id, message(text)); begins == (model[id] == text) {
					t.Fatalf("begin(%s, %s) is %t", id, text, begins)
				} else if begins {
					model[id] = "begun"
				}
			},
			"settle": func(t *rapid.T) { // what was unsettled since it was begun is to be made again
				id, text := ids.Draw(t, "id"), ids.Draw(t, "text")
				e.settle(kindRouter, id, message(text))
				if model[id] == "begun" {
					model[id] = text
				}
			},
			"unsettle":   func(t *rapid.T) { id := ids.Draw(t, "id"); e.unsettle(kindRouter, id); delete(model, id) },
			"replugged":  func(t *rapid.T) { id := ids.Draw(t, "id"); e.replugged("qrouter-" + id); delete(model, id) },
			"of another": func(t *rapid.T) { e.replugged(ids.Draw(t, "id")); e.unsettle(kindDhcp, ids.Draw(t, "id")) },
			"all":        func(*rapid.T) { e.hosting.unsettleAll(); clear(model) },
			"": func(t *rapid.T) {
				for _, id := range []string{"a", "b", "c"} {
					for _, text := range []string{"a", "b", "c"} {
						if got, want := e.settled(kindRouter, id, message(text)), model[id] == text; got != want {
							t.Fatalf("settled(%s, %s) is %t, want %t", id, text, got, want)
						}
					}
				}
			},
		})
	})
}

func TestPlanned(t *testing.T) {
	t.Parallel()
	e := &Engine{hosting: newHosting()}
	router, network := uuid.NewString(), uuid.NewString()
	if e.planned("qrouter-" + router) {
		t.Error("a namespace is planned without a plan")
	}
	e.hosting.plan = &enginepb.HostPlan{Routers: []*enginepb.Router{{Id: router}}, Dhcps: []*enginepb.Dhcp{{NetworkId: network}}}
	for name, want := range map[string]bool{
		"qrouter-" + router: true, "qdhcp-" + network: true, "qrouter-" + network: false, "qdhcp-" + router: false, router: false, "": false,
	} {
		if got := e.planned(name); got != want {
			t.Errorf("planned(%q) is %t, want %t", name, got, want)
		}
	}
}

func TestTold(t *testing.T) {
	t.Parallel()
	h := newHosting()
	one := []*enginepb.HostFailure{{ObjectId: "a", Reason: "no link"}}
	for i, tt := range []struct {
		failures []*enginepb.HostFailure
		news     bool
	}{{nil, false}, {one, true}, {one, false}, {[]*enginepb.HostFailure{{ObjectId: "a", Reason: "no route"}}, true}, {nil, true}} {
		if got := h.told(tt.failures); got != tt.news {
			t.Errorf("told %d is news: %t, want %t", i, got, tt.news)
		}
	}
}

// TestHostPlanIsKept follows a plan through the engine's lives: refused ones leave it alone, and a file that is no plan keeps nobody from
// starting.
func TestHostPlanIsKept(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	file := filepath.Join(w.dir, hostDir, planFile)
	kept := func() *enginepb.HostPlan {
		t.Helper()
		text, err := os.ReadFile(file)
		plan := &enginepb.HostPlan{}
		if err == nil {
			err = proto.Unmarshal(text, plan)
		}
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	plan := &enginepb.HostPlan{TunnelPeers: []string{"192.0.2.1"}}
	if _, err := w.client.ApplyHost(ctx, plan); err != nil {
		t.Fatal(err)
	}
	_, err := w.client.ApplyHost(ctx, &enginepb.HostPlan{Routers: []*enginepb.Router{{Id: "r"}}})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("a bad plan: %v, want InvalidArgument", err)
	}
	if diff := cmp.Diff(plan, kept(), protocmp.Transform()); diff != "" {
		t.Errorf("the kept plan (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the plan's file: %v, %v", info, err)
	}
	for _, text := range []string{"\xff\xff", "no plan at all"} {
		w.stop()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w.start()
		if _, err := w.client.ApplyHost(ctx, plan); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plan, kept(), protocmp.Transform()); diff != "" {
			t.Errorf("after a broken file (-want +got):\n%s", diff)
		}
	}
}
