package store

import "sync"

// hints tells those who listen which load balancers (or bindings) changed. They only make things faster: whoever
// listens also looks at the rows from time to time, since a hint may be lost.
type hints struct {
	mu        sync.Mutex
	listeners map[int]func(Hint)
	next      int
}

// Hint names what changed.
type Hint struct {
	LoadBalancerID string
	PortID         string // the binding of a port
	Network        bool   // something of the network service of which a host's plan is made
}

func newHints() *hints { return &hints{listeners: map[int]func(Hint){}} }

// OnHint calls fn, which must not block, for each change that this process commits from now on. The function that it returns
// ends that.
func (s *Store) OnHint(fn func(Hint)) (stop func()) {
	h := s.hints
	h.mu.Lock()
	defer h.mu.Unlock()
	id := h.next
	h.next++
	h.listeners[id] = fn
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.listeners, id)
	}
}

func (s *Store) hint(hint Hint) {
	s.hints.mu.Lock()
	defer s.hints.mu.Unlock()
	for _, fn := range s.hints.listeners {
		fn(hint)
	}
}
