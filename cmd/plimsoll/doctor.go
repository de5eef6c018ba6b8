package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"plimsoll/internal/linux"
	"plimsoll/internal/statedir"
)

// finding is what the doctor says of one thing.
type finding struct {
	verdict verdict
	what    string
	detail  string
	remedy  string // how to get it, unless all is well
}

type verdict string

// A thing that is missing keeps Plimsoll from serving; one that is warned of does not.
const (
	fine    verdict = "ok"
	warn    verdict = "warn"
	missing verdict = "missing"
)

func doctorCommand() *cobra.Command {
	var place serveOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this host lacks, and how to get it",
		Long: `Doctor looks at everything that Plimsoll needs of a host: programs, rights, the kernel (by trying, when run as root), limits,
the state directory, the engine and the server's address; and the Avi Controllers that the configuration names: whether they answer,
let the user in and have what load balancers need. It changes nothing. It fails when something that is needed is missing.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := place.load()
			if err != nil {
				return err
			}
			return tell(cmd.OutOrStdout(), append(examine(cmd.Context(), c.StatePath, c.API.Listen()), examineControllers(cmd.Context(), c)...))
		},
	}
	place.flags(cmd)
	return cmd
}

func tell(out io.Writer, findings []finding) error {
	lacking := 0
	for _, f := range findings {
		fmt.Fprintf(out, "%-8s %-16s %s\n", f.verdict, f.what, f.detail)
		if f.remedy != "" {
			fmt.Fprintf(out, "%25s → %s\n", "", f.remedy)
		}
		if f.verdict == missing {
			lacking++
		}
	}
	if lacking > 0 {
		return fmt.Errorf("%d of the things that are needed are missing", lacking)
	}
	return nil
}

func examine(ctx context.Context, stateDir, address string) []finding {
	return []finding{
		examineHAProxy(ctx),
		examineDnsmasq(ctx),
		examineProgram("ip", "iproute2", "to look into network namespaces"),
		examineProgram("nft", "nftables", "to look at packet filters"),
		examineRights(),
		examineKernel(),
		examineGuards(),
		examineFiles(),
		examineNeighbours(),
		examineUser(),
		examineHAProxyUser(),
		examineStateDir(stateDir),
		examineEngine(ctx, stateDir),
		examineAddress(ctx, stateDir, address),
	}
}

var haproxyVersion = regexp.MustCompile(`HAProxy version (\d+)\.(\d+)\S*`)

func examineHAProxy(ctx context.Context) finding {
	f := finding{verdict: missing, what: "haproxy", remedy: "make deps, or: apt install haproxy"}
	path, err := findProgram("haproxy")
	if err != nil {
		f.detail = err.Error()
		return f
	}
	out, err := exec.CommandContext(ctx, path, "-vv").CombinedOutput()
	if err != nil {
		f.detail = fmt.Sprintf("%s does not run: %v", path, err)
		return f
	}
	return judgeHAProxy(path, string(out))
}

// judgeHAProxy reads what "haproxy -vv" prints. From 2.6 on, servers that are added while it runs can have health checks.
func judgeHAProxy(path, text string) finding {
	f := finding{verdict: missing, what: "haproxy", remedy: "install HAProxy 2.6 or later"}
	m := haproxyVersion.FindStringSubmatch(text)
	if m == nil {
		f.detail = path + " tells no version"
		return f
	}
	f.detail = m[0] + " at " + path
	major, _ := strconv.Atoi(m[1]) // the pattern lets digits through only
	minor, _ := strconv.Atoi(m[2])
	switch {
	case major < 2 || major == 2 && minor < 6:
	case !strings.Contains(text, "+OPENSSL"):
		f.detail, f.remedy = f.detail+", without TLS", "install a build with OpenSSL"
	default:
		f.verdict, f.remedy = fine, ""
	}
	return f
}

// examineDnsmasq looks for the program that serves DHCP. Load balancers do without.
func examineDnsmasq(ctx context.Context) finding {
	path, err := findProgram("dnsmasq")
	if err != nil {
		return finding{warn, "dnsmasq", err.Error() + "; networks have no DHCP, and no router advertisements, without it", "make deps, or: apt install dnsmasq-base"}
	}
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	first, _, _ := strings.Cut(string(out), "\n")
	words := strings.Fields(first)
	if err != nil || len(words) < 3 {
		return finding{warn, "dnsmasq", path + " tells no version", "apt install dnsmasq-base"}
	}
	return finding{verdict: fine, what: "dnsmasq", detail: "version " + words[2] + " at " + path}
}

func examineProgram(name, pkg, use string) finding {
	path, err := findProgram(name)
	if err != nil {
		return finding{warn, name, err.Error() + "; people use it " + use, "apt install " + pkg}
	}
	return finding{verdict: fine, what: name, detail: path}
}

// examineRights looks for the capabilities that the engine needs (capabilities(7)).
func examineRights() finding {
	f := finding{verdict: fine, what: "rights", detail: "CAP_NET_ADMIN and CAP_SYS_ADMIN"}
	has, err := effectiveCapabilities()
	if err != nil {
		return finding{warn, "rights", err.Error(), ""}
	}
	var lacking []string
	for bit, name := range map[int]string{unix.CAP_NET_ADMIN: "CAP_NET_ADMIN", unix.CAP_SYS_ADMIN: "CAP_SYS_ADMIN"} {
		if has&(1<<bit) == 0 {
			lacking = append(lacking, name)
		}
	}
	switch {
	case len(lacking) == 0:
	case os.Geteuid() != 0:
		f.verdict, f.detail = warn, "not root: the APIs can be served, load balancers cannot be made"
		f.remedy = "run doctor, and the server, as root"
	default:
		f.verdict, f.detail = missing, "root lacks "+strings.Join(lacking, " and ")
		f.remedy = "in a container: start it with those capabilities added"
	}
	return f
}

func effectiveCapabilities() (uint64, error) {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if text, ok := strings.CutPrefix(line, "CapEff:"); ok {
			return strconv.ParseUint(strings.TrimSpace(text), 16, 64)
		}
	}
	return 0, errors.New("the kernel does not tell the capabilities of a process")
}

// examineKernel makes a namespace, a link and a bridge, and takes them away again.
func examineKernel() finding {
	f := finding{verdict: fine, what: "kernel", detail: "network namespaces, veth links and bridges work"}
	if os.Geteuid() != 0 {
		return finding{warn, "kernel", "only root can try network namespaces, links and bridges", "run doctor as root"}
	}
	if err := tryKernel(); err != nil {
		return finding{
			missing, "kernel", err.Error(),
			"the kernel needs CONFIG_NET_NS, CONFIG_VETH and CONFIG_BRIDGE (modprobe veth bridge); a container needs CAP_NET_ADMIN and CAP_SYS_ADMIN",
		}
	}
	return f
}

func tryKernel() (err error) {
	id := uuid.NewString()
	host, err := linux.Open("doctor-" + id)
	if err != nil {
		return err
	}
	defer host.Close()
	defer func() { err = errors.Join(err, host.Sweep(nil, nil)) }()
	namespace := "plimsoll-doctor-" + id[:8]
	if _, err := host.EnsureNamespace(namespace); err != nil {
		return err
	}
	_, err = host.EnsurePort(namespace, linux.Port{ID: id, NetworkID: id})
	return err
}

// examineGuards looks whether security groups can be enforced.
func examineGuards() finding {
	f := finding{verdict: fine, what: "security groups", detail: "the kernel has br_netfilter and nftables"}
	if os.Geteuid() != 0 {
		return finding{warn, f.what, "only root can try nftables", "run doctor as root"}
	}
	if err := linux.TryGuards(); err != nil {
		return finding{warn, f.what, err.Error() + "; ports that are guarded stay closed",
			"the kernel needs CONFIG_BRIDGE_NETFILTER, CONFIG_NF_TABLES_BRIDGE and CONFIG_NF_TABLES_INET with CONFIG_NFT_CT (modprobe br_netfilter nf_tables)"}
	}
	if others, _ := linux.ForeignFilters(); len(others) > 0 { // what cannot be read is not known to drop anything
		return finding{warn, f.what, "these drop what bridges forward between guarded ports, too: " + strings.Join(others, ", "),
			"have them accept it: iifname \"brq*\" accept, in nftables; -I FORWARD -m physdev --physdev-is-bridged -j ACCEPT, in iptables"}
	}
	return f
}

// fewFiles is how many files HAProxy needs for some thousand connections: two for each.
const fewFiles = 20000

func examineFiles() finding {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return finding{warn, "open files", err.Error(), ""}
	}
	f := finding{verdict: fine, what: "open files", detail: fmt.Sprintf("at most %d for each process", limit.Max)}
	if limit.Max < fewFiles {
		f.verdict = warn
		f.detail += fmt.Sprintf(": a load balancer serves less than %d connections at a time", limit.Max/2)
		f.remedy = "raise the hard limit: ulimit -Hn, or LimitNOFILE in the service's unit"
	}
	return f
}

// fewNeighbours is what the kernel allows by default, which some hundreds of load balancers with their members use up.
const fewNeighbours = 1024

// examineNeighbours looks at the neighbour table, which all network namespaces of a host share.
func examineNeighbours() finding {
	f := finding{verdict: fine, what: "neighbours"}
	text, err := os.ReadFile("/proc/sys/net/ipv4/neigh/default/gc_thresh3")
	if err != nil {
		f.detail = "the size of the neighbour table is not known"
		return f
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	f.detail = fmt.Sprintf("at most %d in the table that all namespaces share", n)
	if err == nil && n <= fewNeighbours {
		f.verdict = warn
		f.detail += ": members of some hundreds of load balancers become unreachable"
		f.remedy = "sysctl -w net.ipv4.neigh.default.gc_thresh3=65536 net.ipv4.neigh.default.gc_thresh2=32768, and the same for ipv6; " +
			"keep it in /etc/sysctl.d"
	}
	return f
}

func examineUser() finding {
	u, err := statedir.Unprivileged()
	switch {
	case err != nil:
		return finding{missing, "user", err.Error(), "useradd --system --shell /usr/sbin/nologin plimsoll"}
	case u.Name != "plimsoll":
		return finding{
			warn, "user", "there is no user plimsoll: a server that is started as root goes on as " + u.Name,
			"useradd --system --shell /usr/sbin/nologin plimsoll",
		}
	}
	return finding{verdict: fine, what: "user", detail: u.Name}
}

// examineHAProxyUser warns where a broken HAProxy would have the server's own rights, and with them the state directory.
func examineHAProxyUser() finding {
	if _, err := user.Lookup("haproxy"); err == nil {
		return finding{verdict: fine, what: "HAProxy's user", detail: "haproxy"}
	}
	return finding{
		warn, "HAProxy's user", "there is no user haproxy: HAProxy runs as nobody, whom other services may be, too",
		"useradd --system --shell /usr/sbin/nologin haproxy",
	}
}

func examineStateDir(path string) finding {
	f := finding{verdict: fine, what: "state directory", detail: path}
	place := path
	for { // the nearest that is there is where the rest would be made
		_, err := os.Stat(place)
		if !errors.Is(err, fs.ErrNotExist) || place == filepath.Dir(place) {
			break
		}
		place = filepath.Dir(place)
	}
	if err := unix.Access(place, unix.W_OK); err != nil {
		return finding{missing, f.what, fmt.Sprintf("%s cannot be written in: %v", place, err), "choose another with --state-dir, or open it"}
	}
	if place != path {
		f.detail += " (the first start makes it)"
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(place, &disk); err != nil {
		return finding{missing, f.what, fmt.Sprintf("%s: %v", place, err), ""}
	}
	if free := disk.Bavail * uint64(disk.Bsize) >> 20; free < 256 {
		f.verdict, f.remedy = warn, "free some space"
		f.detail += fmt.Sprintf(": %d MB are left on its disk", free)
	}
	return f
}

func examineEngine(ctx context.Context, stateDir string) finding {
	f := finding{verdict: warn, what: "engine", remedy: `"plimsoll serve" starts it when run as root`}
	dir, err := statedir.Open(stateDir)
	if errors.Is(err, fs.ErrNotExist) {
		f.detail = "not running: the state directory is not there yet"
		return f
	}
	if err != nil {
		f.detail, f.remedy = err.Error(), ""
		return f
	}
	defer dir.Close()
	found, err := hello(ctx, dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.detail = "not running"
	case err != nil:
		f.verdict, f.detail = missing, "it does not answer: "+err.Error()
		f.remedy = "see " + dir.EngineLog() + "; " + f.remedy
	default:
		return finding{verdict: fine, what: "engine", detail: fmt.Sprintf("process %d answers, version %s", found.GetPid(), found.GetVersion())}
	}
	return f
}

func examineAddress(ctx context.Context, stateDir, address string) finding {
	f := finding{verdict: fine, what: "address", detail: address + " is free"}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		_ = l.Close()
	case !errors.Is(err, syscall.EADDRINUSE):
		return finding{missing, f.what, err.Error(), "choose another with --listen"}
	case serving(stateDir):
		f.detail = address + " is in use, and a server runs on the state directory"
	default:
		return finding{missing, f.what, address + " is in use by another program", "stop that program (ss -ltnp shows it), or choose another with --listen"}
	}
	return f
}

// serving tells whether a server runs on a state directory.
func serving(stateDir string) bool {
	dir, err := statedir.Open(stateDir)
	if err != nil {
		return false
	}
	defer dir.Close()
	lock, err := dir.Lock()
	if err == nil {
		_ = lock.Close()
	}
	return errors.As(err, new(*statedir.InUse))
}
