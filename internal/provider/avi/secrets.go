package avi

import (
	"context"
	"errors"
	"fmt"

	"plimsoll/internal/keymanager"
	"plimsoll/internal/provider"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// Secrets reads what listeners and pools refer to. An error that is keymanager.Told is for the user to do something about; with any
// other nothing is known.
type Secrets interface {
	Material(ctx context.Context, projectID, ref string, use keymanager.Use) (*keymanager.Material, error)
}

// noSecrets has none.
type noSecrets struct{}

func (noSecrets) Material(_ context.Context, _, ref string, _ keymanager.Use) (*keymanager.Material, error) {
	return nil, lbaas.Errorf(lbaas.NotFound, "%s cannot be read: there is no key manager.", ref)
}

// need is a secret that a listener or pool refers to.
type need struct {
	object string // the id of the listener or pool
	keymanager.Reference
}

// needs are the secrets of a load balancer.
func needs(lb *lbaas.LoadBalancer) []need {
	var list []need
	add := func(id, ref string, use keymanager.Use) {
		if ref != "" {
			list = append(list, need{id, keymanager.Reference{Ref: ref, Use: use}})
		}
	}
	for _, l := range lb.Listeners {
		if !l.UsesTLS() {
			continue
		}
		add(l.ID, l.DefaultTLSContainerRef, keymanager.Certificate)
		for _, ref := range l.SNIContainerRefs {
			add(l.ID, ref, keymanager.Certificate)
		}
	}
	for _, p := range lb.Pools {
		if p.TLSEnabled && len(lb.ListenersOf(p.ID)) > 0 {
			add(p.ID, p.TLSContainerRef, keymanager.Certificate)
			add(p.ID, p.CATLSContainerRef, keymanager.Authorities)
		}
	}
	return list
}

// gather reads the secrets of a load balancer. Listeners and pools of which one is of no use fail; what they need of it stays as it is.
func (j *job) gather(ctx context.Context) (translate.Certificates, error) {
	read, failed := translate.Certificates{}, map[keymanager.Reference]error{}
	for _, n := range needs(j.lb) {
		err, again := failed[n.Reference]
		if !again {
			read[n.Reference], err = j.p.secrets.Material(ctx, j.lb.ProjectID, n.Ref, n.Use)
			failed[n.Reference] = err
		}
		switch {
		case err == nil:
		case keymanager.Told(err):
			delete(read, n.Reference)
			j.unreadable(n.object, err)
		default:
			return nil, fmt.Errorf("read %s %s: %w", n.Use, n.Ref, err)
		}
	}
	return read, nil
}

// unreadable fails a listener or pool for a reason, the first of them.
func (j *job) unreadable(id string, err error) {
	reason := err.Error()
	var e *lbaas.Error
	if errors.As(err, &e) {
		reason = e.Text
	}
	if _, told := j.failures[id]; !told {
		j.failures[id] = provider.Failure{Permanent: true, Reason: reason}
	}
}
