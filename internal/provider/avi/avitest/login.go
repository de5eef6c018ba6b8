package avitest

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// credentials are what a log-in carries: a token stands for the password.
type credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Token    string `json:"token"`
}

// readCredentials reads a form, or JSON.
func readCredentials(q *request) (credentials, bool) {
	var c credentials
	kind, _, _ := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if kind == "application/json" {
		return c, json.Unmarshal(q.raw, &c) == nil
	}
	form, err := url.ParseQuery(string(q.raw))
	if err != nil {
		return c, false
	}
	return credentials{Username: form.Get("username"), Password: form.Get("password"), Token: form.Get("token")}, true
}

// login answers POST /login.
func (s *Server) login(q *request) reply {
	if q.Method != http.MethodPost {
		return newReply(detail(http.StatusMethodNotAllowed, "Method '"+q.Method+"' not allowed."))
	}
	c, ok := readCredentials(q)
	if !ok {
		return errorReply(http.StatusBadRequest, "Malformed login request")
	}
	good := s.known(c.Username, c.Password)
	if c.Token != "" {
		good = c.Username == s.User && s.sessions.goodToken(c.Token)
	}
	if !good {
		return errorReply(http.StatusUnauthorized, "Invalid credentials")
	}
	one := s.sessions.begin()
	re := newReply(jsonAnswer(http.StatusOK, s.greeting(q)))
	setCSRFCookie(re.Header, one.csrf)
	s.setSessionCookies(re.Header, one.id)
	return re
}

// logout answers POST /logout.
func (s *Server) logout(q *request) reply {
	if q.Method != http.MethodPost {
		return newReply(detail(http.StatusMethodNotAllowed, "Method '"+q.Method+"' not allowed."))
	}
	if refused := s.admit(q); refused != nil {
		return *refused
	}
	if q.session != nil {
		s.sessions.end(q.session.id)
	}
	return newReply(answer{Status: http.StatusOK})
}

// greeting is the body of a log-in: the seven keys that were recorded.
func (s *Server) greeting(q *request) map[string]any {
	config, _ := s.model.get("systemconfiguration", "default")
	config["url"] = q.base() + "/api/systemconfiguration"
	return map[string]any{
		"user_initialized": true, "version": s.product(), "user": s.account(q), "tenants": s.tenants(q),
		"system_config": config, "controller": map[string]any{"api_idle_timeout": int(s.sessionLimits().idle / time.Minute)},
		"session_cookie_name": cookieAvi,
	}
}

func (s *Server) account(q *request) map[string]any {
	user := map[string]any{
		"username": s.User, "name": s.User, "full_name": "System Administrator", "is_superuser": true, "local": true,
		"email": "", "default_tenant_ref": q.base() + "/api/tenant/admin",
	}
	if !s.old() {
		user["uuid"] = "user-1"
	}
	return user
}

func (s *Server) tenants(q *request) []map[string]any {
	var list []map[string]any
	for _, t := range s.model.list(scope{all: true}, "tenant") {
		uuid, _ := t["uuid"].(string)
		list = append(list, map[string]any{"url": q.base() + "/api/tenant/" + uuid, "uuid": uuid, "name": t["name"], "local": t["local"]})
	}
	return list
}

// product is what the controller says it is.
func (s *Server) product() map[string]any {
	return map[string]any{
		"Version": s.opts.Version, "build": 9999, "Tag": s.opts.Version + "-9999-20191101.000000", "Product": "controller",
		"ProductName": "Avi Cloud Controller", "min_version": 15.2, "Date": "2019-11-01T00:00:00+00:00",
	}
}

// userToken answers POST /api/user-token, which makes what stands for the password.
func (s *Server) userToken(q *request) reply {
	hours, _ := q.body["hours"].(float64)
	if q.Method != http.MethodPost || hours <= 0 {
		return errorReply(http.StatusBadRequest, "hours must be a positive number")
	}
	token, until := s.sessions.newToken(hours)
	return newReply(jsonAnswer(http.StatusOK, map[string]any{
		"token": token, "username": s.User, "expires_at": until.UTC().Format(time.RFC3339),
	}))
}

// probe answers what anybody may ask: whether the controller is there, and how it is.
func (s *Server) probe(path string) (reply, bool) {
	since := s.began.UTC().Format("2006-01-02 15:04:05")
	state := map[string]any{"state": "CLUSTER_UP_NO_HA", "up_since": since, "progress": 100}
	var body map[string]any
	switch strings.TrimSuffix(path, "/") {
	case "/api/initial-data":
		body = map[string]any{"version": s.product(), "user_initialized": true}
	case "/api/cluster/status":
		body = map[string]any{"cluster_state": state}
	case "/api/cluster/runtime":
		node := map[string]any{"name": "node1", "role": "CLUSTER_LEADER", "state": "CLUSTER_ACTIVE", "mgmt_ip": "127.0.0.1", "up_since": since}
		body = map[string]any{"cluster_state": state, "node_states": []any{node}}
	default:
		return reply{}, false
	}
	return newReply(jsonAnswer(http.StatusOK, body)), true
}

// userAccount answers /api/useraccount: who is logged in, and PUT, which changes the password. Recorded: that answers 200 with no body.
func (s *Server) userAccount(q *request) reply {
	switch q.Method {
	case http.MethodGet:
		return newReply(jsonAnswer(http.StatusOK, s.account(q)))
	case http.MethodPut:
		return s.changePassword(text(q.body, "old_password"), text(q.body, "password"))
	}
	return newReply(detail(http.StatusMethodNotAllowed, "Method '"+q.Method+"' not allowed."))
}

func (s *Server) changePassword(old, changed string) reply {
	if !s.known(s.User, old) || changed == "" {
		return errorReply(http.StatusBadRequest, "Invalid password")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.password = changed
	return newReply(answer{Status: http.StatusOK})
}
