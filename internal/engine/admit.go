package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
)

// maxSuspects bounds how many objects are tried one by one when HAProxy's words do not say which it refuses.
const maxSuspects = 64

// admit returns what HAProxy accepts of the Spec, of which left is what can be made. Objects that it refuses keep their last good
// form, or are left out, and become Failures, as those do that are held back with them.
func (a *application) admit(ctx context.Context, left *enginepb.Spec, held []string) (*enginepb.Spec, error) {
	good, blamed := a.balancer.record.Spec, map[string]string{}
	for {
		alerts, lines, err := a.engine.check(ctx, a.balancer, left)
		if err != nil {
			return nil, err
		}
		if alerts == nil {
			a.report(blamed, held)
			return left, nil
		}
		if err := a.blame(ctx, alerts, lines, blamed); err != nil {
			return nil, err
		}
		left, held = haproxy.Retreat(a.spec, good, append(keys(blamed), a.spec.HeldObjects...))
	}
}

// blame adds to blamed at least one object that HAProxy refuses, with its words.
func (a *application) blame(ctx context.Context, alerts []haproxy.Alert, lines haproxy.LineMap, blamed map[string]string) error {
	more := false
	for _, alert := range alerts {
		for _, id := range haproxy.Blame([]haproxy.Alert{alert}, lines) {
			if _, known := blamed[id]; !known && id != a.spec.LoadBalancerId {
				blamed[id], more = clean(alert.Text), true
			}
		}
	}
	if more {
		return nil
	}
	id, words, err := a.suspect(ctx, blamed)
	if err != nil {
		return err
	}
	if id == "" {
		return refusal(alerts)
	}
	blamed[id] = words
	return nil
}

// suspect finds one more object without which HAProxy accepts the rest of what changed, by trying each.
func (a *application) suspect(ctx context.Context, blamed map[string]string) (id, words string, err error) {
	good := a.balancer.record.Spec
	suspects := changedObjects(good, a.spec)
	for i, id := range suspects {
		if _, known := blamed[id]; known || i >= maxSuspects || id == a.spec.LoadBalancerId {
			continue
		}
		others := slices.DeleteFunc(slices.Clone(suspects), func(o string) bool { return o == id || o == a.spec.LoadBalancerId })
		alone, _ := haproxy.Retreat(a.spec, good, slices.Concat(others, keys(blamed), a.spec.HeldObjects))
		alerts, _, err := a.engine.check(ctx, a.balancer, alone)
		if err != nil {
			return "", "", err
		}
		if alerts != nil {
			return id, clean(alerts[0].Text), nil
		}
	}
	return "", "", nil
}

// changedObjects lists the objects whose lines differ from the last good Spec.
func changedObjects(good, wanted *enginepb.Spec) []string {
	was := map[string]bool{}
	for _, s := range good.GetSections() {
		was[sectionText(s)] = true
	}
	for _, s := range good.GetServers() {
		was[s.String()] = true
	}
	for _, f := range good.GetFiles() {
		was[fileText(f)] = true
	}
	var changed []string
	for _, s := range wanted.Sections {
		if !was[sectionText(s)] && len(s.Objects) > 0 {
			changed = append(changed, s.Objects[0])
		}
	}
	for _, f := range wanted.Files {
		if !was[fileText(f)] && len(f.Objects) > 0 {
			changed = append(changed, f.Objects[0])
		}
	}
	for _, s := range wanted.Servers {
		if !was[s.String()] {
			changed = append(changed, s.Name)
		}
	}
	return unique(changed)
}

func sectionText(s *enginepb.Section) string { return s.Name + "\n" + strings.Join(s.Lines, "\n") }

func fileText(f *enginepb.File) string { return f.Name + "\n" + string(f.Content) }

// report turns the refused objects into Failures, and those that they hold back.
func (a *application) report(blamed map[string]string, held []string) {
	for _, id := range keys(blamed) {
		a.fail(id, true, "HAProxy refuses it: "+blamed[id])
	}
	for _, id := range held {
		if _, known := blamed[id]; !known && id != a.spec.LoadBalancerId {
			a.fail(id, true, "it is held back with what it belongs to, which HAProxy refuses or which cannot be made now")
		}
	}
}

// refusal is the error of a configuration of which no object can be blamed.
func refusal(alerts []haproxy.Alert) error {
	words := make([]string, len(alerts))
	for i, alert := range alerts {
		words[i] = clean(alert.Text)
	}
	if len(words) == 0 {
		return errors.New("HAProxy refuses the configuration without a word")
	}
	return fmt.Errorf("HAProxy refuses the configuration: %s", strings.Join(words, "; "))
}

// clean makes HAProxy's words fit to be shown: one line of printable characters, and not too long.
func clean(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "") + "…"
	}
	return strings.ToValidUTF8(strings.TrimSuffix(text, "."), "?")
}

func keys(m map[string]string) []string {
	all := make([]string, 0, len(m))
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

func unique(ids []string) []string {
	slices.Sort(ids)
	return slices.Compact(ids)
}
