package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plimsoll/internal/policy"
)

// policyFolder makes a folder with a configuration and a policy.
func policyFolder(t *testing.T, conf, rules string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"plimsoll.conf": conf, "policy.yaml": rules} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func command(args ...string) (code int, out, errs string) {
	var stdout, stderr strings.Builder
	code = run(args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestPolicyShow(t *testing.T) {
	dir := policyFolder(t, "", "load-balancer:write: role:boss\nlonely: role:x\n")
	broken := policyFolder(t, "", "# mine\nload-balancer:write: role:boss role:x\n")
	strict := policyFolder(t, "[oslo_policy]\npolicy_file = none.yaml\nenforce_new_defaults = true\n", "broken")
	conf := filepath.Join(dir, "plimsoll.conf")
	for _, test := range []struct {
		args string
		code int
		want []string // * stands for blanks
	}{
		{"policy", exitUsage, []string{"no command is given", "Available Commands"}},
		{"policy shwo", exitUsage, []string{`there is no command "shwo"; did you mean show?`}},
		{"policy show x", exitUsage, []string{`unknown command "x"`}},
		{"policy show --format xml --config " + conf, exitUsage, []string{"--format xml: want one of text, yaml, json"}},
		{"policy show --rule explode --config " + conf, exitUsage, []string{`there is no rule "explode"`}},
		{"policy show --config " + dir + "/none.conf", exitFailed, []string{"none.conf: no such file"}},
		{"policy show --config " + broken + "/plimsoll.conf", exitFailed, []string{broken + `/policy.yaml:2: rule "load-balancer:write": "role:x" stands where`}},
		{"serve --state-dir " + broken + "/state --config " + broken + "/plimsoll.conf", exitFailed, []string{`policy.yaml:2: rule "load-balancer:write"`}},
		{"policy show --config " + conf, exitDone, []string{
			"# " + dir + "/policy.yaml, over the defaults", "RULE * FROM * CHECK", "load-balancer:write * " + dir + "/policy.yaml:1 * role:boss",
			"os_load-balancer_api:loadbalancer:post * default * rule:load-balancer:write",
			`plimsoll: warning: ` + dir + `/policy.yaml:2: rule "lonely" is not one of the API's`,
		}},
		{"policy show --config " + strict + "/plimsoll.conf", exitDone, []string{
			"# the defaults; " + strict + "/none.yaml is not there", "load-balancer:admin * default * is_admin:True or role:admin\n",
		}},
		{"policy show --rule loadbalancer:post --actor-roles boss,reader --config " + conf, exitDone, []string{
			"RULE * OWN * OTHER * SYSTEM", "loadbalancer:post * yes * yes * yes * default",
		}},
		{"policy show --rule os_load-balancer_api:pool:get_one --actor-roles reader --config " + conf, exitDone, []string{"pool:get_one * yes * no * yes"}},
		{"policy show --help", exitDone, []string{"--actor-roles", "Examples:"}},
		{"__complete policy show --format ", exitDone, []string{"yaml"}},
		{"__complete policy show --rule ", exitDone, []string{"os_load-balancer_api:quota:put"}},
	} {
		code, out, errs := command(strings.Split(test.args, " ")...)
		text := strings.Join(strings.Fields(out+errs), " ")
		for _, want := range test.want {
			want = strings.Join(strings.Fields(strings.ReplaceAll(want, "*", "")), " ")
			if code != test.code || !strings.Contains(text, want) {
				t.Errorf("plimsoll %s: exit code %d, want %d and %q:\n%s%s", test.args, code, test.code, want, out, errs)
			}
		}
	}
}

func TestPolicyShowJSON(t *testing.T) {
	dir := policyFolder(t, "", "load-balancer:write: role:boss\nlonely: role:x\n")
	_, out, _ := command("policy", "show", "--format", "json", "--actor-roles", "boss", "--config", filepath.Join(dir, "plimsoll.conf"))
	var got struct {
		Files    []string
		Rules    []shownRule
		Warnings []string
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Files) != 1 || len(got.Warnings) != 1 || len(got.Rules) < len(policy.Rules()) {
		t.Errorf("%d files, %d warnings, %d rules", len(got.Files), len(got.Warnings), len(got.Rules))
	}
	for _, r := range got.Rules {
		if want := r.Name == "load-balancer:write"; want && (r.Default == "" || r.Allows == nil || !r.Allows.Foreign) {
			t.Errorf("%+v", r)
		}
	}
}

// TestPolicyShowYAML reads what is printed as a policy, which then is the same.
func TestPolicyShowYAML(t *testing.T) {
	conf := filepath.Join(policyFolder(t, "", "load-balancer:write: role:boss\n"), "plimsoll.conf")
	_, first, _ := command("policy", "show", "--format", "yaml", "--config", conf)
	if !strings.Contains(first, `"load-balancer:write": "role:boss"`) {
		t.Errorf("the rule is not printed:\n%s", first)
	}
	conf = filepath.Join(policyFolder(t, "", first), "plimsoll.conf")
	code, second, errs := command("policy", "show", "--format", "yaml", "--config", conf)
	if code != exitDone || errs != "" || rulesOf(first) != rulesOf(second) {
		t.Errorf("exit code %d, %s\nfirst:\n%s\nsecond:\n%s", code, errs, first, second)
	}
}

// rulesOf drops the comments.
func rulesOf(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			out.WriteString(line)
		}
	}
	return out.String()
}
