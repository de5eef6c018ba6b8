package engine

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/failpoint"
	"plimsoll/internal/network"
)

// hostPause lies between two looks at what was made of the plan, when nobody asks for it; hostSoon is for how long the engine waits, when
// ports were plugged, for more of them.
const (
	hostPause, hostMost = 30 * time.Second, 5 * time.Minute
	hostSoon            = 100 * time.Millisecond
)

// planFile is the last plan that was taken, in the engine's folder of the host.
const planFile = "plan.pb"

// The kinds of objects of a plan.
const (
	kindRouter = "router"
	kindDhcp   = "dhcp"
)

// hosting is what the engine does for the network service.
type hosting struct {
	applying chan struct{} // holds a token while a plan is applied
	poked    chan struct{} // holds one when the plan is to be applied again soon

	mu       sync.Mutex
	plan     *enginepb.HostPlan // the last one; nil is none
	settled  map[string]proto.Message
	failures string    // as they were told last
	looked   time.Time // when everything was looked at last
}

func newHosting() *hosting {
	return &hosting{applying: make(chan struct{}, 1), poked: make(chan struct{}, 1), settled: map[string]proto.Message{}}
}

// ApplyHost makes what the host does for the network service what the plan says. The plan is kept first, so that the engine makes it
// again after a crash or a reboot. One that differs from the last costs what differs; when it comes again, everything is looked at.
func (e *Engine) ApplyHost(ctx context.Context, plan *enginepb.HostPlan) (*enginepb.HostReply, error) {
	if err := checkPlan(plan); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "apply host plan: %v", err)
	}
	if err := e.hosting.begin(ctx); err != nil {
		return nil, err
	}
	defer e.hosting.end()
	if err := e.keepPlan(plan); err != nil {
		return nil, status.Errorf(codes.Internal, "keep the host's plan: %v", err)
	}
	failpoint.Here("engine.host.written")
	failures := e.applyPlan(ctx, plan)
	e.hosting.told(failures)
	return &enginepb.HostReply{Failures: failures}, nil
}

