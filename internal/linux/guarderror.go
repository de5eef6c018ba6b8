package linux

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// GuardErrors says of ports, by their ids, why they are not guarded as SetGuards wanted it. All others are.
type GuardErrors map[string]error

// Error tells each reason once.
func (e GuardErrors) Error() string {
	texts := map[string]bool{}
	for _, err := range e {
		texts[err.Error()] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(texts)), "\n")
}

// Unwrap gives the reasons.
func (e GuardErrors) Unwrap() []error { return slices.Collect(maps.Values(e)) }

// orNil is e as an error, where there is one.
func (e GuardErrors) orNil() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// guardable refuses links that somebody else has made: what they let through is not for us to say. One that is guarded was looked at before.
func (h *Host) guardable(link string) error {
	if guarded, _ := h.guards.state.Guards(link); guarded {
		return nil
	}
	l, err := h.links.LinkByName(link)
	if missing(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find link %s: %w", link, err)
	}
	if alias := l.Attrs().Alias; alias != h.stamp && alias != "" {
		return fmt.Errorf("guard link %s: %w", link, ErrForeign)
	}
	return nil
}

// converged tells what the failures of others leave of an error of converge for one link.
func (h *Host) converged(link string, err error) error {
	var others GuardErrors
	if guarded, closed := h.guards.state.Guards(link); guarded && !closed && errors.As(err, &others) {
		return nil
	}
	return err
}
