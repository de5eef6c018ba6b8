package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

// place puts an L7 policy into its listener's list, at the position that it asks for or at the end, and makes the positions of the others
// follow. The order of the list is the truth; moved finds what has to be written.
func (c *Change) place(p *lbaas.L7Policy) {
	l := c.LB.Listener(p.ListenerID)
	others := l.L7Policies
	if i := slices.IndexFunc(others, func(o *lbaas.L7Policy) bool { return o.ID == p.ID }); i >= 0 {
		others = slices.Concat(others[:i], others[i+1:])
	} else if n := len(others); p.Position < 1 || p.Position > n {
		p.Position = n + 1
		l.L7Policies = append(l.L7Policies, p)
		return
	}
	at := p.Position - 1
	if at < 0 || at > len(others) {
		at = len(others)
	}
	l.L7Policies = slices.Concat(others[:at], []*lbaas.L7Policy{p}, others[at:])
	c.renumber(l)
}

// closeGap makes those move up that were behind a policy that went.
func (c *Change) closeGap(listenerID string) {
	if l := c.LB.Listener(listenerID); l != nil {
		c.renumber(l)
	}
}

// renumber gives the policies of a listener dense positions from 1. Whose position changes is stamped.
func (c *Change) renumber(l *lbaas.Listener) {
	for i, p := range l.L7Policies {
		if p.Position == i+1 {
			continue
		}
		p.Position = i + 1
		if p.Progress.Generation != c.LB.Progress.Generation {
			c.progress(&p.Object, false)
			c.l7Policies.stamped = append(c.l7Policies.stamped, p.ID)
		}
	}
}

// moved are the ids and the positions of L7 policies whose rows have another one, and which are stamped. Rows that are written anyway get
// it at once.
func (c *Change) moved() map[string]int {
	moved := map[string]int{}
	for _, l := range c.LB.Listeners {
		c.renumber(l)
		for _, p := range l.L7Policies {
			row, ok := c.l7Policies.kept[p.ID]
			if !ok || row.Position == int64(p.Position) {
				continue
			}
			row.Position = int64(p.Position)
			c.l7Policies.kept[p.ID] = row
			if noted := c.l7Policies.noted[p.ID]; noted != nil {
				noted.Position = row.Position
			} else {
				moved[p.ID] = p.Position
			}
		}
	}
	return moved
}

// writePositions writes where L7 policies are now, some at a time.
func (c *Change) writePositions(moved map[string]int) error {
	ids := make([]string, 0, len(moved))
	for id := range moved {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for some := range slices.Chunk(ids, insertChunk) {
		var args []any
		for _, id := range some {
			args = append(args, id, moved[id])
		}
		_, err := c.tx.NewUpdate().Table(tableL7Policies).
			Set("position = CASE id"+strings.Repeat(" WHEN ? THEN ?", len(some))+" ELSE position END", args...).
			Where("id IN (?)", bun.List(some)).Exec(c.ctx)
		if err != nil {
			return fmt.Errorf("move L7 policies: %w", err)
		}
	}
	return nil
}

// positions are those that the L7 policies of a new tree ask for. A transaction that starts anew must see them again, not those that its
// first try gave.
type positions map[*lbaas.L7Policy]int

func positionsOf(lb *lbaas.LoadBalancer) positions {
	wanted := positions{}
	for _, l := range lb.Listeners {
		for _, p := range l.L7Policies {
			wanted[p] = p.Position
		}
	}
	return wanted
}

func (wanted positions) restore() {
	for p, n := range wanted {
		p.Position = n
	}
}
