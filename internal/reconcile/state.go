package reconcile

import "time"

// State is what a loop has before it.
type State struct {
	Ready, Working, Pausing int // load balancers that wait for a worker, have one, or wait for another try
	Leases                  int // that are held
}

// State tells what the loop has before it.
func (l *Loop) State() State {
	s := l.queue.state()
	s.Leases = len(l.leases.all())
	return s
}

func (q *queue) state() State {
	q.mu.Lock()
	defer q.mu.Unlock()
	return State{Ready: len(q.ready), Working: len(q.working), Pausing: len(q.later)}
}

// Step is what the loop did to a load balancer.
type Step struct {
	Provider string
	Method   string // the provider's own word, "remove", or "" where it failed before there was one
	Result   string // "done", "incomplete" where objects failed, or "failed"
	Took     time.Duration
}

// tell tells of a step to whoever wants to know.
func (l *Loop) tell(t *task, method, result string, began time.Time) {
	if l.cfg.Stepped != nil {
		l.cfg.Stepped(Step{t.lb.Provider, method, result, time.Since(began)})
	}
}
