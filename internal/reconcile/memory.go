package reconcile

import (
	"sync"
	"time"

	"plimsoll/lbaas"
)

// memory is what the loop remembers of its load balancers between steps. All of it may be lost: it saves questions, and
// decides nothing that the store decides.
type memory struct {
	mu    sync.Mutex
	known map[string]*known
}

// known is what is remembered of one load balancer.
type known struct {
	tree    *lbaas.LoadBalancer // as it was last applied; nil if that is not known
	lease   string              // under which it was worked on
	settled int64               // the generation of which the failures are permanent
	force   bool                // apply though nothing is pending
	reason  string              // of the last failure, so that one that lasts is logged once
	failing time.Time           // since when every try fails; zero when the last one did not
	drifts  int                 // repairs in a row
	drifted time.Time           // when the last of them began
}

// calm is how long a data plane has to keep its form until its drifts are forgotten.
const calm = time.Minute

func newMemory() *memory { return &memory{known: map[string]*known{}} }

// update lets change see and set what is known of a load balancer.
func (m *memory) update(id string, change func(*known)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.known[id]
	if k == nil {
		k = &known{}
		m.known[id] = k
	}
	change(k)
}

// forget drops a load balancer that is gone.
func (m *memory) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, id)
}

// rest drops a load balancer that nobody looks at until it changes, unless it fails.
func (m *memory) rest(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.known[id]; k != nil && k.settled == 0 && k.failing.IsZero() {
		delete(m.known, id)
	}
}

// forgetLease drops the load balancers of a lease that another may have now.
func (m *memory) forgetLease(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, k := range m.known {
		if k.lease == name {
			delete(m.known, id)
		}
	}
}

// tree returns a load balancer as it was last applied, or nil.
func (m *memory) tree(id string) *lbaas.LoadBalancer {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.known[id]; k != nil {
		return k.tree
	}
	return nil
}

// applied returns the ids of a provider's load balancers that have been applied.
func (m *memory) applied(provider string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []string
	for id, k := range m.known {
		if k.tree != nil && k.tree.Provider == provider {
			ids = append(ids, id)
		}
	}
	return ids
}

// remember keeps a tree that was applied, unless the lease was lost since: forgetLease comes after that, and once.
func (m *memory) remember(lb *lbaas.LoadBalancer, h *held) {
	m.update(lb.ID, func(k *known) {
		if h.ctx.Err() == nil {
			k.tree, k.lease = lb, h.Name
		}
	})
}

// learn is remember of a tree that was applied before this process had the lease, unless something newer is known.
func (m *memory) learn(lb *lbaas.LoadBalancer, h *held) {
	m.update(lb.ID, func(k *known) {
		if k.tree == nil && lb.Progress.Observed > 0 && h.ctx.Err() == nil {
			k.tree, k.lease = lb, h.Name
		}
	})
}

// due tells whether a load balancer of a lease needs work, and takes back that it was asked for. Of one that needs none nothing
// new is remembered.
func (m *memory) due(lb *lbaas.LoadBalancer, lease string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := lb.Progress
	pending := p.Deleted || p.Failed || p.Observed != p.Generation
	k := m.known[lb.ID]
	if k == nil {
		if pending {
			m.known[lb.ID] = &known{lease: lease}
		}
		return pending
	}
	due := k.force || pending && k.settled != p.Generation
	k.force, k.lease = false, lease
	return due
}

// drift notes that a data plane has to be repaired, and returns how long to wait: a first repair does not wait,
// repairs in a row wait longer each time.
func (m *memory) drift(id string, b backoff) (wait time.Duration) {
	m.update(id, func(k *known) {
		k.force = true
		if time.Since(k.drifted) > calm {
			k.drifts = 0
		}
		if k.drifts > 0 {
			wait = b.pause(k.drifts)
		}
	})
	return wait
}

// drifting counts a repair that was begun.
func (m *memory) drifting(id string) {
	m.update(id, func(k *known) {
		k.drifts++
		k.drifted = time.Now()
	})
}

// unsettle forgets which failures are permanent, and returns whose they were.
func (m *memory) unsettle() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []string
	for id, k := range m.known {
		if k.settled != 0 {
			ids = append(ids, id)
			k.settled = 0
		}
	}
	return ids
}
