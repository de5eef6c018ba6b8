package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "plimsoll/"

// layers names what each package of this module may import of it. A name that ends in /... stands for all below it. A
// package that is not named here may import nothing of it: put it in when you make one, and keep the arrows one way.
var layers = map[string][]string{
	"lbaas":                 {},
	"internal/failpoint":    {},
	"internal/config":       {"lbaas", "internal/network"},
	"internal/statedir":     {},
	"internal/identity":     {"lbaas"},
	"internal/network":      {"lbaas"},
	"internal/keymanager":   {"lbaas"},
	"internal/policy":       {"lbaas", "internal/identity"},
	"internal/web":          {"lbaas", "internal/identity", "internal/network"},
	"internal/web/webtest":  {"lbaas", "internal/identity"},
	"internal/store":        {"lbaas", "internal/identity", "internal/keymanager", "internal/network", "internal/failpoint"},
	"internal/store/...":    {"lbaas", "internal/identity", "internal/keymanager", "internal/network", "internal/store", "internal/store/..."},
	"internal/engine/...":   {},
	"internal/datagram":     {"internal/engine/enginepb"},
	"internal/linux":        {"internal/failpoint", "internal/network", "internal/datagram", "internal/guard"},
	"internal/hostplan":     {"lbaas", "internal/network", "internal/engine/enginepb"},
	"internal/guard":        {"internal/engine/enginepb"},
	"internal/haproxy":      {"lbaas", "internal/keymanager", "internal/network", "internal/engine/enginepb", "internal/failpoint"},
	"internal/engine":       {"lbaas", "internal/network", "internal/datagram", "internal/guard", "internal/engine/enginepb", "internal/haproxy", "internal/linux", "internal/failpoint"},
	"internal/provider":     {"lbaas", "internal/network"},
	"internal/provider/...": {"lbaas", "internal/keymanager", "internal/network", "internal/store", "internal/provider", "internal/provider/providertest", "internal/engine/enginepb", "internal/haproxy", "internal/failpoint"},
	"internal/provider/avi": {
		"lbaas", "internal/keymanager", "internal/network", "internal/store", "internal/provider", "internal/provider/avi/controller",
		"internal/provider/avi/translate", "internal/failpoint",
	},
	"internal/provider/avi/controller": {},
	"internal/provider/avi/translate":  {"lbaas", "internal/keymanager", "internal/network"},
	"internal/provider/avi/avitest":    {}, // it shares no code with what it tests
	"internal/reconcile":               {"lbaas", "internal/hostplan", "internal/network", "internal/provider", "internal/store", "internal/engine/enginepb", "internal/failpoint"},
	"internal/topology":                {}, // what it draws are the APIs' own words
	"internal/metrics":                 {"lbaas", "internal/engine/enginepb", "internal/identity", "internal/keymanager", "internal/reconcile", "internal/store", "internal/web"},
	"internal/api/...":                 {"lbaas", "internal/identity", "internal/keymanager", "internal/network", "internal/policy", "internal/provider", "internal/store", "internal/web"},
	"cmd/plimsoll":                     {"lbaas", "internal/..."},
	"test/...":                         {"lbaas", "internal/..."},
}

// keep says that packages of others are for some of ours only.
type keep struct {
	what   []string
	by     []string // a name with ! is one of those that may not
	reason string
}

func (k keep) lets(name string) bool {
	if refused := strings.HasPrefix(k.by[0], "!"); refused {
		return !slices.Contains(k.by, "!"+name)
	}
	return matches(k.by, name)
}

