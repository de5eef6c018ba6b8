package linux

import (
	"context"
	"encoding/binary"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"plimsoll/internal/guard"
)

// watchTables passes on the changes of tables whose names contain part.
func watchTables(t *testing.T, part string) <-chan TableChange {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, changes, done := make(chan struct{}), make(chan TableChange, 64), make(chan error, 1)
	go func() {
		done <- WatchTables(ctx, func() { close(ready) }, func(c TableChange) {
			if slices.ContainsFunc(c.Tables, func(name string) bool { return strings.Contains(name, part) }) {
				changes <- c
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("WatchTables: %v", err)
		}
	})
	<-ready
	return changes
}

func nextChange(t *testing.T, changes <-chan TableChange) TableChange {
	t.Helper()
	select {
	case c := <-changes:
		return c
	case <-time.After(10 * time.Second):
		t.Fatal("no change is told of")
		panic("unreachable")
	}
}

// nft has nft(8) change the tables of the test's own network namespace.
func nft(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("nft", args...).CombinedOutput(); err != nil {
		t.Fatalf("nft %v: %v: %s", args, err, out)
	}
}

// TestWatchTables wants what others change to be told of, with whose it is, in every namespace that has a link here, and nothing of what this
// program changes: else each change would be looked at once more.
func TestWatchTables(t *testing.T) {
	y := newYard(t)
	one, two := y.station(1, true, "g"), y.station(2, true, "g")
	table := y.h.guardTable()
	changes := watchTables(t, strings.TrimPrefix(table, "plimsoll-"))
	y.groups = []guard.Group{{ID: "g", Rules: append(egress(), ingress(false, 6, 80, 80))}}
	y.apply()
	y.groups[0].Rules = egress()
	y.apply()
	if err := y.h.RemovePort(two.port.ID); err != nil {
		t.Fatal(err)
	}
	nft(t, "delete", "table", "bridge", table)
	want := TableChange{Namespace: HereNamespace, Tables: []string{table}, Program: "nft"}
	if diff := cmp.Diff(want, nextChange(t, changes)); diff != "" {
		t.Errorf("a table was deleted here (-want +got):\n%s", diff)
	}
	if n, err := y.h.AuditGuards(); n == 0 || err != nil {
		t.Errorf("AuditGuards = %d, %v", n, err)
	}
	inside(t, one.namespace, "nft", "add table inet a; add table inet "+table)
	got := nextChange(t, changes)
	if number, ok := y.h.NamespaceNumber(one.namespace); !ok || number != got.Namespace {
		t.Errorf("the change in namespace %d, %t, is told of %d", number, ok, got.Namespace)
	}
	if number, ok := y.h.NamespaceNumber("plmtest-none"); ok {
		t.Errorf("a namespace that is not there has number %d", number)
	}
	want = TableChange{Namespace: got.Namespace, Tables: []string{"a", table}, Program: "nft"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tables were added in a namespace (-want +got):\n%s", diff)
	}
	nft(t, "flush table inet "+table)
	if got := nextChange(t, changes); !cmp.Equal([]string{table}, got.Tables) {
		t.Errorf("a table was flushed: %v", got)
	}
}

// TestWatchTablesOverflow wants it to be told that changes were lost, and what comes behind them.
func TestWatchTablesOverflow(t *testing.T) {
	w, err := openTableWatch()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.socket.Close() }()
	room := func(bytes int) {
		if err := w.raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, bytes) }); err != nil {
			t.Fatal(err)
		}
	}
	room(1)
	table := "plmtest-" + uuid.NewString()
	for range 8 {
		nft(t, "add table inet "+table+"; add chain inet "+table+" c; delete table inet "+table)
	}
	_ = w.socket.SetReadDeadline(time.Now().Add(10 * time.Second))
	await := func(what string, is func(TableChange) bool) {
		for {
			all, err := w.receive()
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if slices.ContainsFunc(all, is) {
				return
			}
		}
	}
	await("lost", func(c TableChange) bool { return c.Lost })
	room(1 << 20) // others may change tables, too
	nft(t, "add table inet "+table+"; delete table inet "+table)
	await("after what was lost", func(c TableChange) bool { return slices.Contains(c.Tables, table) })
}

// FuzzTableNews has the kernel's messages be anything: it may be refused, and ends nothing.
func FuzzTableNews(f *testing.F) {
	message := func(kind uint16, attrs ...*nl.RtAttr) []byte {
		b := make([]byte, unix.SizeofNlMsghdr+nl.SizeofNfgenmsg)
		for _, a := range attrs {
			b = append(b, a.Serialize()...)
		}
		binary.NativeEndian.PutUint32(b, uint32(len(b)))
		binary.NativeEndian.PutUint16(b[4:], unix.NFNL_SUBSYS_NFTABLES<<8|kind)
		return b
	}
	table := message(unix.NFT_MSG_DELTABLE, nl.NewRtAttr(unix.NFTA_TABLE_NAME, nl.ZeroTerminated("plimsoll-a")))
	end := message(unix.NFT_MSG_NEWGEN, nl.NewRtAttr(unix.NFTA_GEN_PROC_NAME, nl.ZeroTerminated("nft")))
	f.Add(append(table, end...))
	f.Add(end[:len(end)-3])
	f.Fuzz(func(t *testing.T, b []byte) {
		news := tableNews{self: "plimsoll", open: map[int]map[string]bool{}}
		all, err := news.read(3, b)
		for _, c := range all {
			if c.Namespace != 3 || c.Program == news.self || c.Lost {
				t.Errorf("read: %+v, %v", c, err)
			}
		}
	})
}
