package avitest

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// answer answers a request that nothing is in the way of.
func (s *Server) answer(q *request) reply {
	switch strings.TrimSuffix(q.URL.Path, "/") {
	case "/login":
		return s.login(q)
	case "/logout":
		return s.logout(q)
	}
	if re, ok := s.probe(q.URL.Path); ok {
		return re
	}
	if !q.api() {
		return newReply(answer{Status: http.StatusNotFound})
	}
	if refused := s.admit(q); refused != nil {
		return *refused
	}
	re := s.api(q)
	s.renew(q, &re)
	return re
}

// api answers a request of somebody who may make it.
func (s *Server) api(q *request) reply {
	if refused := s.unreadable(q); refused != nil {
		return *refused
	}
	c := q.call()
	switch c.Kind {
	case "user-token":
		return s.userToken(q)
	case "useraccount":
		return s.userAccount(q)
	}
	if _, refused := s.model.scope(c); refused != nil {
		return newReply(*refused)
	}
	if kind, ok := strings.CutSuffix(c.Kind, "-inventory"); ok {
		return newReply(s.inventory(c, kind))
	}
	switch {
	case c.Kind == "analytics":
		return newReply(s.analytics(c))
	case c.Action == "runtime" || strings.HasPrefix(c.Action, "runtime/"):
		return newReply(s.runtimeOf(c))
	}
	return s.objects(q, c)
}

// unreadable refuses what cannot be read as it was meant: a query of which parts would be lost, so that a filter selects everything, and
// a body that is no JSON.
func (s *Server) unreadable(q *request) *reply {
	if _, err := url.ParseQuery(q.URL.RawQuery); err != nil {
		re := errorReply(http.StatusBadRequest, "Malformed query")
		return &re
	}
	kind, _, _ := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if len(q.raw) == 0 || kind == "application/json" || s.opts.Lenient {
		return nil
	}
	re := newReply(detail(http.StatusUnsupportedMediaType, fmt.Sprintf("Unsupported media type %q in request.", kind)))
	return &re
}

// objects answers a request about objects.
func (s *Server) objects(q *request, c call) reply {
	re := newReply(s.model.do(c))
	if !q.writes() || re.Status >= http.StatusBadRequest {
		return re
	}
	if c.Kind == "tenant" && c.Method == http.MethodPost && q.session != nil {
		s.sessions.askSwitch(q.session) // recorded before 20.1 only; who is asked looks at that
	}
	s.settlePorts(q.Context(), c)
	return re
}
