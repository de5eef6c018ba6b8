package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"plimsoll/test/harness"
)

// prober asks an address without end, one request after the other on a connection that is kept, and remembers who answered
// when.
type prober struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	seen   []answer
	failed int
	err    error // the last failure
}

type answer struct {
	name string
	at   time.Time
}

// probe starts a prober, which lasts until the benchmark's end.
func probe(b *testing.B, n *harness.Node, address string) *prober {
	ctx, cancel := context.WithCancel(context.Background())
	p := &prober{cancel: cancel, done: make(chan struct{})}
	client := clientOn(n, 5*time.Second)
	go func() {
		defer close(p.done)
		for ctx.Err() == nil {
			p.ask(ctx, client, "http://"+address+"/")
		}
	}()
	b.Cleanup(func() {
		cancel()
		<-p.done
		client.CloseIdleConnections()
	})
	return p
}

// clientOn is an HTTP client on a node that gives a connection so much time to come about.
func clientOn(n *harness.Node, connect time.Duration) *http.Client {
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, connect)
			defer cancel()
			return n.Dial(ctx, network, address)
		},
	}}
}

func (p *prober) ask(ctx context.Context, client *http.Client, url string) {
	name, err := get(ctx, client, url)
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.seen = append(p.seen, answer{name, now})
	} else if ctx.Err() == nil {
		p.failed, p.err = p.failed+1, err
	}
}

func get(ctx context.Context, client *http.Client, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return strings.TrimSpace(string(body)), err
}

// arrival returns when a member first answered after a time.
func (p *prober) arrival(b *testing.B, name string, after time.Time) time.Time {
	b.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for _, a := range p.since(after) {
			if a.name == name {
				return a.at
			}
		}
	}
	b.Fatalf("%s does not answer", name)
	return time.Time{}
}

// departure waits until a member has been silent for a hundred answers of others, and returns when it last answered,
// or when the change was asked for if that was later.
func (p *prober) departure(b *testing.B, name string, after time.Time) time.Time {
	b.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		last, silent := after, 0
		for _, a := range p.since(after) {
			silent++
			if a.name == name {
				last, silent = a.at, 0
			}
		}
		if silent >= 100 {
			return last
		}
	}
	b.Fatalf("%s answers still", name)
	return time.Time{}
}

// since returns the answers after a time, and forgets those before it.
func (p *prober) since(after time.Time) []answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.seen) > 0 && p.seen[0].at.Before(after) {
		p.seen = p.seen[1:]
	}
	return append([]answer(nil), p.seen...)
}

// noFailures fails the benchmark if a request failed.
func (p *prober) noFailures(b *testing.B) {
	b.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed > 0 {
		b.Errorf("%d requests failed, the last one: %v", p.failed, p.err)
	}
}
