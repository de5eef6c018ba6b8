package controller

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

const loginPath = "/login"

// The names of the cookies: of the token against forged requests, and of the session, which has had two names.
const (
	csrfCookie   = "csrftoken"
	cookieOfOld  = "sessionid"
	cookieOfLate = "avi-sessionid"
)

// session is a log-in on one node.
type session struct {
	node    *node
	version string // of the controller
	cookie  string // the name of the one that tells the session
	csrf    string

	mu       sync.Mutex
	id       string
	last     time.Time // when something was answered
	stumbles int       // cut connections and the like, in a row
}

// welcome is what of the answer to a log-in is of use.
type welcome struct {
	Cookie  string `json:"session_cookie_name"`
	Version struct {
		Version string `json:"Version"`
	} `json:"version"`
}

// login opens a session on a node. What was cut short is tried once more: a session too many does no harm.
func (c *Client) login(ctx context.Context, n *node) (*session, error) {
	s, again, err := c.tryLogin(ctx, n)
	if again && pause(ctx, 100*time.Millisecond) {
		s, _, err = c.tryLogin(ctx, n)
	}
	return s, err
}

func (c *Client) tryLogin(ctx context.Context, n *node) (s *session, again bool, err error) {
	r := &request{method: http.MethodPost, path: loginPath}
	who := map[string]string{"username": c.cfg.User, "password": c.cfg.Password}
	if c.cfg.Token != "" {
		who = map[string]string{"username": c.cfg.User, "token": c.cfg.Token}
	}
	if err := r.carry(who); err != nil {
		return nil, false, err
	}
	a, f := c.send(ctx, n, r, nil)
	if f != nil {
		return nil, f.sent && !f.slow, f.err
	}
	if a.status != http.StatusOK {
		return nil, a.status == statusSwitch || slices.Contains(unready, a.status), c.errorOf(a)
	}
	s, err = opened(n, a)
	return s, false, err
}

// opened reads the answer to a log-in.
func opened(n *node, a *answer) (*session, error) {
	var w welcome
	if err := json.Unmarshal(a.body, &w); err != nil || w.Version.Version == "" {
		return nil, errors.New("what answers is no Avi controller")
	}
	s := &session{node: n, version: w.Version.Version, cookie: cmp.Or(w.Cookie, cookieOfOld), last: time.Now()}
	cookies := cookiesOf(a)
	s.csrf = cookies[csrfCookie]
	if s.id = s.idIn(cookies); s.id == "" {
		return nil, errors.New("the controller opened no session")
	}
	return s, nil
}

// cookiesOf are the cookies that an answer sets.
func cookiesOf(a *answer) map[string]string {
	set := map[string]string{}
	for _, k := range (&http.Response{Header: a.header}).Cookies() {
		set[k.Name] = k.Value
	}
	return set
}

// idIn finds the session's id: under the name that was said, else under one of those that are known. Some answers set it to None.
func (s *session) idIn(cookies map[string]string) string {
	id := cmp.Or(cookies[s.cookie], cookies[cookieOfLate], cookies[cookieOfOld])
	if id == "None" {
		return ""
	}
	return id
}

// sign makes a request one of the session.
func (s *session) sign(req *http.Request) {
	s.mu.Lock()
	id := s.id
	s.mu.Unlock()
	names := map[string]bool{cookieOfOld: true, cookieOfLate: true, s.cookie: true}
	for name := range names {
		req.AddCookie(&http.Cookie{Name: name, Value: id})
	}
	if s.csrf != "" {
		req.AddCookie(&http.Cookie{Name: csrfCookie, Value: s.csrf})
		req.Header.Set("X-CSRFToken", s.csrf)
	}
}

// answered notes that the node answered, and under which id the session goes on.
func (s *session) answered(a *answer) {
	id := ""
	if a.status < 400 {
		id = s.idIn(cookiesOf(a))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id = cmp.Or(id, s.id)
	s.last, s.stumbles = time.Now(), 0
}

// silentSince tells whether nothing was answered since then.
func (s *session) silentSince(then time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.Before(then)
}

// stumbled counts what went wrong since the last answer.
func (s *session) stumbled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stumbles++
	return s.stumbles
}

// logout ends a session.
func (c *Client) logout(ctx context.Context, s *session) error {
	a, f := c.send(ctx, s.node, &request{method: http.MethodPost, path: "/logout"}, s)
	if f != nil {
		return fmt.Errorf("log out of the controller: %w", f.err)
	}
	if a.status > 399 {
		return fmt.Errorf("log out of the controller: %w", c.errorOf(a))
	}
	return nil
}
