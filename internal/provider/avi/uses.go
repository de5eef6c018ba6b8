package avi

import (
	"maps"
	"slices"
	"sync"
	"time"

	"plimsoll/lbaas"
)

// forsaken is after how long without a sign of a load balancer another process has it, and removes it perhaps.
const forsaken = 10 * time.Minute

// use is what a load balancer shares with others.
type use struct {
	vrf     string    // its VRF context, see vrfName; "" is none of its subnet's own
	subnets []string  // of its VIP and its members
	waits   time.Time // since when its removal waits for ports
	seen    time.Time // when this process had to do with it last
}

// uses are those of the load balancers that this process works on. The zero value has none.
type uses struct {
	mu  sync.Mutex
	all map[string]use
}

// set notes what a load balancer uses now. Subnets that it used before may still have ports: they are kept until it is gone.
func (u *uses) set(id string, now use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.all == nil {
		u.all = map[string]use{}
	}
	for _, s := range u.all[id].subnets {
		if !slices.Contains(now.subnets, s) {
			now.subnets = append(now.subnets, s)
		}
	}
	u.all[id] = now
	maps.DeleteFunc(u.all, func(_ string, is use) bool { return now.seen.Sub(is.seen) > forsaken })
}

// see notes that this process still has load balancers.
func (u *uses) see(lbs []*lbaas.LoadBalancer, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, lb := range lbs {
		if is, known := u.all[lb.ID]; known {
			is.seen = now
			u.all[lb.ID] = is
		}
	}
}

// get is what a load balancer uses.
func (u *uses) get(id string) use {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.all[id]
}

func (u *uses) drop(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.all, id)
}

// others tells whether another load balancer of this process is of such a use.
func (u *uses) others(id string, now time.Time, such func(use) bool) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for other, is := range u.all {
		if other != id && now.Sub(is.seen) <= forsaken && such(is) {
			return true
		}
	}
	return false
}
