package haproxy

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"plimsoll/internal/engine/enginepb"
)

// A process is a real HAProxy on 127.0.0.1 with one Spec's configuration.
type process struct {
	t      *testing.T
	socket string
	cmd    *exec.Cmd
}

// testOptions are those of a state directory that is short enough for a unix socket.
func testOptions(t *testing.T) Options {
	t.Helper()
	dir, err := os.MkdirTemp("", "hp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return Options{StateDir: dir, FDLimit: 2000}
}

// start runs HAProxy with spec and a state file, until it answers. It is stopped with the test, or before.
func start(t *testing.T, opts Options, spec *enginepb.Spec, state []byte) *process {
	t.Helper()
	dir := opts.RunDir(spec.LoadBalancerId)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	text, _ := File(spec)
	write(t, filepath.Join(dir, ConfigFile), text)
	write(t, filepath.Join(dir, StateFile), state)
	writeFiles(t, dir, spec)
	p := &process{t: t, socket: filepath.Join(dir, SocketFile)}
	p.cmd = exec.Command("haproxy", "-f", filepath.Join(dir, ConfigFile))
	p.cmd.Dir = dir
	output, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	p.cmd.Stdout, p.cmd.Stderr = output, output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	eventually(t, "HAProxy answers", func() error {
		_, err := p.ask("show info")
		if err != nil {
			said, _ := os.ReadFile(output.Name())
			return fmt.Errorf("%w\n%s", err, said)
		}
		return nil
	})
	return p
}

func (p *process) stop() {
	if p.cmd.ProcessState != nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	_ = os.Remove(p.socket)
}

// ask gives HAProxy one command and returns its answer.
func (p *process) ask(command string) (string, error) {
	c, err := net.DialTimeout("unix", p.socket, time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, command+"\n"); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(c)
	return string(answer), err
}

func (p *process) must(command string) []byte {
	p.t.Helper()
	answer, err := p.ask(command)
	if err != nil {
		p.t.Fatalf("%s: %v", command, err)
	}
	return []byte(answer)
}

// carry carries a plan out, as an engine does.
func (p *process) carry(plan Plan) {
	p.t.Helper()
	var talk Dialogue
	for _, s := range plan.Steps {
		if err := talk.Answer(s, string(p.must(talk.Question(s)))); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, s := range plan.Removals {
		eventually(p.t, s.Command, func() error { return s.Check(string(p.must(s.Command))) })
	}
}

// states are the servers as HAProxy reports them.
func (p *process) states() []ServerState {
	p.t.Helper()
	states, err := ParseServersState(p.must("show servers state"))
	if err != nil {
		p.t.Fatal(err)
	}
	return states
}

// picture is all that can be seen of the servers and proxies, once no check is under way any more, without what
// depends on the time or on how a server came to be as it is.
func (p *process) picture() map[string]string {
	p.t.Helper()
	var last, all map[string]string
	eventually(p.t, "checks settle", func() error {
		last, all = all, map[string]string{}
		for _, s := range p.states() {
			f := s.fields
			if checking(f[13]) && len(f[10]) == 1 && f[10] < "5" { // no result yet
				return fmt.Errorf("%s was not checked yet", s.Name)
			}
			all[s.Backend+"/"+s.Name] = fmt.Sprintf("id %s %s:%s op %s maintenance %t weight %s check %s %s",
				f[2], f[4], f[18], f[5], s.Maintenance(), f[7], f[21], f[22])
		}
		stats, err := ParseStat(p.must("show stat"))
		if err != nil {
			return err
		}
		for _, s := range stats {
			if strings.Contains(s.Status, "/") && !strings.Contains(s.Status, "via") {
				return fmt.Errorf("%s is %s", s.Name, s.Status)
			}
			all[s.Proxy+"/"+s.Name] += " " + s.Status
		}
		// A check has a result a moment before its server's status follows from it.
		if !maps.Equal(last, all) {
			return fmt.Errorf("the servers were still changing: %v", all)
		}
		return nil
	})
	return all
}

// checking tells whether srv_check_state says that checks are enabled and not paused.
func checking(state string) bool {
	bits, err := strconv.Atoi(state)
	return err == nil && bits&4 != 0 && bits&8 == 0
}

// eventually tries until fn gives no error, for at most ten seconds.
func eventually(t *testing.T, what string, fn func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		err := fn()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// serve accepts connections on a port of 127.0.0.1, and closes those at once.
func serve(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// writeFiles lays a Spec's files where HAProxy finds them.
func writeFiles(t *testing.T, dir string, spec *enginepb.Spec) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, FilesDir), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, f := range spec.Files {
		write(t, filepath.Join(dir, FilesDir, f.Name), f.Content)
	}
}
