package haproxy

import (
	"context"
	"errors"
	"fmt"

	"plimsoll/internal/haproxy"
	"plimsoll/internal/keymanager"
	"plimsoll/internal/provider"
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

// gather reads the secrets of a load balancer. Listeners and pools of which one is of no use fail, and are held in their last good form.
func (p *Provider) gather(ctx context.Context, lb *lbaas.LoadBalancer, plan *plan) error {
	plan.secrets = haproxy.Secrets{}
	read := map[haproxy.Need]error{}
	for _, need := range haproxy.Needs(lb) {
		object := need.ObjectID
		need.ObjectID = ""
		err, again := read[need]
		if !again {
			err = p.read(ctx, lb.ProjectID, need, plan.secrets)
			read[need] = err
		}
		switch {
		case err == nil:
		case keymanager.Told(err):
			plan.hold(object, err)
		default:
			return fmt.Errorf("read %s %s: %w", need.Use, need.Ref, err)
		}
	}
	plan.verify(haproxy.Needs(lb))
	return nil
}

// verify fails the listeners and pools whose revocation list is not of their authorities, as may be once one of them is renewed: HAProxy
// would take it and then let nobody in.
func (p *plan) verify(needs []haproxy.Need) {
	refs := map[string]string{} // of the authorities, by object
	for _, need := range needs {
		if need.Use == keymanager.Authorities {
			refs[need.ObjectID] = need.Ref
		}
	}
	for _, need := range needs {
		if _, failed := p.failures[need.ObjectID]; failed || need.Use != keymanager.Revocations || refs[need.ObjectID] == "" {
			continue
		}
		lists := p.secrets[haproxy.As(need.Use, need.Ref)]
		if err := keymanager.VerifyRevocations(lists, p.secrets[haproxy.As(keymanager.Authorities, refs[need.ObjectID])]); err != nil {
			p.hold(need.ObjectID, lbaas.Errorf(lbaas.Invalid, "Secret %s cannot be used as %s: %s.", keymanager.RefID(need.Ref), need.Use, err))
		}
	}
}

// read reads one secret.
func (p *Provider) read(ctx context.Context, projectID string, need haproxy.Need, into haproxy.Secrets) error {
	m, err := p.secrets.Material(ctx, projectID, need.Ref, need.Use)
	if err != nil {
		return err
	}
	into[haproxy.As(need.Use, need.Ref)] = m.PEM
	return nil
}

// hold fails a listener or pool for a reason, the first of them.
func (p *plan) hold(id string, err error) {
	if _, failed := p.failures[id]; failed {
		return
	}
	reason := err.Error()
	var e *lbaas.Error
	if errors.As(err, &e) {
		reason = e.Text
	}
	p.failures[id] = provider.Failure{Permanent: true, Reason: reason}
	p.held = append(p.held, id)
}
