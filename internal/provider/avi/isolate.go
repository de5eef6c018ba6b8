package avi

import (
	"context"
	"fmt"
	"maps"

	"plimsoll/internal/provider"
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
	if s.leaveOut(j.failures) {
		cause = nil
	}
	if err := j.write(ctx, s.with(0, 0)); err != nil {
		return err
	}
	if len(s.changed) == 0 {
		return nil
	}
	return j.try(ctx, s, 0, len(s.changed), cause)
}

// maxTries is how often a pool is written to find out which of its servers are refused: all of them are told apart where they are few, or
// few of many are refused. It is tried again and again, and a controller has more to do than to refuse a thousand servers one by one.
const maxTries = 100

// try makes as many as the controller takes of the changed servers from one place to another. The cause is why all of them were refused
// already; nil is that they were not.
func (j *job) try(ctx context.Context, s *split, from, to int, cause error) error {
	if cause == nil {
		s.tries++
		if cause = j.write(ctx, s.with(from, to)); cause == nil {
			for i := from; i < to; i++ {
				s.taken[i] = true
			}
			return nil
		}
		if !controller.Refused(cause) {
			return cause
		}
	}
	if to-from == 1 || s.tries >= maxTries {
		j.blameServers(s.wanted, s.changed[from:to], cause)
		return nil
	}
	half := from + (to-from)/2
	if err := j.try(ctx, s, from, half, nil); err != nil {
		return err
	}
	return j.try(ctx, s, half, to, nil)
}

// blameServers fails the members that servers stand for.
func (j *job) blameServers(w translate.Object, group []any, cause error) {
	f := j.reason(server, cause)
	if len(group) > 1 {
		f.Reason += fmt.Sprintf(" It said so of %d members at once: too many are refused to ask for each.", len(group))
	}
	for _, s := range group {
		if id := memberOf(s); id != "" {
			w.For = []string{id}
		}
		j.blame(w, f)
	}
}

// split is a pool with its servers in two parts: those that the controller has as they are wanted, and those that change.
type split struct {
	wanted  translate.Object
	same    []any  // wanted, and as they are wanted; or left as they are
	changed []any  // wanted, and new or otherwise
	was     []any  // what those of changed that are there are now; nil for a new one
	taken   []bool // of changed: whether the controller took it
	tries   int
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
	s.taken = make([]bool, len(s.changed))
	return s
}

// leaveOut leaves servers as they are now whose members failed already, in another copy of the pool. It tells whether there are such.
func (s *split) leaveOut(failures map[string]provider.Failure) bool {
	all := *s
	s.changed, s.was, s.taken = nil, nil, nil
	for i, e := range all.changed {
		_, failed := failures[memberOf(e)]
		switch {
		case !failed:
			s.changed, s.was, s.taken = append(s.changed, e), append(s.was, all.was[i]), append(s.taken, false)
		case all.was[i] != nil:
			s.same = append(s.same, all.was[i])
		}
	}
	return len(s.changed) < len(all.changed)
}

// memberOf is the id of the member that a server stands for.
func memberOf(s any) string {
	m, _ := s.(map[string]any)
	id, _ := m["external_uuid"].(string)
	return id
}

// with is the pool with those that were taken, and those from one place to another, as they are wanted, and the others as they are now.
func (s *split) with(from, to int) translate.Object {
	list := append([]any{}, s.same...)
	for i, e := range s.changed {
		switch {
		case s.taken[i] || from <= i && i < to:
			list = append(list, e)
		case s.was[i] != nil:
			list = append(list, s.was[i])
		}
	}
	o := s.wanted
	o.Owned = maps.Clone(s.wanted.Owned)
	o.Owned[servers] = list
	return o
}
