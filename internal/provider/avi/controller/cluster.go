package controller

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// node is a controller, one of a cluster's perhaps.
type node struct {
	address string // as it was given
	url     string // "https://host:port", as Referer wants it

	// Guarded by the mutex of the client.
	failures int       // since it last answered
	until    time.Time // when it is asked again
	cause    error
}

// flight is a log-in that is under way, for whoever needs a session.
type flight struct {
	done    chan struct{}
	session *session
	err     error
	probe   bool // nobody answered before, so nobody waits for it but who began it
}

// denial is that the controller does not let the user in. Too many wrong passwords lock him out, so they are tried ever less often.
type denial struct {
	err   error
	times int
	until time.Time
}

const (
	probeFirst  = 500 * time.Millisecond
	denialFirst = time.Second
	denialCap   = time.Minute
	maxStumbles = 2 // in a row, until a node is taken to be down
)

// nodesOf reads addresses: host or host:port, with brackets around an IPv6 address that has a port.
func nodesOf(addresses []string) ([]*node, error) {
	if len(addresses) == 0 {
		return nil, errors.New("no address of a controller is given")
	}
	var nodes []*node
	for _, a := range addresses {
		host := strings.TrimSuffix(strings.TrimPrefix(a, "https://"), "/")
		if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
			host = "[" + host + "]"
		}
		u, err := url.Parse("https://" + host)
		if err != nil || u.Hostname() == "" || u.Host != host || !validPort(u) {
			return nil, fmt.Errorf("address %q of a controller is no host and no host:port", a)
		}
		nodes = append(nodes, &node{address: a, url: u.String()})
	}
	return nodes, nil
}

func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}

// session returns the session that all calls share, and has one opened where there is none.
func (c *Client) session(ctx context.Context) (*session, error) {
	f, s, err := c.board()
	if f == nil {
		return s, err
	}
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("log in to the controller: %w", ctx.Err())
	case <-f.done:
		return f.session, f.err
	}
}

// board returns the session, or why there is none, or the log-in to wait for.
func (c *Client) board() (*flight, *session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case c.closed:
		return nil, nil, errClosed
	case c.current != nil:
		return nil, c.current, nil
	case c.flight != nil && c.flight.probe:
		return nil, nil, c.silent()
	case c.flight != nil:
		return c.flight, nil, nil
	case now.Before(c.denial.until):
		return nil, nil, c.denial.err
	}
	nodes := c.awake(now)
	if len(nodes) == 0 {
		return nil, nil, c.silent()
	}
	probe := !slices.ContainsFunc(c.nodes, func(n *node) bool { return n.failures == 0 })
	f := &flight{done: make(chan struct{}), probe: probe}
	c.flight = f
	c.logins.Go(func() { c.fly(f, nodes) })
	return f, nil, nil
}

// awake are the nodes that are asked.
func (c *Client) awake(now time.Time) []*node {
	return slices.DeleteFunc(slices.Clone(c.nodes), func(n *node) bool { return now.Before(n.until) })
}

// silent is that no node answers, and why.
func (c *Client) silent() error {
	var addresses []string
	var causes []error
	for _, n := range c.nodes {
		addresses = append(addresses, n.address)
		if n.cause != nil {
			causes = append(causes, n.cause)
		}
	}
	return &silence{"controller " + strings.Join(addresses, ", ") + " does not answer", errors.Join(causes...)}
}

// fly logs in at the first node that lets it. It does not hang on a caller: others may wait for it.
func (c *Client) fly(f *flight, nodes []*node) {
	var s *session
	var err error
	for _, n := range nodes {
		if s, err = c.login(c.life, n); err == nil || Denied(err) || c.life.Err() != nil {
			break
		}
		c.mu.Lock()
		c.fail(n, err)
		c.mu.Unlock()
	}
	c.land(f, s, err)
}

// land ends a log-in.
func (c *Client) land(f *flight, s *session, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flight = nil
	switch {
	case c.closed:
		f.err = errClosed
	case s != nil:
		c.welcome(s)
		f.session = s
	case Denied(err):
		c.denial.err, f.err = err, err
		c.denial.until = time.Now().Add(growing(denialFirst, denialCap, c.denial.times))
		c.denial.times++
		c.cfg.Log.Error("controller refuses the log-in", "user", c.cfg.User, "err", err)
	default:
		f.err = c.silent()
	}
	close(f.done)
}

// welcome makes a session the one of all calls, and its node the first to be asked.
func (c *Client) welcome(s *session) {
	n := s.node
	if n.failures > 0 {
		c.cfg.Log.Info("controller answers again", "controller", n.address)
	}
	n.failures, n.until, n.cause = 0, time.Time{}, nil
	c.nodes = append([]*node{n}, slices.DeleteFunc(c.nodes, func(o *node) bool { return o == n })...)
	c.current, c.denial = s, denial{}
	c.cfg.Log.Debug("session with the controller opened", "controller", n.address, "version", s.version)
}

// fail notes that a node did not answer, or not as one that is ready. It needs the mutex.
func (c *Client) fail(n *node, err error) {
	if n.failures == 0 {
		c.cfg.Log.Warn("controller does not answer", "controller", n.address, "err", err)
	}
	n.until = time.Now().Add(growing(min(probeFirst, c.cfg.Probe), c.cfg.Probe, n.failures))
	n.cause = err
	n.failures++
}

// down ends a session whose node is.
func (c *Client) down(s *session, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == s {
		c.current = nil
		c.fail(s.node, err)
	}
}

// stumble is down once it happens again and again.
func (c *Client) stumble(s *session, err error) {
	if s.stumbled() >= maxStumbles {
		c.down(s, err)
	}
}

// keeps tells whether a session is still the one of all calls.
func (c *Client) keeps(s *session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current == s
}

// expire ends a session that the controller does not know any more.
func (c *Client) expire(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == s {
		c.current = nil
	}
}

// growing doubles a span for each time, up to a cap.
func growing(first, most time.Duration, times int) time.Duration {
	return min(first<<min(times, 20), most)
}
