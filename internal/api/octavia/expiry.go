package octavia

import (
	"context"
	"fmt"
	"strings"
	"time"

	"plimsoll/internal/keymanager"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// warning makes of the reader of a list one that gives the reasons in status_reason their warnings, where they were asked for.
func warning[T lbaas.Part](a *API, v view, rows func(context.Context, store.Query) ([]T, error)) func(context.Context, store.Query) ([]T, error) {
	if !v.with(extensionStatusReason) {
		return rows
	}
	return func(ctx context.Context, q store.Query) ([]T, error) {
		found, err := rows(ctx, q)
		if err != nil {
			return nil, err
		}
		return found, warn(ctx, a, v, found...)
	}
}

// warn says in the reasons of parts, where they have none and were asked for, what users should know though nothing is wrong.
func warn[T lbaas.Part](ctx context.Context, a *API, v view, parts ...T) error {
	if !v.with(extensionStatusReason) {
		return nil
	}
	if err := warnOfExpiry(ctx, a, parts...); err != nil {
		return err
	}
	return remark(ctx, a, parts...)
}

// warnOfExpiry says in the reasons of listeners and pools, where they have none, which of their certificates have expired or soon will.
func warnOfExpiry[T lbaas.Part](ctx context.Context, a *API, parts ...T) error {
	var refs []string
	for _, p := range parts {
		refs = append(refs, concerning(p)...)
	}
	if len(refs) == 0 {
		return nil
	}
	expiries, err := a.Store.Expiries(ctx, refs)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, p := range parts {
		if refs := concerning(p); len(refs) > 0 {
			p.Base().Progress.Reason = warningOf(refs, expiries, now)
		}
	}
	return nil
}

// concerning are the references whose expiry a part is to be warned of.
func concerning(p lbaas.Part) (refs []string) {
	if p.Base().Progress.Reason != "" {
		return nil
	}
	var all []reference
	switch p := p.(type) {
	case *lbaas.Listener:
		all = listenerRefs(p)
	case *lbaas.Pool:
		all = poolRefs(p)
	}
	for _, r := range all {
		for _, ref := range r.refs {
			if ref != "" {
				refs = append(refs, ref)
			}
		}
	}
	return refs
}

func warningOf(refs []string, expiries map[string]time.Time, now time.Time) string {
	var all []string
	for _, ref := range refs {
		at, ok := expiries[ref]
		verb := "expires"
		if !at.After(now) {
			verb = "expired"
		}
		if ok && at.Sub(now) < keymanager.SoonExpired {
			all = append(all, fmt.Sprintf("%s %s at %s: give the secret another payload.", ref, verb, at.Format(time.RFC3339)))
		}
	}
	return strings.Join(all, " ")
}
