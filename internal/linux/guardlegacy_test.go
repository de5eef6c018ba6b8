package linux

import (
	"encoding/binary"
	"errors"
	"runtime"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// TestLegacyFilters wants a FORWARD of iptables-legacy to be named when it drops by default, and neither to be named nor made otherwise.
func TestLegacyFilters(t *testing.T) {
	for _, l := range legacyFilters {
		t.Run(l.program, func(t *testing.T) {
			namespace := datagramNamespace(t)
			find := func(when string, want ...string) {
				t.Helper()
				found, err := ForeignFilters()
				if diff := cmp.Diff(want, found); diff != "" || err != nil {
					t.Errorf("%s: %v (-want +got):\n%s", when, err, diff)
				}
			}
			err := Within(namespace, func() error {
				find("no table")
				find("no table, after a look")
				info, entries, err := l.read() // makes it, as any use does
				if errors.Is(err, unix.ENOPROTOOPT) {
					return nil // a kernel without these tables
				}
				if err != nil {
					return err
				}
				find("a table that accepts")
				if err := l.setPolicy(info, entries, legacyDrop); err != nil {
					return err
				}
				find("a table that drops", l.program+" filter FORWARD")
				if err := l.setPolicy(info, entries, -2); err != nil {
					return err
				}
				find("a table that accepts again")
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// setPolicy replaces the table by one of another policy of FORWARD (struct ipt_replace of linux/netfilter_ipv4/ip_tables.h).
func (l legacyFilter) setPolicy(info, entries []byte, verdict int32) error {
	at := l.policy(info, entries)
	binary.NativeEndian.PutUint32(entries[at:], uint32(verdict))
	count := binary.NativeEndian.Uint32(info[infoEntriesSize-4:])
	counters := make([]byte, 16*count)
	var held runtime.Pinner
	defer held.Unpin()
	held.Pin(&counters[0])
	request := append([]byte{}, info[:36]...) // its name and hooks
	request = binary.NativeEndian.AppendUint32(request, count)
	request = binary.NativeEndian.AppendUint32(request, uint32(len(entries)-entriesHead))
	request = append(request, info[36:76]...) // where hooks begin and end
	request = binary.NativeEndian.AppendUint32(request, count)
	request = binary.NativeEndian.AppendUint64(request, uint64(uintptr(unsafe.Pointer(&counters[0]))))
	request = append(request, entries[entriesHead:]...)
	fd, err := unix.Socket(l.domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	return unix.SetsockoptString(fd, l.level, 64, string(request)) // IPT_SO_SET_REPLACE
}
