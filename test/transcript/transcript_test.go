// Package transcript runs the pages of docs/ that show commands and what they print, against a real server and with the
// real openstack client.
package transcript

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"plimsoll/test/harness"
	"plimsoll/test/warm"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// exchange is a command of a page and what the page says that it prints.
type exchange struct {
	line    int
	command string
	output  string
}

// commandTime bounds one command: "openstack … --wait" on a busy machine is the longest.
const commandTime = 2 * time.Minute

func TestFirstLoadBalancer(t *testing.T) { runPage(t, "first-load-balancer.md") }

func TestKeyManager(t *testing.T) { runPage(t, "key-manager.md") }

func TestSmallCloud(t *testing.T) { runPage(t, "small-cloud.md") }

// TestAvi runs the rehearsal at the end of the page, against an emulated controller.
func TestAvi(t *testing.T) {
	t.Parallel()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	url := harness.Program(t, []string{"AVI_PASSWORD=avi123"}, "avi-emulator", "--listen", "127.0.0.1:0", "--ca-file", ca)
	address := strings.TrimPrefix(url, "https://")
	exchanges := read(t, "providers/avi.md", 10)
	server := harness.Start(t, harness.Config(strings.NewReplacer("127.0.0.1:9443", address, "avi-ca.pem", ca).Replace(configurationOf(t, "providers/avi.md"))))
	password, err := os.ReadFile(filepath.Join(server.StateDir, "demo-password"))
	if err != nil {
		t.Fatal(err)
	}
	sh := startShell(t, server, "AVI_PASSWORD=avi123", "OS_USERNAME=demo", "OS_PROJECT_NAME=demo", "OS_PASSWORD="+strings.TrimSpace(string(password)))
	sh.runAll(t, exchanges, strings.NewReplacer("127.0.0.1:9443", address))
}

// runPage runs the commands of a page with a server of its own.
func runPage(t *testing.T, name string) {
	t.Helper()
	t.Parallel()
	exchanges := read(t, name, 20)
	server := harness.Start(t)
	// The page's names of namespaces are one's own on one's own machine; here another run may use them at the same time.
	own := fmt.Sprintf("plm%d-", os.Getpid())
	startShell(t, server).runAll(t, exchanges, strings.NewReplacer("/var/lib/plimsoll", server.StateDir, "--netns ", "--netns "+own,
		"netns exec ", "netns exec "+own, "network namespace ", "network namespace "+own))
}

// read returns the exchanges of a page, which has so many at least.
func read(t *testing.T, name string, least int) []exchange {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("../../docs", name))
	if err != nil {
		t.Fatal(err)
	}
	exchanges := parse(string(page))
	if len(exchanges) < least {
		t.Fatalf("the page has %d commands", len(exchanges))
	}
	return exchanges
}

// parse finds the exchanges: in the blocks marked console, a line that begins with "$ " is a command, and what follows is
// its output.
func parse(page string) []exchange {
	var all []exchange
	inside := false
	n := 0
	for line := range strings.Lines(page) {
		n++
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = strings.HasPrefix(line, "```console")
		case !inside:
		case isCommand:
			all = append(all, exchange{line: n, command: strings.TrimSpace(command)})
		default:
			all[len(all)-1].output += line
		}
	}
	return all
}

// pattern matches an output, in which … stands for anything on a line.
func pattern(output string) *regexp.Regexp {
	text := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(output)), "…", ".*")
	return regexp.MustCompile(`^\s*` + text + `\s*$`)
}

// shell is a bash that runs the page's commands one after the other, so that variables and jobs last.
type shell struct{ *harness.Session }

func startShell(t *testing.T, server *harness.Server, env ...string) shell {
	t.Helper()
	cmd := exec.Command("bash")
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), server.Env()...)
	cmd.Env = append(cmd.Env, env...)
	cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(harness.Binary())+":"+warm.Path(t)+":/usr/sbin:/sbin:"+os.Getenv("PATH"))
	return shell{harness.StartSession(t, cmd)}
}

// runAll runs commands and compares what they print, with what stands here instead of the page's own names.
func (s shell) runAll(t *testing.T, exchanges []exchange, here *strings.Replacer) {
	t.Helper()
	for _, e := range exchanges {
		got, status := s.run(t, here.Replace(e.command))
		if status != "0" || !pattern(here.Replace(e.output)).MatchString(got) {
			t.Fatalf("line %d of the page: %s\nends with %s and prints\n%s\nwant\n%s", e.line, e.command, status, got, e.output)
		}
	}
}

// run gives the shell a command, and returns what it prints and its exit status.
func (s shell) run(t *testing.T, command string) (output, status string) {
	t.Helper()
	const mark = "end of the command: "
	return s.Run(t, fmt.Sprintf("%s\nstatus=$?; echo; echo '%s'$status", command, mark), mark, commandTime)
}
