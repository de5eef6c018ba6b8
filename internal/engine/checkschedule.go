package engine

import (
	"container/heap"
	"context"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
)

const (
	// mostChecks is how many members are asked at once, mostOfOne how many of one load balancer: members that do not answer hold their
	// place until the timeout, which may be days, and must not keep other load balancers from theirs. A check that finds no place is
	// late.
	mostChecks, mostOfOne = 4096, 256
	// fairness is how many times the places of one load balancer have to be free for it to take one more, beyond its first: however many
	// are greedy, others find some.
	fairness = 4
	// openers is how many sockets are opened at once, each by a thread that enters a namespace.
	openers = 8
	// mostSpread is within which time the first checks begin, at most: a delay may be long, and nothing is known until then.
	mostSpread = 3 * time.Second
)

// schedule says which member is asked when. One goroutine keeps it, and each check that is under way has one.
type schedule struct {
	opening chan struct{} // holds a token for each socket that is being opened
	wake    chan struct{} // holds one token when due has changed
	// ask carries out a check; result takes what came of it, unless the check ended with the engine or the task is gone.
	ask    func(ctx context.Context, id string, c *enginepb.Check, p *enginepb.Probe) error
	result func(b *balancer, t *task, err error)

	mu      sync.Mutex
	due     tasks
	running int
}

func newSchedule() *schedule {
	return &schedule{opening: make(chan struct{}, openers), wake: make(chan struct{}, 1)}
}

// task is a member that is asked again and again.
type task struct {
	owner *balancer
	check *enginepb.Check // without its probes
	probe *enginepb.Probe
	next  time.Time
	index int // in the heap, -1 outside
	gone  bool
	stop  context.CancelFunc // ends the check that is under way; nil before the first
}

// lane is the share of one load balancer. It belongs to the schedule.
type lane struct {
	tasks   map[string]*task // by the member's id
	running int
	waiting []*task // are due, and have no place
}

// follow makes the schedule ask whom a Spec wants asked, and forgets the others. Members that are as they were keep their turn.
// It returns those whose verdict does not hold any more: they are asked at another place.
func (s *schedule) follow(b *balancer, wanted []*enginepb.Check) (moved []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := b.lane.tasks
	b.lane.tasks = map[string]*task{}
	for _, c := range wanted {
		bare := proto.CloneOf(c)
		bare.Probes = nil
		for _, p := range c.Probes {
			old := was[p.MemberId]
			if old != nil && !proto.Equal(old.probe, p) {
				moved = append(moved, p.MemberId)
			}
			if old != nil && proto.Equal(old.probe, p) && proto.Equal(old.check, bare) {
				b.lane.tasks[p.MemberId] = old
				delete(was, p.MemberId)
				continue
			}
			t := &task{owner: b, check: bare, probe: p, index: -1, next: time.Now().Add(spread(p.MemberId, delay(bare)))}
			b.lane.tasks[p.MemberId] = t
			heap.Push(&s.due, t)
		}
	}
	for _, t := range was {
		t.gone = true
		if t.index >= 0 {
			heap.Remove(&s.due, t.index)
		}
		if t.stop != nil { // its socket would keep a removed namespace
			t.stop()
		}
	}
	b.lane.waiting = slices.DeleteFunc(b.lane.waiting, func(t *task) bool { return t.gone })
	s.nudge()
	return moved
}

func delay(c *enginepb.Check) time.Duration { return time.Duration(c.DelaySeconds) * time.Second }

// spread is when a member is first asked: the same for the same member, so that all of them share the time between two checks.
func spread(member string, delay time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(member))
	const steps = 1 << 10
	return min(delay, mostSpread) / steps * time.Duration(h.Sum32()%steps)
}

func (s *schedule) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run asks until ctx ends, and then waits for those that are being asked.
func (s *schedule) run(ctx context.Context) error {
	var asking sync.WaitGroup
	defer asking.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		begun, wait := s.begin()
		for _, t := range begun {
			asking.Go(func() { s.carryOut(ctx, t) })
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-s.wake:
		}
	}
}

// begin takes the tasks that are due and have a place, and tells when to look again.
func (s *schedule) begin() (begun []*task, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for len(s.due) > 0 && s.running < mostChecks {
		t := s.due[0]
		if wait := t.next.Sub(now); wait > 0 {
			return begun, wait
		}
		heap.Pop(&s.due)
		own := &t.owner.lane
		if own.running > 0 && own.running >= min(mostOfOne, (mostChecks-s.running)/fairness) {
			own.waiting = append(own.waiting, t)
			continue
		}
		t.next = now // begins now, however late
		own.running++
		s.running++
		begun = append(begun, t)
	}
	return begun, time.Hour
}

func (s *schedule) carryOut(ctx context.Context, t *task) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s.mu.Lock()
	t.stop = stop
	gone := t.gone
	s.mu.Unlock()
	var err error
	if !gone {
		err = s.ask(ctx, t.owner.id, t.check, t.probe)
	}
	s.mu.Lock()
	gone = t.gone
	s.mu.Unlock()
	if ctx.Err() == nil && !gone {
		s.result(t.owner, t, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.nudge()
	s.running--
	own := &t.owner.lane
	own.running--
	if len(own.waiting) > 0 {
		heap.Push(&s.due, own.waiting[0])
		own.waiting = own.waiting[1:]
	}
	if !t.gone {
		t.next = t.next.Add(delay(t.check)) // has passed, where the check took longer
		heap.Push(&s.due, t)
	}
}

// tasks are a heap, the next first.
type tasks []*task

func (all tasks) Len() int           { return len(all) }
func (all tasks) Less(i, j int) bool { return all[i].next.Before(all[j].next) }
func (all tasks) Swap(i, j int) {
	all[i], all[j] = all[j], all[i]
	all[i].index, all[j].index = i, j
}

// Push implements heap.Interface.
func (all *tasks) Push(x any) {
	t := x.(*task)
	t.index = len(*all)
	*all = append(*all, t)
}

// Pop implements heap.Interface.
func (all *tasks) Pop() any {
	last := (*all)[len(*all)-1]
	(*all)[len(*all)-1] = nil
	*all = (*all)[:len(*all)-1]
	last.index = -1
	return last
}
