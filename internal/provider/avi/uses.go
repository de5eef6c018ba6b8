package avi

import (
	"slices"
	"sync"
)

// use is what a load balancer shares with others.
type use struct {
	vrf     string   // its VRF context, see vrfName; "" is none of its subnet's own
	subnets []string // of its VIP and its members
}

// uses are those of the load balancers that this process worked on. The zero value has none.
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

// others tells whether another load balancer is of such a use.
func (u *uses) others(id string, such func(use) bool) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for other, is := range u.all {
		if other != id && such(is) {
			return true
		}
	}
	return false
}
