package avi

import (
	"context"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
)

// isolate finds out which of several changed servers a pool is refused for, and makes the others. It returns why the pool is refused
// where it is not for them.
func (j *job) isolate(ctx context.Context, w translate.Object, cause error) error {
	s := splitServers(j.known[key{w.Kind, w.UUID}], w)
	if len(s.changed) == 0 {
		return cause
	}
	if err := j.write(ctx, s.with(nil)); err != nil {
		return err
	}
	return j.try(ctx, s, s.changed, cause)
}

// try makes as many of the servers as the controller takes. The cause is why all of them were refused already; nil is that they were not.
func (j *job) try(ctx context.Context, s *split, group []any, cause error) error {
	if cause == nil {
		if cause = j.write(ctx, s.with(group)); cause == nil {
			s.taken = append(s.taken, group...)
			return nil
		}
		if !controller.Refused(cause) {
			return cause
		}
	}
	if len(group) == 1 {
		j.blameServer(s.wanted, group[0], cause)
		return nil
	}
	half := len(group) / 2
	if err := j.try(ctx, s, group[:half], nil); err != nil {
		return err
	}
	return j.try(ctx, s, group[half:], nil)
}

// blameServer fails the member that a server stands for.
func (j *job) blameServer(w translate.Object, s any, cause error) {
	m, _ := s.(map[string]any)
	if id, _ := m["external_uuid"].(string); id != "" {
		w.For = []string{id}
	}
	j.blame(w, j.reason(server, cause))
}

// split is a pool with its servers in two parts: those that the controller has as they are wanted, and those that change.
type split struct {
	wanted  translate.Object
	same    []any // wanted, and as they are wanted
	changed []any // wanted, and new or otherwise
	was     []any // what those of changed that are there are now; nil for a new one
	taken   []any // of changed: what the controller took
}

func splitServers(known controller.Object, w translate.Object) *split {
	s := &split{wanted: w}
	is, _ := known[servers].([]any)
	wanted, _ := w.Owned[servers].([]any)
	partner := partners(servers, is, wanted)
	for i, e := range wanted {
		var was any
		if partner[i] >= 0 {
			was = is[partner[i]]
			if g := (merging{}); g.unchanged(was, e) {
				s.same = append(s.same, e)
				continue
			}
		}
		s.changed, s.was = append(s.changed, e), append(s.was, was)
	}
	return s
}

// with is the pool with the servers of a group and those that were taken as they are wanted, and the others as they are now.
func (s *split) with(group []any) translate.Object {
	list := append([]any{}, s.same...)
	for i, e := range s.changed {
		switch {
		case among(s.taken, e) || among(group, e):
			list = append(list, e)
		case s.was[i] != nil:
			list = append(list, s.was[i])
		}
	}
	o := s.wanted
	o.Owned = controller.Object{}
	for field, v := range s.wanted.Owned {
		o.Owned[field] = v
	}
	o.Owned[servers] = list
	return o
}

// among tells whether a server is one of a list, by its key.
func among(list []any, e any) bool {
	for _, o := range list {
		if serverOf(o) == serverOf(e) {
			return true
		}
	}
	return false
}

func serverOf(e any) string {
	m, _ := e.(map[string]any)
	return serverAt(m)
}
