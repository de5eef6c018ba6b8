package engine

import (
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"plimsoll/internal/engine/enginepb"
)

// hub passes the ids of load balancers on to the watches. A slow watch delays nobody: an id that it has not fetched yet
// is kept once.
type hub struct {
	mu      sync.Mutex
	watches map[*watch]bool
	closed  chan struct{}
	once    sync.Once
}

type watch struct {
	ids  map[string]bool
	news chan struct{} // holds one token while ids has some
}

// theHost stands among the ids for what was made of the HostPlan.
const theHost = "host"

func newHub() *hub { return &hub{watches: map[*watch]bool{}, closed: make(chan struct{})} }

func (h *hub) publish(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watches {
		w.ids[id] = true
		select {
		case w.news <- struct{}{}:
		default:
		}
	}
}

func (h *hub) join() *watch {
	w := &watch{ids: map[string]bool{}, news: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watches[w] = true
	return w
}

func (h *hub) leave(w *watch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watches, w)
}

func (h *hub) fetch(w *watch) map[string]bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	ids := w.ids
	w.ids = map[string]bool{}
	return ids
}

// close ends all watches.
func (h *hub) close() { h.once.Do(func() { close(h.closed) }) }

// Watch sends the id of a load balancer each time its data plane changed by itself.
func (e *Engine) Watch(_ *enginepb.WatchRequest, stream enginepb.Engine_WatchServer) error {
	w := e.hub.join()
	defer e.hub.leave(w)
	if err := stream.Send(&enginepb.WatchEvent{}); err != nil {
		return err
	}
	for {
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-e.hub.closed:
			return status.Error(codes.Unavailable, "the engine ends")
		case <-w.news:
		}
		for id := range e.hub.fetch(w) {
			event := &enginepb.WatchEvent{LoadBalancerId: id}
			if id == theHost {
				event = &enginepb.WatchEvent{Host: true}
			}
			if err := stream.Send(event); err != nil {
				return err
			}
		}
	}
}
