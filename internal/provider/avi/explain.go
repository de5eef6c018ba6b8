package avi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/lbaas"
)

// A toldError has words for users, and the cause for the log.
type toldError struct {
	err  error
	told *lbaas.Error
}

func (e *toldError) Error() string { return fmt.Sprintf("%s (%s)", e.told.Text, e.err) }

func (e *toldError) Unwrap() []error { return []error{e.told, e.err} }

// explain says what keeps the controller from being used, and what an operator can do about it. Of any other error only the log tells.
func (p *Provider) explain(ctx context.Context, lb *lbaas.LoadBalancer, err error) error {
	if ctx.Err() != nil && !controller.Unreachable(err) {
		return fmt.Errorf("ask the Avi Controller of provider %s: %w", p.cfg.Name, err)
	}
	who := fmt.Sprintf("The Avi Controller %s of provider %s", strings.Join(p.cfg.Controller.Addresses, ", "), p.cfg.Name)
	var text string
	switch {
	case controller.NoTenant(err):
		tenant := p.tenant(lb)
		text = fmt.Sprintf("%s has no tenant %s for project %s. An operator can import it from Keystone, make it, or set create_tenants for this provider.",
			who, tenant.UUID+tenant.Name, lb.ProjectID)
	case controller.Denied(err):
		text = fmt.Sprintf("%s does not let user %s in. An operator can mend user, password or token of this provider.", who, p.cfg.Controller.User)
	case untrusted(err):
		text = who + " has a certificate that is not trusted. An operator can name who signed it in ca_file of this provider; `plimsoll doctor` tells more. It is tried again."
	case controller.Unreachable(err):
		text = who + " does not answer. An operator can see to it that it runs and is reached; `plimsoll doctor` tells more. It is tried again."
	case p.outdated(ctx) != "":
		text = fmt.Sprintf("%s has version %s, and does not know api_version %s. An operator can set api_version of this provider to that of the controller, or an older one.",
			who, p.outdated(ctx), p.cfg.Controller.Version)
	case controller.Refused(err):
		var e *controller.Error
		errors.As(err, &e)
		text = fmt.Sprintf("%s refuses what the load balancer needs: %s An operator can see to the rights of user %s and to the tenant's settings.",
			who, sentence(e.Text), p.cfg.Controller.User)
	default:
		return fmt.Errorf("ask the Avi Controller of provider %s: %w", p.cfg.Name, err)
	}
	return &toldError{err, lbaas.Errorf(lbaas.Unavailable, "%s", text)}
}

// outdated is the version of a controller that does not know the data model which is asked for; "" where that is not so, or not known.
func (p *Provider) outdated(ctx context.Context) string {
	s, err := p.ctl.Session(ctx)
	if err != nil || !newer(p.cfg.Controller.Version, s.Version) {
		return ""
	}
	return s.Version
}

// untrusted tells whether the controller's certificate could not be verified.
func untrusted(err error) bool {
	_, is := errors.AsType[*tls.CertificateVerificationError](err)
	return is
}

// sentence is a text of the controller's that ends as sentences do.
func sentence(text string) string { return strings.TrimSuffix(strings.TrimSpace(text), ".") + "." }
