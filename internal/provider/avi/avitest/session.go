package avitest

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// limits are the ends of a session that nobody asked for; 0 is none.
type limits struct {
	idle  time.Duration // without a request (controllerproperties.api_idle_timeout)
	force time.Duration // in any case (portal_configuration.api_force_timeout, which controllers before 18.2.3 have not)
}

// sessionLimits are what the controller's configuration says.
func (s *Server) sessionLimits() limits {
	properties, _ := s.model.get("controllerproperties", "global")
	idle, _ := properties["api_idle_timeout"].(int64)
	l := limits{idle: time.Duration(idle) * time.Minute}
	if !s.version.before(version{18, 2, 3}) {
		hours, _ := s.portal()["api_force_timeout"].(int64)
		l.force = time.Duration(hours) * time.Hour
	}
	return l
}

// portal is the configuration of who may log in and how.
func (s *Server) portal() map[string]any {
	config, _ := s.model.get("systemconfiguration", "default")
	portal, _ := config["portal_configuration"].(map[string]any)
	return portal
}

// The cookies, and how long they are good for as they say.
const (
	cookieCSRF    = "csrftoken"
	cookieAvi     = "avi-sessionid"
	cookieSession = "sessionid"
	csrfAge       = 31449600
	sessionAge    = 86400
)

type session struct {
	id, csrf   string
	made, used time.Time
	switching  bool // the next request is told to switch the session
}

// sessions are those who are logged in, and the tokens that stand for a password.
type sessions struct {
	now    func() time.Time
	limits func() limits

	mu     sync.Mutex
	byID   map[string]*session
	tokens map[string]time.Time // when they end
	logins int
}

func newSessions(now func() time.Time, limits func() limits) *sessions {
	return &sessions{now: now, limits: limits, byID: map[string]*session{}, tokens: map[string]time.Time{}}
}

func random() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // it never fails
	return strings.ToLower(base32.StdEncoding.EncodeToString(b))
}

// begin makes a session, and forgets those that have ended.
func (s *sessions) begin() *session {
	now, limits := s.now(), s.limits()
	one := &session{id: random(), csrf: random(), made: now, used: now}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.byID, func(_ string, old *session) bool { return old.over(now, limits) })
	s.byID[one.id] = one
	s.logins++
	return one
}

// use returns the session of an id if it still goes on, and marks it as used.
func (s *sessions) use(id string) *session {
	now, limits := s.now(), s.limits()
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.byID[id]
	if one == nil {
		return nil
	}
	if one.over(now, limits) {
		delete(s.byID, id)
		return nil
	}
	one.used = now
	return one
}

// over tells whether a session has ended by itself.
func (one *session) over(now time.Time, l limits) bool {
	return l.idle > 0 && now.Sub(one.used) >= l.idle || l.force > 0 && now.Sub(one.made) >= l.force
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, id)
}

func (s *sessions) endAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.byID)
}

// askSwitch has the session's next request be told to switch.
func (s *sessions) askSwitch(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one.switching = true
}

func (s *sessions) mustSwitch(one *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return one.switching
}

func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logins
}

func (s *sessions) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins = 0
}

// newToken makes a token that is good for some hours.
func (s *sessions) newToken(hours float64) (string, time.Time) {
	token, until := random(), s.now().Add(time.Duration(hours*float64(time.Hour)))
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.tokens, func(_ string, end time.Time) bool { return !s.now().Before(end) })
	s.tokens[token] = until
	return token, until
}

func (s *sessions) goodToken(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.tokens[token]
	return ok && s.now().Before(until)
}

// EndSessions ends all sessions: the next request of each is answered 401.
func (s *Server) EndSessions() { s.sessions.endAll() }

// old tells whether the controller behaves as recorded ones before 20.1 did.
func (s *Server) old() bool { return s.version.before(version{20, 1, 0}) }

// sessionCookies are the cookies that carry the session's id: recorded 18.2.4 set one, others two.
func (s *Server) sessionCookies() []string {
	if !s.version.before(version{18, 2, 4}) && s.version.before(version{18, 2, 10}) {
		return []string{cookieAvi}
	}
	return []string{cookieAvi, cookieSession}
}

func (s *Server) setSessionCookies(h http.Header, id string) {
	for _, name := range s.sessionCookies() {
		c := &http.Cookie{Name: name, Value: id, Path: "/", MaxAge: sessionAge, HttpOnly: true, Secure: true}
		h.Add("Set-Cookie", c.String())
	}
}

