package linux

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// LinkEvent says that the host's end of a port's link changed.
type LinkEvent struct {
	// Port is the first 11 characters of the port's id.
	Port string
	// Broken means that the link is gone, down, or without its other end.
	Broken bool
}

// WatchLinks calls changed for each change of a port's link, until ctx ends or events were lost. It calls ready once
// no event can be missed any more.
func WatchLinks(ctx context.Context, ready func(), changed func(LinkEvent)) error {
	updates, done := make(chan netlink.LinkUpdate, 256), make(chan struct{})
	lost := make(chan error, 1)
	report := func(err error) {
		select {
		case lost <- err:
		default:
		}
	}
	options := netlink.LinkSubscribeOptions{ErrorCallback: report, ReceiveBufferSize: 4 << 20, ReceiveBufferForceSize: true}
	if err := netlink.LinkSubscribeWithOptions(updates, done, options); err != nil {
		return fmt.Errorf("watch links: %w", err)
	}
	defer func() {
		close(done)
		for range updates { // until the reader has ended
		}
	}()
	ready()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-lost:
			return fmt.Errorf("watch links: %w", err)
		case u, ok := <-updates:
			if !ok {
				return errors.New("watch links: the kernel ended it")
			}
			if id, is := strings.CutPrefix(u.Link.Attrs().Name, "plm"); is {
				changed(LinkEvent{Port: id, Broken: broken(u)})
			}
		}
	}
}

func broken(u netlink.LinkUpdate) bool {
	return u.Header.Type == unix.RTM_DELLINK || u.IfInfomsg.Flags&unix.IFF_LOWER_UP == 0
}
