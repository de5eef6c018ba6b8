// Package noop is the provider that makes nothing. It accepts every option and keeps what it was given, a file for each load
// balancer, so that people and tests can look at it. It is there for rehearsals and for tests of the control plane at scale.
package noop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"sync"

	"plimsoll/internal/provider"
	"plimsoll/lbaas"
)

// Files is where the provider keeps what it was given; statedir.Folder is one. A file that is not there is fs.ErrNotExist
// to Read and nothing to Remove. Write replaces at once or not at all.
type Files interface {
	Read(name string) ([]byte, error)
	Write(name string, content []byte) error
	Remove(name string) error
}

// Folder is the name of the folder of the state directory that holds the files.
const Folder = "noop"

// Provider makes nothing. It implements provider.Provider and provider.Steady.
type Provider struct {
	files Files
	seed  maphash.Seed
	locks [64]sync.Mutex // of load balancers, by a hash of their ids: who writes a file has read it before
}

// New returns a provider that keeps what it is given in files.
func New(files Files) *Provider { return &Provider{files: files, seed: maphash.MakeSeed()} }

// stamp orders what was given.
type stamp struct {
	Epoch      int64 `json:"epoch"`
	Generation int64 `json:"generation"`
}

// document is a file. The tree is as providers are given it, in the words of the domain; it holds references to secrets, and
// no secret.
type document struct {
	stamp
	LoadBalancer *lbaas.LoadBalancer `json:"load_balancer"`
}

// Apply keeps the tree. One that is older than what is there is refused.
func (p *Provider) Apply(_ context.Context, lb *lbaas.LoadBalancer) (provider.Result, error) {
	defer p.lock(lb.ID)()
	now := stampOf(lb)
	if err := p.refuse(lb.ID, now); err != nil {
		return provider.Result{}, err
	}
	content, err := json.MarshalIndent(document{now, lb}, "", "  ")
	if err != nil {
		return provider.Result{}, fmt.Errorf("write down load balancer %s: %w", lb.ID, err)
	}
	return provider.Result{Method: "kept"}, p.files.Write(file(lb.ID), append(content, '\n'))
}

// Remove forgets the tree.
func (p *Provider) Remove(_ context.Context, lb *lbaas.LoadBalancer) error {
	defer p.lock(lb.ID)()
	if err := p.refuse(lb.ID, stampOf(lb)); err != nil {
		return err
	}
	return p.files.Remove(file(lb.ID))
}

// Observe reports that all is well with each load balancer whose tree was kept.
func (p *Provider) Observe(_ context.Context, lbs []*lbaas.LoadBalancer) (map[string]provider.Observation, error) {
	seen := map[string]provider.Observation{}
	for _, lb := range lbs {
		is, err := p.kept(lb.ID)
		if err != nil {
			return nil, err
		}
		if is == (stamp{}) {
			continue
		}
		seen[lb.ID] = provider.Observation{
			Operating: lb.RollUp(well(lb)), Statistics: nothing(lb), Generation: is.Generation, Epoch: is.Epoch,
		}
	}
	return seen, nil
}

// Steady tells that nothing changes by itself where nothing is.
func (p *Provider) Steady() bool { return true }

// refuse gives an error where something newer is kept.
func (p *Provider) refuse(id string, now stamp) error {
	is, err := p.kept(id)
	if err != nil {
		return err
	}
	if is.Epoch > now.Epoch || is.Epoch == now.Epoch && is.Generation > now.Generation {
		return fmt.Errorf("load balancer %s of epoch %d, generation %d is older than what is kept: epoch %d, generation %d",
			id, now.Epoch, now.Generation, is.Epoch, is.Generation)
	}
	return nil
}

// kept is the stamp of what is kept of a load balancer. It is zero where nothing is, or where somebody broke the file: the next
// Apply makes it anew.
func (p *Provider) kept(id string) (stamp, error) {
	content, err := p.files.Read(file(id))
	if errors.Is(err, fs.ErrNotExist) {
		return stamp{}, nil
	}
	if err != nil {
		return stamp{}, err
	}
	var is stamp
	if json.Unmarshal(content, &is) == nil {
		return is, nil
	}
	return stamp{}, nil
}

func (p *Provider) lock(id string) (unlock func()) {
	k := &p.locks[maphash.String(p.seed, id)%uint64(len(p.locks))]
	k.Lock()
	return k.Unlock
}

func stampOf(lb *lbaas.LoadBalancer) stamp { return stamp{lb.Epoch, lb.Progress.Generation} }

func file(id string) string { return id + ".json" }

// well is the report of a data plane in which everything that is switched on works.
func well(lb *lbaas.LoadBalancer) lbaas.Reported {
	r := lbaas.Reported{Listeners: map[string]lbaas.OperatingStatus{}, Members: map[string]lbaas.OperatingStatus{}}
	for _, l := range lb.Listeners {
		if lb.AdminStateUp && l.AdminStateUp {
			r.Listeners[l.ID] = lbaas.Online
		}
	}
	for _, p := range lb.Pools {
		status := lbaas.NoMonitor
		if p.HealthMonitor != nil && p.HealthMonitor.AdminStateUp {
			status = lbaas.Online
		}
		for _, m := range p.Members {
			if m.AdminStateUp {
				r.Members[m.ID] = status
			}
		}
	}
	return r
}

// nothing are the counters of listeners that nobody uses.
func nothing(lb *lbaas.LoadBalancer) map[string]lbaas.Statistics {
	all := map[string]lbaas.Statistics{}
	for _, l := range lb.Listeners {
		all[l.ID] = lbaas.Statistics{}
	}
	return all
}
