package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAviEmulatorRefuses(t *testing.T) {
	t.Setenv(aviPassword, "")
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"avi-emulator", exitUsage, "no password is given"},
		{"avi-emulator extra", exitUsage, `unknown command "extra"`},
		{"avi-emulator --password p --tenant demo", exitUsage, "want NAME=ID"},
		{"avi-emulator --password p --tenant demo=1", exitUsage, "want NAME=ID"},
		{"avi-emulator --password p --tenant a=2add0600a0e444684beb9107aa0e2dff --tenant a=3add0600a0e444684beb9107aa0e2dff", exitUsage, "of that name or ID already"},
		{"avi-emulator --password p --tenant a=2add0600a0e444684beb9107aa0e2dff --tenant b=2add0600-a0e4-4468-4beb-9107aa0e2dff", exitUsage, "of that name or ID already"},
		{"avi-emulator --password p --tenant admin=2add0600a0e444684beb9107aa0e2dff", exitUsage, "of that name or ID already"},
		{"avi-emulator --password p --se-group Default-Group", exitUsage, "want names that differ"},
		{"avi-emulator --password p --se-group a --se-group a", exitUsage, "want names that differ"},
		{"avi-emulator --password p --placement -1s", exitUsage, "cannot be less than 0"},
		{"avi-emulator --password p --network-url nowhere", exitUsage, "want http:// or https://"},
		{"avi-emulator --password p --fail-every -1", exitUsage, "cannot be less than 0"},
		{"avi-emulator --password p --listen 127.0.0.1:0 --ca-file /nonesuch/ca.pem", exitFailed, "write the certificate"},
		{"avi-emulator --password p --listen 127.0.0.1", exitFailed, "missing port"},
		{"avi-emulator --password p --listen 127.0.0.1:0 --version next", exitFailed, `version "next"`},
		{"avi-emulator show", exitUsage, "accepts between 1 and 2"},
		{"avi-emulator show pool", exitUsage, "no password is given"},
		{"avi-emulator show pool --password p --address nowhere", exitUsage, "want HOST:PORT"},
		{"avi-emulator show pool --password p --address 192.0.2.1:443", exitUsage, "--ca-file has to name its certificate"},
		{"avi-emulator show pool --password p --address 127.0.0.1:1", exitFailed, "log in at 127.0.0.1:1"},
	} {
		var out strings.Builder
		if code := run(strings.Fields(test.args), &out, &out); code != test.code || !strings.Contains(out.String(), test.want) {
			t.Errorf("plimsoll %s: exit code %d, want %d and %q:\n%s", test.args, code, test.code, test.want, out.String())
		}
	}
}

func TestAviEmulatorServesAndShows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	const project = "2add0600a0e444684beb9107aa0e2dff"
	emulator := startServe(t, plimsoll(t, "avi-emulator", "--listen", "127.0.0.1:0", "--password", "avi123", "--tenant", "demo="+project, "--ca-file", ca), dir)
	show := func(args ...string) (string, error) {
		cmd := plimsoll(t, append([]string{"avi-emulator", "show", "--address", strings.TrimPrefix(emulator.url, "https://")}, args...)...)
		cmd.Env = append(cmd.Env, aviPassword+"=avi123")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	want := `+-------+---------------------------------------------+
| Name  | UUID                                        |
+-------+---------------------------------------------+
| admin | admin                                       |
| demo  | tenant-2add0600-a0e4-4468-4beb-9107aa0e2dff |
+-------+---------------------------------------------+
`
	if got, err := show("tenant", "--ca-file", ca); err != nil || got != want {
		t.Errorf("show tenant (%v) (-want +got):\n%s", err, cmp.Diff(want, got))
	}
	if got, err := show("tenant", "demo"); err != nil || !strings.Contains(got, "| local ") || !strings.Contains(got, "| False ") {
		t.Errorf("show tenant demo (%v):\n%s", err, got)
	}
	if got, err := show("vrfcontext", "none", "--tenant", "demo"); err == nil || !strings.Contains(got, `there is no vrfcontext "none" in tenant demo`) {
		t.Errorf("show of what is not there (%v):\n%s", err, got)
	}
	if got, err := show("pool", "--password", "wrong"); err == nil || !strings.Contains(got, "Invalid credentials") || strings.Contains(got, "wrong") {
		t.Errorf("show with a wrong password (%v):\n%s", err, got)
	}
	for _, refused := range [][]string{
		{"pol", `list pol: the controller has no such kind of object`},
		{"pool", `"Tenant 'nonesuch' does not exist!"`, "--tenant", "nonesuch"},
	} {
		if got, err := show(append(refused[:1:1], refused[2:]...)...); err == nil || !strings.Contains(got, refused[1]) {
			t.Errorf("show %v (%v):\n%s", refused, err, got)
		}
	}
	if got, err := show("systemconfiguration"); err != nil || !strings.Contains(got, "| uuid ") || !strings.Contains(got, "| default") {
		t.Errorf("show systemconfiguration (%v):\n%s", err, got)
	}
	if mode, err := os.Stat(ca); err != nil || mode.Size() == 0 {
		t.Errorf("the certificate: %v", err)
	}
	emulator.stop()
}

// TestPortsThatCannotBeCollected are told of once, and again when something else is wrong.
func TestPortsThatCannotBeCollected(t *testing.T) {
	var out strings.Builder
	told, down := "", errors.New("the network service is down")
	for _, err := range []error{down, down, nil, down, errors.New("no right"), down} {
		told = complain(t.Context(), err, told, &out)
	}
	want := strings.Repeat("plimsoll: collect ports: the network service is down\n", 2) + "plimsoll: collect ports: no right\nplimsoll: collect ports: the network service is down\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("is told (-want +got):\n%s", diff)
	}
}

// TestAviPorts asks a network service that is a table.
func TestAviPorts(t *testing.T) {
	ports := map[string]any{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /networking/v2.0/subnets/s1", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"subnet": {"network_id": "n1"}}`))
	})
	mux.HandleFunc("POST /networking/v2.0/ports", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Port map[string]any }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Header.Get("X-Auth-Token") != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		ports["p1"] = body.Port
		_, _ = w.Write([]byte(`{"port": {"id": "p1"}}`))
	})
	mux.HandleFunc("DELETE /networking/v2.0/ports/p1", func(w http.ResponseWriter, r *http.Request) {
		delete(ports, "p1")
		w.WriteHeader(http.StatusNoContent)
	})
	neutron := httptest.NewServer(mux)
	defer neutron.Close()
	p := aviPorts{url: neutron.URL + "/networking/", token: "secret"}
	id, err := p.CreatePort(t.Context(), "Avi-Data-1", "s1", "tenant")
	want := map[string]any{"p1": map[string]any{"name": "Avi-Data-1", "network_id": "n1", "fixed_ips": []any{map[string]any{"subnet_id": "s1"}}}}
	if diff := cmp.Diff(want, ports); err != nil || id != "p1" || diff != "" {
		t.Errorf("CreatePort gives %q, %v (-want +got):\n%s", id, err, diff)
	}
	for _, id := range []string{"p1", "p2"} {
		if err := p.DeletePort(t.Context(), id); err != nil || len(ports) > 0 {
			t.Errorf("DeletePort(%s) gives %v, there is %v", id, err, ports)
		}
	}
	if _, err := p.CreatePort(context.Background(), "Avi-Data-2", "s2", "tenant"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("CreatePort in a subnet that is not there gives %v", err)
	}
}
