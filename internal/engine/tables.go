package engine

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"plimsoll/internal/datagram"
	"plimsoll/internal/linux"
	"plimsoll/internal/network"
)

// watchTables has tables of ours that others change mended at once. The looks from time to time find what it misses.
func (e *Engine) watchTables(ctx context.Context) error {
	for ctx.Err() == nil {
		err := linux.WatchTables(ctx, func() { e.touchGuards("") }, e.tablesChanged)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EPROTONOSUPPORT):
			return nil // a kernel without nftables has no tables either
		}
		e.log.Warn("changes of tables are not watched", "err", err)
		pause(ctx, retryPause)
	}
	return nil
}

func (e *Engine) tablesChanged(c linux.TableChange) {
	switch {
	case c.Lost || c.Namespace == linux.HereNamespace && slices.Contains(c.Tables, linux.GuardTable(e.config.Instance)):
		e.touchGuards(c.Program)
	case c.Namespace != linux.HereNamespace && slices.Contains(c.Tables, datagram.TableName):
		e.touchNamespace(c)
	}
}

// touchGuards has the guards looked at soon.
func (e *Engine) touchGuards(program string) {
	select {
	case e.touched <- program:
	default: // a look is due already
	}
}

// touchNamespace has the router looked at soon, or the load balancer reported, whose table was changed.
func (e *Engine) touchNamespace(c linux.TableChange) {
	is := func(netns string) bool {
		number, ok := e.host.NamespaceNumber(netns)
		return ok && number == c.Namespace
	}
	for _, r := range e.hosting.current().GetRouters() {
		if netns := network.RouterNetNS + r.Id; is(netns) {
			e.log.Warn("a router's table is mended: somebody else has changed it", "router", r.Id, "program", c.Program)
			e.replugged(netns)
			return
		}
	}
	for _, id := range e.known() {
		if is(namespaceName(id)) {
			e.log.Warn("somebody else has changed a load balancer's table", "load_balancer", id, "program", c.Program)
			e.hub.publish(id)
			return
		}
	}
}
