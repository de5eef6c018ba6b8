package neutron_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"plimsoll/internal/network"
)

// agents lists agents as somebody, by host and type.
func (f *fixture) agents(who, query string) map[string]object {
	f.t.Helper()
	found := map[string]object{}
	for _, a := range f.want(200, who, "GET", "/v2.0/agents"+query, nil)["agents"].([]any) {
		a := a.(object)
		found[fmt.Sprint(a["host"], " ", a["agent_type"])] = a
	}
	return found
}

func newAgents(t *testing.T) *fixture {
	f := newFixture(t)
	for _, name := range []string{"a", "b"} {
		if err := f.store.HostSeen(t.Context(), &network.Host{Name: name, Version: "1"}); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestAgents(t *testing.T) {
	f := newAgents(t)
	lan, _ := f.lan("alice", object{}, "10.0.0.0/24")
	f.add("alice", "port", object{"network_id": lan}) // somebody who gets leases
	if _, err := f.store.KeepDHCPPort(t.Context(), "b", lan); err != nil {
		t.Fatal(err)
	}
	router := &network.Router{ProjectID: "alices", AdminStateUp: true, Host: "a"}
	if err := f.store.CreateRouter(t.Context(), router); err != nil {
		t.Fatal(err)
	}
	all := f.agents("admin", "")
	if len(all) != 6 {
		t.Fatalf("two hosts have %d agents, want 6: %v", len(all), all)
	}
	dhcp := all["b DHCP agent"]
	want := object{
		"id": dhcp["id"], "agent_type": "DHCP agent", "binary": "neutron-dhcp-agent", "topic": "dhcp_agent", "host": "b", "alive": true,
		"admin_state_up": true, "description": nil, "availability_zone": nil,
		"configurations": object{"dhcp_driver": "dnsmasq", "networks": 1.0},
		"created_at":     dhcp["created_at"], "started_at": dhcp["created_at"], "heartbeat_timestamp": dhcp["heartbeat_timestamp"],
	}
	if diff := cmp.Diff(want, dhcp); diff != "" {
		t.Errorf("a DHCP agent (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(dhcp, f.want(200, "admin", "GET", "/v2.0/agents/"+dhcp["id"].(string), nil)["agent"]); diff != "" {
		t.Errorf("it is shown otherwise than listed (-list +show):\n%s", diff)
	}
	l3 := all["a L3 agent"]
	for path, want := range map[string]string{
		"networks/" + lan + "/dhcp-agents":                           dhcp["id"].(string),
		"routers/" + router.ID + "/l3-agents":                        l3["id"].(string),
		"agents/" + dhcp["id"].(string) + "/dhcp-networks":           lan,
		"agents/" + l3["id"].(string) + "/l3-routers":                router.ID,
		"agents/" + all["b L3 agent"]["id"].(string) + "/l3-routers": "",
	} {
		for _, list := range f.want(200, "admin", "GET", "/v2.0/"+path, nil) {
			got := ""
			for _, o := range list.([]any) {
				got += o.(object)["id"].(string)
			}
			if got != want {
				t.Errorf("%s answers %q, want %q", path, got, want)
			}
		}
	}
}

func TestAgentLists(t *testing.T) {
	f := newAgents(t)
	names := func(query string) (all []string) {
		for _, a := range f.want(200, "admin", "GET", "/v2.0/agents"+query, nil)["agents"].([]any) {
			all = append(all, fmt.Sprint(a.(object)["host"], " ", a.(object)["agent_type"]))
		}
		return all
	}
	first := f.agents("admin", "")["a DHCP agent"]["id"].(string)
	for query, want := range map[string][]string{
		"?host=a&agent_type=L3+agent": {"a L3 agent"}, "?host=c": nil, "?alive=False": nil, "?id=" + first: {"a DHCP agent"},
		"?agent_type=L3+agent&admin_state_up=yes&alive=1": {"a L3 agent", "b L3 agent"}, "?admin_state_up=off": nil,
		"?binary=neutron-lbaasv2-agent":                                                        {"a Loadbalancerv2 agent", "b Loadbalancerv2 agent"},
		"?sort_key=host&sort_dir=desc&sort_key=agent_type&sort_dir=asc&limit=2":                {"b DHCP agent", "b L3 agent"},
		"?sort_key=host&sort_dir=asc&sort_key=agent_type&sort_dir=asc&limit=2&marker=" + first: {"a L3 agent", "a Loadbalancerv2 agent"},
	} {
		if diff := cmp.Diff(want, names(query)); diff != "" {
			t.Errorf("agents%s (-want +got):\n%s", query, diff)
		}
	}
	f.want(400, "admin", "GET", "/v2.0/agents?alive=perhaps", nil)
}

func TestAgentIsSwitchedOff(t *testing.T) {
	f := newAgents(t)
	id := f.agents("admin", "")["a L3 agent"]["id"].(string)
	for body, want := range map[string]refusal{
		`{"agent": {"admin_state_up": "perhaps"}}`: {400, "InvalidInput", "Invalid input for operation: 'perhaps' cannot be converted to boolean."},
		`{"agent": {"host": "b"}}`:                 {400, "HTTPBadRequest", "Cannot update read-only attribute host"},
	} {
		if diff := cmp.Diff(want, f.refused("admin", "PUT", "/v2.0/agents/"+id, body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
	off := f.want(200, "admin", "PUT", "/v2.0/agents/"+id, object{"agent": object{"admin_state_up": false}})["agent"].(object)
	if off["admin_state_up"] != false || off["id"] != id {
		t.Errorf("the agent that was switched off: %v", off)
	}
	for name, a := range f.agents("admin", "") {
		if want := a["host"] == "b"; a["admin_state_up"] != want {
			t.Errorf("%s: admin_state_up is %v, want %v", name, a["admin_state_up"], want)
		}
	}
}

// TestAgentStays: of a host that is alive no agent is deleted.
func TestAgentStays(t *testing.T) {
	f := newAgents(t)
	id := f.agents("admin", "")["a DHCP agent"]["id"].(string)
	want := refusal{409, "HTTPConflict", "Host a is alive: it would report itself again."}
	if diff := cmp.Diff(want, f.refused("admin", "DELETE", "/v2.0/agents/"+id, nil)); diff != "" {
		t.Errorf("DELETE (-want +got):\n%s", diff)
	}
	f.want(404, "admin", "DELETE", "/v2.0/agents/"+uuid.NewString(), nil)
	f.want(404, "alice", "DELETE", "/v2.0/agents/"+id, nil)
	if got := f.agents("admin", ""); len(got) != 6 {
		t.Errorf("there are %d agents, want 6", len(got))
	}
}

// TestAgentsAreForAdmins: others see none, and learn of none.
func TestAgentsAreForAdmins(t *testing.T) {
	f := newAgents(t)
	id := f.agents("admin", "")["a DHCP agent"]["id"].(string)
	if got := f.agents("alice", ""); len(got) > 0 {
		t.Errorf("alice sees the agents %v", got)
	}
	for _, id := range []string{id, uuid.NewString(), "x"} {
		missing := refusal{404, "AgentNotFound", "Agent " + id + " could not be found."}
		for path, method := range map[string]string{"": "GET", "/dhcp-networks": "GET", "/l3-routers": "GET"} {
			if diff := cmp.Diff(missing, f.refused("alice", method, "/v2.0/agents/"+id+path, nil)); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", method, path, diff)
			}
		}
		if diff := cmp.Diff(missing, f.refused("alice", "PUT", "/v2.0/agents/"+id, object{"agent": object{"admin_state_up": false}})); diff != "" {
			t.Errorf("PUT (-want +got):\n%s", diff)
		}
	}
	lan, _ := f.lan("alice", object{}, "10.0.0.0/24")
	for _, path := range []string{"networks/" + lan + "/dhcp-agents", "routers/" + lan + "/l3-agents"} {
		if code, o := f.call("alice", "GET", "/v2.0/"+path, nil); code != 403 {
			t.Errorf("%s by alice answers %d %v", path, code, o)
		}
	}
}
