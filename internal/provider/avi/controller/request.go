package controller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	tries     = 3        // of one request
	maxAnswer = 64 << 20 // bytes
)

// request is a request, which may be made several times.
type request struct {
	tenant Tenant
	method string
	path   string // escaped, with /api
	query  url.Values
	slug   string
	body   []byte
}

// reads tells whether a request changes nothing, so that it does no harm twice.
func (r *request) reads() bool { return r.method == http.MethodGet }

func (r *request) String() string { return r.method + " " + r.path }

// answer is a controller's answer to a request.
type answer struct {
	of     *request
	status int
	header http.Header
	body   []byte
}

// failure is that a request was not answered.
type failure struct {
	err  error
	sent bool // some of it may have reached the controller
	slow bool // its time was over
}

// do makes a request until it is answered, within a session. An answer that is none of success is an *Error.
func (c *Client) do(ctx context.Context, r *request) (*answer, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", r, ctx.Err())
	}
	for try := 1; ; try++ {
		s, err := c.session(ctx)
		if err != nil {
			return nil, err
		}
		a, again, err := c.attempt(ctx, s, r)
		if !again || try == tries {
			return a, err
		}
		if c.keeps(s) && !pause(ctx, time.Duration(try)*100*time.Millisecond) {
			return nil, err
		}
	}
}

// attempt makes a request once. It tells whether it may be made again.
func (c *Client) attempt(ctx context.Context, s *session, r *request) (a *answer, again bool, err error) {
	began := time.Now()
	a, f := c.send(ctx, s.node, r, s)
	switch {
	case f != nil && ctx.Err() != nil:
		return nil, false, fmt.Errorf("%s: %w", r, ctx.Err())
	case f != nil:
		elsewhere := c.unanswered(s, f, began)
		return nil, !f.sent || r.reads() && (elsewhere || !f.slow), &silence{r.String(), f.err}
	case slices.Contains(unready, a.status):
		c.stumble(s, c.errorOf(a))
		return nil, r.reads(), c.errorOf(a)
	case a.status == http.StatusUnauthorized || a.status == statusSwitch:
		c.expire(s)
		return nil, true, c.errorOf(a)
	}
	s.answered(a)
	if a.status < 200 || a.status > 299 {
		return nil, false, c.errorOf(a)
	}
	return a, false, nil
}

// statusSwitch is a controller's own: the session is not the one that it has for us any more.
const statusSwitch = 419

// unanswered decides what a request that was not answered says of the node: that it is down where it could not be reached or was silent
// to all, little where a connection was cut, and nothing where only this one took long. It tells whether the node is down.
func (c *Client) unanswered(s *session, f *failure, began time.Time) (down bool) {
	switch {
	case !f.sent || f.slow && s.silentSince(began):
		c.down(s, f.err)
		return true
	case !f.slow:
		c.stumble(s, f.err)
	}
	return false
}

// send makes one HTTP request. Without a session it is one that needs none.
func (c *Client) send(ctx context.Context, n *node, r *request, s *session) (*answer, *failure) {
	bound, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	var sent atomic.Bool
	bound = httptrace.WithClientTrace(bound, &httptrace.ClientTrace{
		GetConn: func(string) { sent.Store(false) }, // also when net/http found that nothing went over the one before
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})
	req, err := c.build(bound, n, r, s)
	if err != nil {
		return nil, &failure{err: err, sent: true}
	}
	c.count.add(r.method)
	began := time.Now()
	a, err := c.exchange(req, r)
	if err != nil {
		c.cfg.Log.Debug("controller gave no answer", "method", r.method, "path", r.path, "controller", n.address, "err", err)
		return nil, &failure{err: err, sent: sent.Load(), slow: errors.Is(bound.Err(), context.DeadlineExceeded)}
	}
	c.cfg.Log.Debug("controller answered", "method", r.method, "path", r.path, "controller", n.address, "status", a.status, "duration", time.Since(began))
	return a, nil
}

func (c *Client) build(ctx context.Context, n *node, r *request, s *session) (*http.Request, error) {
	address := n.url + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	h := req.Header
	h.Set("Accept", "application/json")
	h.Set("Content-Type", "application/json")
	h.Set("Referer", n.url)
	h.Set("User-Agent", "plimsoll")
	h.Set("X-Avi-Version", c.cfg.Version)
	for key, value := range map[string]string{"X-Avi-Tenant-UUID": r.tenant.UUID, "X-Avi-Tenant": r.tenant.Name, "Slug": r.slug} {
		if value != "" {
			h.Set(key, value)
		}
	}
	if s != nil {
		s.sign(req)
	}
	return req, nil
}

// exchange sends a request and reads all of the answer, so that the connection can be used again.
func (c *Client) exchange(req *http.Request, r *request) (*answer, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		if told, ok := errors.AsType[*url.Error](err); ok {
			err = told.Err // the address is ours to tell, without the query
		}
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	return &answer{of: r, status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// decode reads an answer. Nothing leaves into as it is.
func (a *answer) decode(into any) error {
	if into == nil || len(bytes.TrimSpace(a.body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("read the answer to %s: %w", a.of, err)
	}
	return nil
}

// errorOf is what an answer says that is none of success, without secrets.
func (c *Client) errorOf(a *answer) *Error {
	body := privateKeys.ReplaceAll(a.body, []byte("***"))
	text := textOf(a.status, a.header.Get("Content-Type"), body)
	page := isPage(a.header.Get("Content-Type"), strings.TrimSpace(string(body)))
	return &Error{Method: a.of.method, Path: a.of.path, Status: a.status, Text: c.hide.Replace(text), Page: page}
}

// pause waits, and tells whether there is time left.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// counter counts by method.
type counter struct {
	mu sync.Mutex
	n  map[string]int64
}

func (c *counter) add(method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int64{}
	}
	c.n[method]++
}

func (c *counter) all() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.n)
}
