package avitest

import (
	"net/http"
	"time"
)

// Kind is what a Fault does to a request.
type Kind int

// The faults. What is answered is what recorded controllers answer.
const (
	Unauthorized  Kind = iota + 1 // 401: the session is over
	SwitchSession                 // 419: the session is over, and there are new cookies
	Stale                         // 412, whatever the object's _last_modified
	ServerError                   // 500, nothing is done
	Unavailable                   // 503: the controller initialises, nothing is done
	Slow                          // it is done after Delay
	CutBefore                     // the connection is cut, nothing is done
	CutAfterWrite                 // it is done, and the connection is cut before an answer
	CutWithin                     // it is done, and the connection is cut in the middle of the answer
	Refuse                        // Status (400) with Text, nothing is done
)

// Fault is a failure on demand.
type Fault struct {
	// Match says which requests fail; nil is all below /api. The path has no query; the body is nil where it is no JSON object.
	Match func(method, path string, body map[string]any) bool
	Skip  int // so many requests that match go well before
	Times int // so many fail; 0 is one, below 0 all
	Kind  Kind

	Delay  time.Duration // of Slow
	Status int           // of Refuse and ServerError
	Text   string        // of Refuse
}

// Injection is a fault in place.
type Injection struct {
	server *Server
	fault  Fault
	seen   int
	hits   int
	gone   bool
}

// Inject puts a fault in place. Of several the first one that matches counts.
func (s *Server) Inject(f Fault) *Injection {
	if f.Times == 0 {
		f.Times = 1
	}
	in := &Injection{server: s, fault: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, in)
	return in
}

// Hits says how many requests failed of it.
func (in *Injection) Hits() int {
	in.server.mu.Lock()
	defer in.server.mu.Unlock()
	return in.hits
}

// Cancel takes the fault away.
func (in *Injection) Cancel() {
	in.server.mu.Lock()
	defer in.server.mu.Unlock()
	in.gone = true
}

// ClearFaults takes all faults away.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault returns what is to go wrong with a request, if anything is.
func (s *Server) fault(q *request) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range s.faults {
		if in.takes(q) {
			return in.fault, true
		}
	}
	return s.failEvery(q)
}

// FailEvery has each so many requests below /api fail from now on, in all ways in turn; 0 is none.
func (s *Server) FailEvery(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.every, s.asked = n, 0
}

// turns are the faults of FailEvery, one after the other.
var turns = []Kind{CutAfterWrite, ServerError, Unauthorized, CutBefore, SwitchSession, Unavailable, CutWithin, Stale}

// failEvery is the fault of a request whose turn it is. Only writes are stale.
func (s *Server) failEvery(q *request) (Fault, bool) {
	if s.every <= 0 || !q.api() {
		return Fault{}, false
	}
	s.asked++
	if s.asked%s.every != 0 {
		return Fault{}, false
	}
	kind := turns[s.asked/s.every%len(turns)]
	if kind == Stale && q.Method != http.MethodPut {
		kind = ServerError
	}
	return Fault{Kind: kind}, true
}

// takes counts a request that matches, and says whether it fails.
func (in *Injection) takes(q *request) bool {
	if in.gone || in.fault.Times > 0 && in.hits >= in.fault.Times {
		return false
	}
	if in.fault.Match == nil && !q.api() {
		return false
	}
	if in.fault.Match != nil && !in.fault.Match(q.Method, q.URL.Path, q.body) {
		return false
	}
	in.seen++
	if in.seen <= in.fault.Skip {
		return false
	}
	in.hits++
	return true
}

// fail answers a request that is to fail.
func (s *Server) fail(f Fault, q *request) reply {
	switch f.Kind {
	case Unauthorized:
		s.sessions.end(q.sessionID(s))
		return s.unauthenticated(q)
	case SwitchSession:
		return s.switchSession(q)
	case Stale:
		return errorReply(http.StatusPreconditionFailed, "Object was updated since it was read: fetch it again.")
	case ServerError:
		return errorReply(or(f.Status, http.StatusInternalServerError), "Bad pb: the emulator was asked to fail.")
	case Unavailable:
		return errorReply(http.StatusServiceUnavailable, "Controller is initializing.")
	case Refuse:
		return errorReply(or(f.Status, http.StatusBadRequest), f.Text)
	case Slow:
		sleep(q.Context(), f.Delay)
		return s.answer(q)
	case CutAfterWrite:
		re := s.answer(q)
		re.cut = lost
		return re
	case CutWithin:
		re := s.answer(q)
		re.cut = torn
		return re
	}
	return reply{cut: lost}
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
