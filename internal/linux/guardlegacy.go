package linux

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// legacyFilter is the table "filter" of iptables-legacy or ip6tables-legacy, which nftables knows nothing of.
type legacyFilter struct {
	program       string
	names         string // the file that lists the tables that a network namespace has
	domain, level int
	target        int // where an entry says how long it is without its target (struct ipt_entry, struct ip6t_entry)
}

var legacyFilters = []legacyFilter{
	{"iptables-legacy", "ip_tables_names", unix.AF_INET, unix.SOL_IP, 88},
	{"ip6tables-legacy", "ip6_tables_names", unix.AF_INET6, unix.SOL_IPV6, 140},
}

const legacyTable = "filter"

// The questions of linux/netfilter_ipv4/ip_tables.h, which are the same for IPv6, and what their answers are like.
const (
	legacyInfo, legacyEntries = 64, 65
	tableNameSize             = 32
	infoSize                  = 84 // struct ipt_getinfo
	infoUnderflow             = 56 // in it the places of the policies, by hook
	infoEntriesSize           = 80
	entriesHead               = 40 // of struct ipt_get_entries, before the entries
	targetHead                = 32 // of struct xt_standard_target, before the verdict
	legacyDrop                = -1 // the verdict -NF_DROP - 1
)

// drops tells whether what the host forwards is dropped unless a rule accepts it. A namespace without the table drops nothing, and is given
// none by looking.
func (l legacyFilter) drops() (bool, error) {
	names, err := os.ReadFile("/proc/thread-self/net/" + l.names)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !slices.Contains(strings.Fields(string(names)), legacyTable) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	info, entries, err := l.read()
	if err != nil {
		return false, fmt.Errorf("read the table %s of %s: %w", legacyTable, l.program, err)
	}
	at := l.policy(info, entries)
	return at > 0 && int32(binary.NativeEndian.Uint32(entries[at:])) == legacyDrop, nil
}

// read asks the kernel what the table is, and for its entries.
func (l legacyFilter) read() (info, entries []byte, err error) {
	fd, err := unix.Socket(l.domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	info = make([]byte, infoSize)
	copy(info, legacyTable)
	if err := askSocket(fd, l.level, legacyInfo, info); err != nil {
		return nil, nil, err
	}
	size := binary.NativeEndian.Uint32(info[infoEntriesSize:])
	entries = make([]byte, entriesHead+int(size))
	copy(entries, legacyTable)
	binary.NativeEndian.PutUint32(entries[tableNameSize:], size)
	return info, entries, askSocket(fd, l.level, legacyEntries, entries)
}

// policy is where the entries have the verdict on what no rule of the hook FORWARD decides, or 0.
func (l legacyFilter) policy(info, entries []byte) int {
	entry := entriesHead + int(binary.NativeEndian.Uint32(info[infoUnderflow+4*unix.NF_INET_FORWARD:]))
	if entry+l.target+2 > len(entries) {
		return 0
	}
	at := entry + int(binary.NativeEndian.Uint16(entries[entry+l.target:])) + targetHead
	if at+4 > len(entries) {
		return 0
	}
	return at
}

// askSocket is getsockopt(2) with an answer of any form, for which question has room.
func askSocket(fd, level, option int, question []byte) error {
	var held runtime.Pinner
	defer held.Unpin()
	held.Pin(&question[0])
	size := uint32(len(question))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option),
		uintptr(unsafe.Pointer(&question[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