func setCSRFCookie(h http.Header, token string) {
	c := &http.Cookie{Name: cookieCSRF, Value: token, Path: "/", MaxAge: csrfAge, Secure: true}
	h.Add("Set-Cookie", c.String())
}

// sessionID is the session's id that a request carries.
func (q *request) sessionID(s *Server) string {
	for _, name := range s.sessionCookies() {
		if c, err := q.Cookie(name); err == nil {
			return c.Value
		}
	}
	return ""
}

// admit lets a request in, or answers why not.
func (s *Server) admit(q *request) *reply {
	if user, password, ok := q.BasicAuth(); ok {
		return s.admitBasic(q, user, password)
	}
	q.session = s.sessions.use(q.sessionID(s))
	if q.session == nil {
		re := s.unauthenticated(q)
		return &re
	}
	if s.old() && (s.sessions.mustSwitch(q.session) || s.mixed(q)) {
		re := s.switchSession(q)
		return &re
	}
	return s.checkCSRF(q)
}

// admitBasic lets in who sends user and password with each request, where the controller's configuration allows that. There is no CSRF then.
func (s *Server) admitBasic(q *request, user, password string) *reply {
	if s.basicAllowed() && s.known(user, password) {
		q.basic = true
		return nil
	}
	re := s.unauthenticated(q)
	return &re
}

func (s *Server) basicAllowed() bool {
	allowed, _ := s.portal()["allow_basic_authentication"].(bool)
	return allowed
}

func (s *Server) known(user, password string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	right := subtle.ConstantTimeCompare([]byte(password), []byte(s.password)) == 1
	return user == s.User && right
}

// mixed tells whether cookies of other sessions came along.
func (s *Server) mixed(q *request) bool {
	for _, c := range q.Cookies() {
		switch c.Name {
		case cookieAvi, cookieSession:
			if c.Value != q.session.id && s.sessions.use(c.Value) != nil {
				return true
			}
		case cookieCSRF:
			if c.Value != q.session.csrf && s.sessions.hasCSRF(c.Value) {
				return true
			}
		}
	}
	return false
}

func (s *sessions) hasCSRF(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.byID {
		if one.csrf == token {
			return true
		}
	}
	return false
}

// checkCSRF looks at what a write has to carry besides the session: its token, in a header and in a cookie, and where it comes from.
func (s *Server) checkCSRF(q *request) *reply {
	if !q.writes() {
		return nil
	}
	c, err := q.Cookie(cookieCSRF)
	if err != nil || c.Value != q.session.csrf || q.Header.Get(headerCSRF) != q.session.csrf {
		return s.bare(q, "CSRF token missing or incorrect.")
	}
	if referer := q.Referer(); referer != q.base() && !strings.HasPrefix(referer, q.base()+"/") {
		return s.bare(q, "Referer checking failed - no Referer.")
	}
	return nil
}

// bare is a 401 whose body is text although it says that it is JSON, as recorded.
func (s *Server) bare(q *request, text string) *reply {
	re := newReply(answer{Status: http.StatusUnauthorized, Body: []byte(text)})
	re.Header.Set("Content-Type", "application/json")
	if !s.old() {
		s.setSessionCookies(re.Header, q.session.id)
	}
	return &re
}

// unauthenticated is the answer to a request without a session that goes on.
func (s *Server) unauthenticated(*request) reply {
	return newReply(detail(http.StatusUnauthorized, "Authentication credentials were not provided."))
}

// switchSession ends a session and hands out cookies of another, which nobody has logged in to.
func (s *Server) switchSession(q *request) reply {
	s.sessions.end(q.sessionID(s))
	re := errorReply(statusSwitch, "Need to switch session")
	re.reason = "FORBIDDEN"
	s.setSessionCookies(re.Header, random())
	setCSRFCookie(re.Header, random())
	return re
}

// statusSwitch has no name in net/http.
const statusSwitch = 419

// renew sets the session's cookies again, as recorded: before 20.1 not when a tenant is made or deleted.
func (s *Server) renew(q *request, re *reply) {
	tenant := q.call().Kind == "tenant"
	switch {
	case q.basic:
		s.setSessionCookies(re.Header, "None")
	case s.old() && tenant && (q.Method == http.MethodPost || q.Method == http.MethodDelete):
	case q.session != nil:
		s.setSessionCookies(re.Header, q.session.id)
	}
}
