package linux

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// HereNamespace is the number of the network namespace that WatchTables watches from.
const HereNamespace = -1

// TableChange says that another program changed tables of nftables.
type TableChange struct {
	// Namespace is the kernel's number for the network namespace, which NamespaceNumber knows, or HereNamespace.
	Namespace int
	// Tables are the names of those that it was about, of any family.
	Tables []string
	// Program is what the kernel calls it; kernels before 4.14 do not say.
	Program string
	// Lost means that there were more changes than could be read. Nobody knows of which tables they were, nor whose.
	Lost bool
}

// WatchTables calls changed for each transaction of nftables that another program makes, in this network namespace and in those that
// have links to it, until ctx ends. It calls ready once no change can be missed any more.
func WatchTables(ctx context.Context, ready func(), changed func(TableChange)) error {
	w, err := openTableWatch()
	if err != nil {
		return fmt.Errorf("watch tables: %w", err)
	}
	defer func() { _ = w.socket.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = w.socket.Close() })
	defer stop()
	ready()
	for {
		all, err := w.receive()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("watch tables: %w", err)
		}
		for _, c := range all {
			changed(c)
		}
	}
}

// tableWatch is a socket that the kernel tells of transactions, and what it has told.
type tableWatch struct {
	socket *os.File
	raw    syscall.RawConn
	news   tableNews
	data   []byte
	aside  []byte // control messages
}

func openTableWatch() (*tableWatch, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	socket := os.NewFile(uintptr(fd), "nftables")
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_LISTEN_ALL_NSID, 1),
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.NFNLGRP_NFTABLES - 1)}))
	self, selfErr := os.ReadFile("/proc/self/comm")
	raw, rawErr := socket.SyscallConn()
	if err = errors.Join(err, selfErr, rawErr); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return &tableWatch{socket: socket, raw: raw, data: make([]byte, 1<<16), aside: make([]byte, 256),
		news: tableNews{self: string(bytes.TrimSpace(self)), open: map[int]map[string]bool{}}}, nil
}

// receive waits for the next message of the kernel.
func (w *tableWatch) receive() ([]TableChange, error) {
	var n, aside, flags int
	var err error
	waited := w.raw.Read(func(fd uintptr) bool {
		n, aside, flags, _, err = unix.Recvmsg(int(fd), w.data, w.aside, 0)
		return !errors.Is(err, unix.EAGAIN)
	})
	switch {
	case waited != nil:
		return nil, waited
	case errors.Is(err, unix.EINTR):
		return nil, nil
	case errors.Is(err, unix.ENOBUFS) || err == nil && flags&unix.MSG_TRUNC != 0:
		clear(w.news.open)
		return []TableChange{{Lost: true}}, nil
	case err != nil:
		return nil, err
	}
	return w.news.read(namespaceNumber(w.aside[:aside]), w.data[:n])
}

// namespaceNumber is what a control message says of where a message comes from. Without one it comes from here.
func namespaceNumber(aside []byte) int {
	all, _ := unix.ParseSocketControlMessage(aside)
	for _, c := range all {
		if c.Header.Level == unix.SOL_NETLINK && c.Header.Type == unix.NETLINK_LISTEN_ALL_NSID && len(c.Data) >= 4 {
			return int(int32(binary.NativeEndian.Uint32(c.Data)))
		}
	}
	return HereNamespace
}

// tableNews puts transactions together: the kernel tells of each change and then, in a message of its own, of the transaction's end, with
// who made it.
type tableNews struct {
	self string                  // the name of this program, whose transactions are no news
	open map[int]map[string]bool // by namespace the tables of the transaction that it is telling of
}

func (t *tableNews) read(namespace int, b []byte) ([]TableChange, error) {
	messages, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return nil, err
	}
	var all []TableChange
	for _, m := range messages {
		if m.Header.Type>>8 != unix.NFNL_SUBSYS_NFTABLES {
			continue
		}
		a, err := parseAttributes(m.Data[min(nl.SizeofNfgenmsg, len(m.Data)):])
		if err != nil {
			return all, err
		}
		if m.Header.Type&0xff != unix.NFT_MSG_NEWGEN {
			t.add(namespace, a.text(unix.NFTA_RULE_TABLE)) // of this type in all messages
			continue
		}
		tables, program := t.open[namespace], a.text(unix.NFTA_GEN_PROC_NAME)
		delete(t.open, namespace)
		if program != t.self {
			all = append(all, TableChange{Namespace: namespace, Tables: slices.Sorted(maps.Keys(tables)), Program: program})
		}
	}
	return all, nil
}

func (t *tableNews) add(namespace int, table string) {
	if t.open[namespace] == nil {
		t.open[namespace] = map[string]bool{}
	}
	t.open[namespace][table] = true
}

// NamespaceNumber is what the kernel calls a network namespace in a TableChange. One that is not there, or has no link here, has none.
func (h *Host) NamespaceNumber(name string) (number int, ok bool) {
	ns, err := openNamespace(name)
	if err != nil {
		return 0, false
	}
	defer func() { _ = ns.Close() }()
	number, err = h.links.GetNetNsIdByFd(int(ns.Fd()))
	return number, err == nil && number != HereNamespace
}
