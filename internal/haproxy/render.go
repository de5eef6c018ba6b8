// Package haproxy turns load balancers into HAProxy's configuration and reads HAProxy's answers. It decides everything
// and does nothing: no file, socket or process is touched here. The engine carries out what it says.
//
// Render gives the wanted configuration of a load balancer, File its text, Diff how a running HAProxy gets from one to
// the next, Retreat what is left of it when HAProxy refuses a part.
package haproxy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// The names of the files in a load balancer's run directory.
const (
	ConfigFile = "haproxy.conf"
	SocketFile = "haproxy_stats.sock"
	PIDFile    = "haproxy.pid"
	StateFile  = "servers_state" // HandOver's text, written before each start
)

// StatsSocket is the line that makes the Runtime API's socket, in the directory that HAProxy is started in.
const StatsSocket = "stats socket unix@" + SocketFile + " mode 0600 level admin expose-fd listeners"

// DefaultHardStop is how long a process that was replaced may serve the connections that it has.
const DefaultHardStop = 30 * time.Minute

// Options are what the host decides, the same for all its load balancers.
type Options struct {
	StateDir string        // absolute; the run directories are below it
	User     string        // whom HAProxy runs as, with Group; "" leaves it to whoever starts it
	Group    string        //
	FDLimit  int           // file descriptors that the process may have; 0 leaves maxconn to HAProxy
	HardStop time.Duration // 0 is DefaultHardStop
}

// RunDir is the directory of a load balancer's files.
func (o Options) RunDir(loadBalancerID string) string {
	return filepath.Join(o.StateDir, "lbaas", "v2", loadBalancerID)
}

func (o Options) hardStop() time.Duration {
	if o.HardStop <= 0 {
		return DefaultHardStop
	}
	return o.HardStop
}

// Secrets are what listeners and pools refer to, by reference, as PEM: for a certificate the certificate, its chain and its private
// key; for authorities their certificates; for a revocation list the list. A listener or pool that refers to what is not
// there is not rendered: whoever calls Render holds it in its last good form (enginepb.Spec.HeldObjects).
type Secrets map[string][]byte

// Render gives the wanted state of a load balancer on its host: lb with its whole tree, the ports that reach its
// networks (the VIP's first), the secrets that it refers to, and the host's options. It is pure; the order of lb's parts makes no difference. A flavor that
// ParseFlavor refuses counts for nothing.
func Render(lb *lbaas.LoadBalancer, ports []*enginepb.Port, secrets Secrets, opts Options) *enginepb.Spec {
	spec := &enginepb.Spec{
		LoadBalancerId:       lb.ID,
		Epoch:                lb.Epoch,
		Generation:           lb.Progress.Generation,
		Ports:                ports,
		FailedOver:           lb.FailedOver,
		Checks:               engineChecks(lb),
		HardStopAfterSeconds: int32(opts.hardStop() / time.Second),
		AccessLog:            lb.AccessLog,
	}
	for _, l := range secrets.listeners(lb) {
		spec.Sections = append(spec.Sections, frontend(lb, l, opts))
	}
	for _, c := range secrets.copies(lb) {
		spec.Sections = append(spec.Sections, backend(c, lb.VIPAddress))
	}
	if s := exporter(lb, secrets.listeners(lb)); s != nil {
		spec.Sections = append(spec.Sections, s)
	}
	// Also of pools that are held in their last good form: that has the members that are wanted now.
	for _, c := range copies(lb) {
		spec.Servers = append(spec.Servers, servers(c)...)
	}
	spec.Files = append(spec.Files, secrets.files(lb)...)
	for _, l := range secrets.listeners(lb) {
		if f := limitsMap(l); f != nil {
			spec.Files = append(spec.Files, f)
		}
	}
	spec.Datagrams = forwarded(lb)
	for _, l := range lb.Listeners {
		spec.Listeners = append(spec.Listeners, l.ID)
	}
	slices.Sort(spec.Listeners)
	head := []*enginepb.Section{global(lb, spec, opts), defaults(lb)}
	if t := tables(lb, spec); t != nil {
		head = append(head, t)
	}
	spec.Sections = append(head, spec.Sections...)
	spec.Hash = hash(spec)
	return spec
}

// listeners are those that HAProxy serves, the oldest first.
func listeners(lb *lbaas.LoadBalancer) []*lbaas.Listener {
	return slices.DeleteFunc(serving(lb), func(l *lbaas.Listener) bool { return isDatagram(l.Protocol) })
}

// serving are the listeners that serve, the oldest first. A listener that is switched off has no frontend, for a frontend
// without a bind is of no use to HAProxy.
func serving(lb *lbaas.LoadBalancer) []*lbaas.Listener {
	if !lb.AdminStateUp {
		return nil
	}
	up := slices.DeleteFunc(slices.Clone(lb.Listeners), func(l *lbaas.Listener) bool { return !l.AdminStateUp })
	slices.SortFunc(up, func(a, b *lbaas.Listener) int { return oldest(&a.Object, &b.Object) })
	return up
}

// A poolCopy is a pool as one of its listeners uses it: timeouts are the listener's.
type poolCopy struct {
	pool     *lbaas.Pool
	listener *lbaas.Listener
	// first is the copy that checks the members; nil when this is it.
	first *poolCopy
}

// name is the name of the copy's backend.
func (c *poolCopy) name() string { return c.pool.ID + ":" + c.listener.ID }

// copies are the backends of a load balancer: one for each listener that uses a pool, as its default or by an L7 policy, in
// the order of the listeners.
func copies(lb *lbaas.LoadBalancer) []*poolCopy {
	var all []*poolCopy
	first := map[string]*poolCopy{}
	for _, l := range listeners(lb) {
		for _, p := range pools(lb, l) {
			c := &poolCopy{pool: p, listener: l, first: first[p.ID]}
			if c.first == nil {
				first[p.ID] = c
			}
			all = append(all, c)
		}
	}
	return all
}

// pools are the pools that a listener uses, the oldest first, so that the order of its policies moves no section.
func pools(lb *lbaas.LoadBalancer, l *lbaas.Listener) []*lbaas.Pool {
	all := lb.PoolsOf(l)
	slices.SortFunc(all, func(a, b *lbaas.Pool) int { return oldest(&a.Object, &b.Object) })
	return all
}

func oldest(a, b *lbaas.Object) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
}

// hash is over what a Spec asks for, whoever asks and however often.
func hash(spec *enginepb.Spec) string {
	bare := proto.CloneOf(spec)
	bare.Hash, bare.Epoch, bare.Generation = "", 0, 0
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(bare)
	if err != nil { // a string that is not UTF-8: without a hint the engine compares everything
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