// begin waits for its turn, as long as ctx lives.
func (h *hosting) begin(ctx context.Context) error {
	select {
	case h.applying <- struct{}{}:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

func (h *hosting) end() { <-h.applying }

// keepPlan stores a plan. One that comes again asks for a look at everything.
func (e *Engine) keepPlan(plan *enginepb.HostPlan) error {
	if proto.Equal(plan, e.hosting.current()) {
		e.hosting.unsettleAll()
		return nil
	}
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(plan)
	if err != nil {
		return err
	}
	if err := writeFile(e.files.host.path(planFile), text); err != nil {
		return err
	}
	e.hosting.mu.Lock()
	defer e.hosting.mu.Unlock()
	e.hosting.plan = plan
	return nil
}

// current is the last plan; nil is none.
func (h *hosting) current() *enginepb.HostPlan {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.plan
}

// applyPlan does what a plan says. The guards come first: nothing passes a port that is guarded before they know it.
func (e *Engine) applyPlan(ctx context.Context, plan *enginepb.HostPlan) []*enginepb.HostFailure {
	var failures []*enginepb.HostFailure
	for _, apply := range []func(context.Context, *enginepb.HostPlan) []*enginepb.HostFailure{
		e.applyGuards, e.applyTunnels, e.applyRouters, e.applyDhcps,
	} {
		failures = append(failures, apply(ctx, plan)...)
	}
	if id := failpoint.Value("engine.hostFailure"); id != "" {
		failures = append(failures, &enginepb.HostFailure{ObjectId: id, Reason: "a test wants it to fail"})
	}
	slices.SortStableFunc(failures, func(a, b *enginepb.HostFailure) int { return cmp.Compare(a.ObjectId, b.ObjectId) })
	return failures
}

// told notes which failures are known, and says whether they are others than before.
func (h *hosting) told(failures []*enginepb.HostFailure) (news bool) {
	var text strings.Builder
	for _, f := range failures {
		text.WriteString(f.ObjectId + ": " + f.Reason + "\n")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	news, h.failures = text.String() != h.failures, text.String()
	return news
}

// begun is what an object counts as that is being made.
var begun proto.Message = &enginepb.HostPlan{}

// begin tells whether an object is to be made as m says, for it is not known to be so.
func (e *Engine) begin(kind, id string, m proto.Message) bool {
	if e.settled(kind, id, m) {
		return false
	}
	e.hosting.mu.Lock()
	defer e.hosting.mu.Unlock()
	e.hosting.settled[kind+"/"+id] = begun
	return true
}

// settle notes that an object of the plan was made as m says, unless it was unsettled since it was begun. What is settled need not be looked
// at for as long as the plan says the same of it; unsettle ends that.
func (e *Engine) settle(kind, id string, m proto.Message) {
	e.hosting.mu.Lock()
	defer e.hosting.mu.Unlock()
	if e.hosting.settled[kind+"/"+id] == begun {
		e.hosting.settled[kind+"/"+id] = m
	}
}

// settled tells whether an object is known to be as m says.
func (e *Engine) settled(kind, id string, m proto.Message) bool {
	e.hosting.mu.Lock()
	defer e.hosting.mu.Unlock()
	was := e.hosting.settled[kind+"/"+id]
	return was != nil && proto.Equal(was, m)
}

// unsettle has an object looked at when the plan is applied next. Call it also for one that is removed.
func (e *Engine) unsettle(kind, id string) {
	e.hosting.mu.Lock()
	defer e.hosting.mu.Unlock()
	delete(e.hosting.settled, kind+"/"+id)
}

func (h *hosting) unsettleAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.settled)
	h.looked = time.Now()
}

// planned tells whether the host's plan needs a network namespace, although no port may be in it.
func (e *Engine) planned(netns string) bool {
	plan := e.hosting.current()
	if id, ok := strings.CutPrefix(netns, network.RouterNetNS); ok {
		return slices.ContainsFunc(plan.GetRouters(), func(r *enginepb.Router) bool { return r.Id == id })
	}
	if id, ok := strings.CutPrefix(netns, network.DHCPNetNS); ok {
		return slices.ContainsFunc(plan.GetDhcps(), func(d *enginepb.Dhcp) bool { return d.NetworkId == id })
	}
	return false
}

// replugged has the plan applied again soon to what happens in a namespace, of which a link was made or changed: its routes may be gone, or
// it was what the plan was waiting for.
func (e *Engine) replugged(netns string) {
	if id, ok := strings.CutPrefix(netns, network.RouterNetNS); ok {
		e.unsettle(kindRouter, id)
	} else if id, ok := strings.CutPrefix(netns, network.DHCPNetNS); ok {
		e.unsettle(kindDhcp, id)
	} else {
		return
	}
	select {
	case e.hosting.poked <- struct{}{}:
	default:
	}
}

// restoreHost reads the plan that was kept, and closes the ports that it guards before anything is plugged. The rest comes with keepHost.
func (e *Engine) restoreHost(ctx context.Context) {
	text, err := os.ReadFile(e.files.host.path(planFile))
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	plan := &enginepb.HostPlan{}
	if err == nil {
		err = proto.Unmarshal(text, plan)
	}
	if err == nil {
		err = checkPlan(plan)
	}
	if err != nil {
		e.log.Error("host's plan unreadable; the server sends it again", "err", err)
		return
	}
	e.hosting.mu.Lock()
	e.hosting.plan = plan
	e.hosting.mu.Unlock()
	for _, f := range e.applyGuards(ctx, plan) {
		e.log.Error("ports not guarded", "object", f.ObjectId, "err", f.Reason)
	}
}

// keepHost applies the plan again: when the engine starts, when ports were plugged that it concerns, and from time to time, since what was
// made may be damaged. Whoever watches is told when that comes out otherwise than before.
func (e *Engine) keepHost(ctx context.Context) error {
	for wait := time.Duration(0); ctx.Err() == nil; {
		select {
		case <-ctx.Done():
			return nil
		case <-e.hosting.poked:
			pause(ctx, hostSoon)
		case <-time.After(wait):
			if left := hostPause - e.hosting.since(); wait > 0 && left > 0 {
				wait = left // somebody else has looked
				continue
			}
			e.hosting.unsettleAll()
		}
		began := time.Now()
		e.reapplyHost(ctx)
		wait = pace(hostPause, time.Since(began), hostMost)
	}
	return nil
}

// since tells for how long nobody has looked at everything.
func (h *hosting) since() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Since(h.looked)
}

func (e *Engine) reapplyHost(ctx context.Context) {
	if e.hosting.begin(ctx) != nil {
		return
	}
	defer e.hosting.end()
	plan := e.hosting.current()
	if plan == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	failures := e.applyPlan(ctx, plan)
	if e.hosting.told(failures) && ctx.Err() == nil {
		e.hub.publish(theHost)
	}
}
