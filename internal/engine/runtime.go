package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"time"

	"plimsoll/internal/failpoint"
	"plimsoll/internal/haproxy"
)

// askTime bounds a question to HAProxy, which answers in well under a millisecond unless it hangs.
const askTime = 3 * time.Second

// maxAnswer bounds what HAProxy answers, in bytes: `show stat` has some 500 for each server.
const maxAnswer = 64 << 20

// ask sends one command to the load balancer's HAProxy.
func (b *balancer) ask(command string) ([]byte, error) {
	return b.say(command, command)
}

// say sends a command in the form that HAProxy reads. Errors have the command alone, for with a payload go private keys.
func (b *balancer) say(command, text string) ([]byte, error) {
	answer, err := ask(b.dir, text, askTime)
	if err != nil {
		return nil, fmt.Errorf("ask HAProxy to %s: %w", command, bare(err))
	}
	return answer, nil
}

// ask sends a command to the HAProxy of a run directory.
func ask(dir, command string, atMost time.Duration) ([]byte, error) {
	c, err := dialIn(dir, haproxy.SocketFile)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(atMost)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(c, command+"\n"); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(c, maxAnswer))
}

// dialIn connects to a socket in a run directory. Its path through the open folder always is short enough for a
// socket's address (unix(7)).
func dialIn(dir, name string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: askTime}
	return dialer.DialContext(context.Background(), "unix", filepath.Join(dir, name))
}

// conversation is a connection over which one process answers any number of commands, also after it handed its stats
// socket to another.
type conversation struct{ net.Conn }

// prompt is what HAProxy ends its answers with; no answer has it at a line's beginning.
const prompt = "\n> "

func converse(dir string) (*conversation, error) {
	c, err := dialIn(dir, haproxy.SocketFile)
	if err != nil {
		return nil, err
	}
	talk := &conversation{c}
	for _, command := range []string{"prompt", "set timeout cli 3600"} {
		if _, err := talk.ask(command); err != nil {
			talk.close()
			return nil, err
		}
	}
	return talk, nil
}

func (t *conversation) ask(command string) ([]byte, error) {
	if err := t.SetDeadline(time.Now().Add(askTime)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(t, command+"\n"); err != nil {
		return nil, err
	}
	var answer []byte
	part := make([]byte, 64<<10)
	for !bytes.HasSuffix(answer, []byte(prompt)) {
		n, err := t.Read(part)
		if err != nil {
			return nil, err
		}
		if answer = append(answer, part[:n]...); len(answer) > maxAnswer {
			return nil, errors.New("the answer is too long")
		}
	}
	return bytes.TrimSuffix(answer, []byte(prompt)), nil
}

func (t *conversation) close() { _ = t.Close() }

func (b *balancer) info() (haproxy.Info, error) { return info(b.dir, askTime) }

func info(dir string, atMost time.Duration) (haproxy.Info, error) {
	answer, err := ask(dir, "show info", atMost)
	if err != nil {
		return haproxy.Info{}, fmt.Errorf("ask HAProxy who it is: %w", bare(err))
	}
	return haproxy.ParseInfo(answer)
}

func (b *balancer) serverStates() ([]haproxy.ServerState, error) {
	answer, err := b.ask("show servers state")
	if err != nil {
		return nil, err
	}
	return haproxy.ParseServersState(answer)
}

// stats asks for the counters of frontends (1), backends (2) or servers (4), or a sum of these.
func (b *balancer) stats(kinds int) ([]haproxy.Stat, error) {
	answer, err := b.ask(fmt.Sprintf("show stat -1 %d -1", kinds))
	if err != nil {
		return nil, err
	}
	return haproxy.ParseStat(answer)
}

// carryOut sends the steps of a plan, in order, and returns how many HAProxy took. It stops at the first that it refuses.
func (b *balancer) carryOut(steps []haproxy.Step) (done int, err error) {
	var talk haproxy.Dialogue
	for i, step := range steps {
		answer, err := b.say(step.Command, talk.Question(step))
		if err == nil {
			err = talk.Answer(step, string(answer))
		}
		if err != nil {
			return i, err
		}
		failpoint.Here("engine.runtime.changed")
	}
	return len(steps), nil
}

// removeIdle deletes the servers that were taken out and have no connection left. The rest is for the next time.
func (b *balancer) removeIdle() {
	var busy []haproxy.Step
	for i, step := range b.removals {
		answer, err := b.ask(step.Command)
		if err != nil { // nor would it answer the others
			busy = append(busy, b.removals[i:]...)
			break
		}
		if step.Check(string(answer)) != nil {
			busy = append(busy, step)
			continue
		}
		failpoint.Here("engine.server.deleted")
	}
	b.removals = busy
}
