package linux

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"plimsoll/internal/failpoint"
)

// shield drops whatever a bridge would pass up to the host. Settings alone do not: the kernel takes broadcasts from
// 0.0.0.0 on any link (ip_route_input_slow), with which DHCP begins, and hands them to each service that listens on all
// addresses. Dropped at the ingress of traffic control it still shows in tcpdump. A kernel without BPF or traffic control
// is left with the settings.
func (h *Host) shield(br netlink.Link) error {
	err := h.dropIngress(br)
	for _, lacking := range []error{unix.ENOSYS, unix.EPERM, unix.ENOENT, unix.EOPNOTSUPP} {
		if errors.Is(err, lacking) {
			return nil
		}
	}
	return err
}

func (h *Host) dropIngress(br netlink.Link) error {
	program, err := dropProgram()
	if err != nil {
		return fmt.Errorf("load the program of the shield: %w", err)
	}
	defer func() { _ = program.Close() }()
	qdisc := &netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{
		LinkIndex: br.Attrs().Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT}}
	if err := h.links.QdiscReplace(qdisc); err != nil {
		return fmt.Errorf("shield the host: add clsact: %w", err)
	}
	filter := &netlink.BpfFilter{Fd: int(program.Fd()), Name: "drop", DirectAction: true, FilterAttrs: netlink.FilterAttrs{
		LinkIndex: br.Attrs().Index, Parent: netlink.HANDLE_MIN_INGRESS, Handle: 1, Priority: 1, Protocol: unix.ETH_P_ALL}}
	if err := h.links.FilterReplace(filter); err != nil {
		return fmt.Errorf("shield the host: add the filter: %w", err)
	}
	failpoint.Here("linux.bridge.shielded")
	return nil
}

// dropProgram loads a program for traffic control that drops every packet: r0 = TC_ACT_SHOT; exit (linux/bpf.h).
func dropProgram() (*os.File, error) {
	const movR0, exit, drop = 0xb7, 0x95, 2
	instructions := [16]byte{0: movR0, 4: drop, 8: exit}
	license := [1]byte{}
	var held runtime.Pinner // the kernel reads both through plain numbers
	defer held.Unpin()
	held.Pin(&instructions)
	held.Pin(&license)
	attr := struct { // of BPF_PROG_LOAD, bpf(2)
		kind, count           uint32
		instructions, license uint64
	}{unix.BPF_PROG_TYPE_SCHED_CLS, 2, uint64(uintptr(unsafe.Pointer(&instructions))), uint64(uintptr(unsafe.Pointer(&license)))}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if errno != 0 {
		return nil, errno
	}
	return os.NewFile(fd, "bpf"), nil
}
