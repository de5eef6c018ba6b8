package clients

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"plimsoll/test/harness"
)

// neutron is the shell that had load balancers' commands before openstack had them, in its interactive mode.
func (s *site) neutron(t *testing.T) prompt {
	t.Helper()
	cmd := exec.Command("neutron")
	cmd.Env = append(os.Environ(), s.Env()...)
	cmd.Env = append(cmd.Env, "PYTHONUNBUFFERED=1", "HOME="+t.TempDir())
	p := prompt{harness.StartSession(t, cmd)}
	p.run(t, "") // what it says of its age
	return p
}

// neutronScript goes through the script of the commands for load balancers, and shows that it leaves none out.
func (s *site) neutronScript(t *testing.T) {
	p := s.neutron(t)
	s.play(t, p, s.name)
	help, err := exec.CommandContext(t.Context(), "neutron", "help").Output()
	if err != nil {
		t.Fatalf("ask neutron for its commands: %v", err)
	}
	var used []string
	for _, step := range append(parse(t, s.name), parse(t, "neutron-agent")...) {
		used = append(used, words(step.command)[0])
	}
	commands := regexp.MustCompile(`(?m)^  lbaas-\S+`).FindAllString(string(help), -1)
	if len(commands) < 39 {
		t.Errorf("neutron has %d commands for load balancers", len(commands))
	}
	for _, command := range commands {
		if command = strings.TrimSpace(command); !slices.Contains(used, command) {
			t.Errorf("no script uses neutron %s", command)
		}
	}
}

// neutronAgents goes through the commands of agents, which only admins have.
func (s *site) neutronAgents(t *testing.T) {
	p := s.neutron(t)
	known := s.play(t, p, s.name)
	var on []struct{ ID, Name string } // of others, too
	out := p.run(t, "lbaas-loadbalancer-list-on-agent "+known["<agent>"]+" -f json")
	if err := json.Unmarshal([]byte(out), &on); err != nil {
		t.Fatalf("load balancers on the agent: %v\n%s", err, out)
	}
	want := struct{ ID, Name string }{known["<loadbalancer>"], "hosted"}
	if !slices.Contains(on, want) {
		t.Errorf("the agent has %v, want %v among them", on, want)
	}
	p.run(t, "lbaas-loadbalancer-delete hosted")
}
