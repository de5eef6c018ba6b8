package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Instance is the id that stamps everything that the server's engine makes on the host.
func (s *Server) Instance() string {
	if s.instance == "" {
		text, _ := os.ReadFile(filepath.Join(s.StateDir, "instance"))
		s.instance = strings.TrimSpace(string(text))
	}
	return s.instance
}

// Leftovers says what there is on the host that carries the server's stamp: namespaces, links and bridges, nft tables,
// files of DHCP servers, and the processes of the data plane. The server itself and its engine do not count.
func (s *Server) Leftovers() []string {
	return slices.DeleteFunc(leftovers(s.Instance(), s.StateDir), func(what string) bool {
		return strings.HasPrefix(what, "process ") && !strings.Contains(what, "haproxy") && !strings.Contains(what, "dnsmasq")
	})
}

func leftovers(instance, stateDir string) []string {
	if instance == "" {
		return processes(stateDir)
	}
	stamp := "plimsoll:" + instance
	left := slices.Concat(links(stamp), namespaces(stamp), processes(stateDir), processes(dnsmasqDir(instance)))
	if files, err := os.ReadDir(dnsmasqDir(instance)); err == nil && len(files) > 0 {
		left = append(left, "files in "+dnsmasqDir(instance))
	}
	if tables, err := exec.CommandContext(context.Background(), "nft", "list", "tables").Output(); err == nil && bytes.Contains(tables, []byte(instance)) {
		left = append(left, "nft tables")
	}
	return left
}

// dnsmasqDir is where the engine keeps the files of its dnsmasq processes.
func dnsmasqDir(instance string) string { return filepath.Join("/run/plimsoll-engine", instance) }

// sweep removes what a purge that failed left behind.
func (s *Server) sweep() {
	for range 10 { // a supervisor may be starting what it supervises
		all := processesOf(s.StateDir)
		if s.Instance() != "" {
			all = append(all, processesOf(dnsmasqDir(s.Instance()))...)
		}
		for _, p := range all {
			_ = syscall.Kill(p.PID, syscall.SIGKILL)
		}
		if len(all) == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if s.Instance() == "" {
		return
	}
	_ = os.RemoveAll(dnsmasqDir(s.Instance()))
	stamp := "plimsoll:" + s.Instance()
	for _, family := range []string{"bridge", "inet"} {
		_ = exec.CommandContext(context.Background(), "nft", "delete", "table", family, "plimsoll-"+s.Instance()).Run()
	}
	for _, what := range slices.Concat(namespaces(stamp), links(stamp)) {
		kind, name, _ := strings.Cut(what, " ")
		if kind == "namespace" {
			_ = netns.DeleteNamed(name)
		} else if l, err := netlink.LinkByName(name); err == nil {
			_ = netlink.LinkDel(l)
		}
	}
}

func links(stamp string) []string {
	var left []string
	all, err := netlink.LinkList()
	for end := time.Now().Add(10 * time.Second); errors.Is(err, netlink.ErrDumpInterrupted) && time.Now().Before(end); { // another test changed a link meanwhile
		time.Sleep(10 * time.Millisecond)
		all, err = netlink.LinkList()
	}
	if err != nil {
		return []string{fmt.Sprintf("links cannot be listed: %v", err)}
	}
	for _, l := range all {
		if strings.Contains(l.Attrs().Alias, stamp) { // an interface of the host's that was taken into a bridge has it behind its own alias
			left = append(left, "link "+l.Attrs().Name)
		}
	}
	return left
}

// namespaces lists those of which the loopback link is stamped.
func namespaces(stamp string) []string {
	var left []string
	names, _ := filepath.Glob("/run/netns/*")
	for _, path := range names {
		ns, err := netns.GetFromPath(path)
		if err != nil {
			continue // a test that runs beside removed it
		}
		if loStamp(ns) == stamp {
			left = append(left, "namespace "+filepath.Base(path))
		}
		_ = ns.Close()
	}
	return left
}

func loStamp(ns netns.NsHandle) string {
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		return ""
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		return ""
	}
	return lo.Attrs().Alias
}

// processes lists those whose command line names the state directory.
func processes(stateDir string) []string {
	var left []string
	for _, p := range processesOf(stateDir) {
		left = append(left, fmt.Sprintf("process %d: %s", p.PID, p.Command))
	}
	return left
}

// Process is a process that works for a server.
type Process struct {
	PID     int
	Command string // its command line, separated by spaces
}

// HAProxies returns the HAProxy processes of the server's data plane.
func (s *Server) HAProxies() []Process {
	return slices.DeleteFunc(processesOf(s.StateDir), func(p Process) bool {
		return !strings.Contains(strings.Fields(p.Command)[0], "haproxy")
	})
}

// DNSMasqs returns the dnsmasq processes of the server's networks and routers.
func (s *Server) DNSMasqs() []Process { return processesOf(dnsmasqDir(s.Instance())) }

// Engines returns the processes of the server's engine: the supervisor and the engine itself.
func (s *Server) Engines() []Process {
	return slices.DeleteFunc(processesOf(s.StateDir), func(p Process) bool {
		words := strings.Fields(p.Command)
		return len(words) < 2 || words[1] != "engine"
	})
}

func processesOf(stateDir string) []Process {
	var found []Process
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(line, []byte(stateDir)) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		found = append(found, Process{pid, string(bytes.TrimSpace(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))})
	}
	return found
}
