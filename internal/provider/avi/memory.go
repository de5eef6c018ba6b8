package avi

import (
	"maps"
	"slices"
	"sync"
	"time"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
)

// remembered bounds of how many load balancers the objects are kept, so that a change of one of them needs no reading.
const remembered = 1000

// key names an object of the controller.
type key struct {
	kind, uuid string
}

// objects are what the controller has of a load balancer, as it last answered.
type objects map[key]controller.Object

// memory is what a load balancer was made of when the last Apply ended.
type memory struct {
	// stamp is that of the last Apply or Remove that began. Older ones are refused.
	stamp stamp
	// whole tells that the last Apply ended well and that nothing was found amiss since; what follows is known only then.
	whole  bool
	done   stamp // of that Apply
	tenant controller.Tenant
	// objects are as the controller answered them. They are not changed: every Apply has a map of its own.
	objects objects
	// wanted are the objects that were made as they say: without secrets, and without those that failed or are held.
	wanted []translate.Object
	// refused tells that the controller refused some of what was wanted.
	refused bool
	// none tells that nothing of the load balancer was left on the controller.
	none  bool
	ended time.Time // when that Apply ended

	doubted bool // Observe found something amiss, and no Apply began since
	audited bool // an audit since that Apply found what it left, and nothing else of the load balancer

	used int64 // counts up with every use, to find out who was not used for longest
}

// memories are those of all load balancers. The zero value has none.
type memories struct {
	mu   sync.Mutex
	all  map[string]*memory
	uses int64
	gone time.Time // when the last of the Applies ended that were forgotten since there are too many
}

// get is what is remembered of a load balancer; the zero memory is nothing.
func (m *memories) get(id string) memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.all[id]
	if k == nil {
		return memory{}
	}
	m.uses++
	k.used = m.uses
	return *k
}

// begin notes who works on a load balancer, and that it is not known what becomes of it.
func (m *memories) begin(id string, s stamp) { m.put(id, memory{stamp: s}) }

// put remembers a load balancer, and forgets another for it where there are too many.
func (m *memories) put(id string, k memory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(id, k)
}

// keep is put, for who has the mutex.
func (m *memories) keep(id string, k memory) {
	if m.all == nil {
		m.all = map[string]*memory{}
	}
	m.uses++
	k.used = m.uses
	m.all[id] = &k
	if len(m.all) > remembered {
		id := m.oldest()
		if ended := m.all[id].ended; ended.After(m.gone) {
			m.gone = ended
		}
		delete(m.all, id)
	}
}

// lost is when the last Apply ended of those that were forgotten.
func (m *memories) lost() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gone
}

// doubt has the next Apply read what the controller has: something is not as what was remembered says, unless an Apply was at work since.
func (m *memories) doubt(id string, was memory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var is memory
	if k := m.all[id]; k != nil {
		is = *k
	}
	if is.stamp == was.stamp && is.ended.Equal(was.ended) {
		m.keep(id, memory{stamp: is.stamp, doubted: true})
	}
}

// confirm notes that an audit found what was remembered, and nothing else of the load balancer.
func (m *memories) confirm(id string, was memory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.all[id]; k != nil && k.stamp == was.stamp && k.ended.Equal(was.ended) {
		k.audited = true
	}
}

// oldest is the load balancer that was not used for longest. That all are looked at costs less than the requests of one Apply.
func (m *memories) oldest() string {
	return slices.MinFunc(slices.Collect(maps.Keys(m.all)), func(a, b string) int {
		return int(m.all[a].used - m.all[b].used)
	})
}