var kept = []keep{
	{
		[]string{"github.com/vishvananda/netlink", "github.com/vishvananda/netns", "github.com/google/nftables"},
		[]string{"internal/linux", "internal/engine", "test/..."},
		"only they touch the kernel",
	},
	{
		[]string{"os/exec"},
		[]string{"internal/linux", "internal/engine", "cmd/plimsoll", "internal/store/...", "test/..."},
		"only they run programs",
	},
	{
		[]string{"database/sql", "modernc.org/sqlite", "github.com/jackc/pgx/v5", "github.com/go-sql-driver/mysql", "github.com/uptrace/bun"},
		[]string{"internal/store", "internal/store/...", "test/..."},
		"only the store knows SQL",
	},
	{
		[]string{"net/http", "os", "os/exec", "syscall", "golang.org/x/sys/unix"},
		[]string{"!lbaas", "!internal/haproxy", "!internal/network", "!internal/identity", "!internal/provider/avi/translate", "!internal/topology"},
		"it decides and does no I/O",
	},
	{
		[]string{"net/http", "os/exec", "syscall", "golang.org/x/sys/unix"},
		[]string{"!internal/policy"},
		"it reads an operator's rules and does no other I/O",
	},
}

// vague are the names that tell nothing about a package.
var vague = []string{"util", "utils", "common", "misc", "helper", "helpers", "model", "models", "type", "types"}

type listed struct {
	ImportPath string
	Name       string
	Imports    []string
}

func TestImports(t *testing.T) {
	for _, p := range goList(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, part := range append(strings.Split(name, "/"), p.Name) {
			if slices.Contains(vague, part) {
				t.Errorf("package %s: the name %q says nothing of what it provides", name, part)
			}
		}
		for _, imported := range p.Imports {
			if why := forbidden(name, imported); why != "" {
				t.Errorf("package %s imports %s: %s", name, imported, why)
			}
		}
	}
}

func TestForbidden(t *testing.T) {
	for _, test := range []struct {
		name, imported string
		bad            bool
	}{
		{"lbaas", "github.com/google/uuid", true},
		{"lbaas", "plimsoll/internal/web", true},
		{"lbaas", "os", true},
		{"lbaas", "net/netip", false},
		{"internal/api/octavia", "plimsoll/internal/provider/haproxy", true},
		{"internal/api/octavia", "plimsoll/internal/reconcile", true},
		{"internal/api/octavia", "plimsoll/internal/api/neutron", true},
		{"internal/api/octavia", "plimsoll/internal/store", false},
		{"internal/provider/avi", "plimsoll/internal/provider/haproxy", true},
		{"internal/reconcile", "github.com/vishvananda/netlink/nl", true},
		{"internal/reconcile", "github.com/uptrace/bun", true},
		{"internal/web", "os/exec", true},
		{"internal/haproxy", "net/http", true},
		{"internal/newcomer", "plimsoll/lbaas", true},
		{"cmd/plimsoll", "plimsoll/internal/provider/haproxy", false},
	} {
		if why := forbidden(test.name, test.imported); (why != "") != test.bad {
			t.Errorf("forbidden(%s, %s) gives %q", test.name, test.imported, why)
		}
	}
}

// forbidden says why one package must not import another, or "".
func forbidden(name, imported string) string {
	if own, ok := strings.CutPrefix(imported, module); ok {
		if !matches(allowed(name), own) {
			return "the layers have no such arrow"
		}
		return ""
	}
	if name == "lbaas" && strings.Contains(strings.Split(imported, "/")[0], ".") {
		return "the domain imports the standard library only"
	}
	for _, rule := range kept {
		if matches(rule.what, imported) && !rule.lets(name) {
			return rule.reason
		}
	}
	return ""
}

func allowed(name string) []string {
	if list, ok := layers[name]; ok {
		return list
	}
	for parent := path.Dir(name); parent != "."; parent = path.Dir(parent) {
		if list, ok := layers[parent+"/..."]; ok {
			return list
		}
	}
	return nil
}

// matches tells whether a name, or a package above it where the list's item has one outside this module, is listed.
func matches(list []string, name string) bool {
	return slices.ContainsFunc(list, func(item string) bool {
		if parent, ok := strings.CutSuffix(item, "/..."); ok {
			return strings.HasPrefix(name, parent+"/")
		}
		foreign := strings.Contains(strings.Split(item, "/")[0], ".")
		return name == item || foreign && strings.HasPrefix(name, item+"/")
	})
}

func goList(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Name,Imports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
