package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// JanitorConfig is what a Janitor needs. Spans that are zero get the defaults that stand beside them.
type JanitorConfig struct {
	Store interface {
		KnownLoadBalancers(ctx context.Context, ids []string) (known []string, err error)
	}
	Networks Networks
	Log      *slog.Logger

	Every time.Duration // 1 min
	Age   time.Duration // 5 min: a port is made before its load balancer's row, so a young one is left alone
}

// Janitor frees the ports of load balancers that never came to be: their port was made, and then the request or the
// process ended before the row was written.
type Janitor struct {
	cfg JanitorConfig
}

// portPage is how many ports are looked at with one question.
const portPage = 500

// NewJanitor returns a janitor, which does nothing until Run.
func NewJanitor(cfg JanitorConfig) *Janitor {
	or(&cfg.Every, time.Minute)
	or(&cfg.Age, 5*time.Minute)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Janitor{cfg: cfg}
}

// Run cleans until ctx ends, and returns nil. Where there are so many ports that it takes long, it comes less often, so that it
// takes a hundredth of the time at most.
func (j *Janitor) Run(ctx context.Context) error {
	for {
		began := time.Now()
		if err := j.clean(ctx); err != nil && ctx.Err() == nil {
			j.cfg.Log.Warn("ports without a load balancer could not be freed", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(jittered(max(j.cfg.Every, 100*time.Since(began)))):
		}
	}
}

// clean frees what it finds, and goes on where one port cannot be freed.
func (j *Janitor) clean(ctx context.Context) error {
	orphans, err := j.orphans(ctx)
	for _, p := range orphans {
		if e := j.free(ctx, p); e != nil && !errors.Is(e, lbaas.NotFound) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// orphans goes through the ports that load balancers use, a page at a time.
func (j *Janitor) orphans(ctx context.Context) ([]*network.Port, error) {
	var orphans []*network.Port
	q := store.Query{
		Filters: []store.Filter{{Attribute: "device_owner", Values: []string{network.OwnerLoadBalancer}}},
		Sort:    []store.Order{{Attribute: "id"}},
		Limit:   portPage,
	}
	for {
		ports, err := j.cfg.Networks.Ports(ctx, q)
		if err != nil || len(ports) == 0 {
			return orphans, err
		}
		q.Marker = ports[len(ports)-1].ID
		exists, err := j.exist(ctx, ports)
		if err != nil {
			return orphans, err
		}
		for _, p := range ports {
			if id := loadBalancerOf(p); id != "" && j.old(p) && !exists[id] {
				orphans = append(orphans, p)
			}
		}
		if len(ports) < portPage {
			return orphans, nil
		}
	}
}

// exist tells which of the load balancers that ports belong to have a row.
func (j *Janitor) exist(ctx context.Context, ports []*network.Port) (map[string]bool, error) {
	var ids []string
	for _, p := range ports {
		if id := loadBalancerOf(p); id != "" {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	known, err := j.cfg.Store.KnownLoadBalancers(ctx, ids)
	exists := map[string]bool{}
	for _, id := range known {
		exists[id] = true
	}
	return exists, err
}

// loadBalancerOf returns the id of the load balancer that a port says it belongs to, or "".
func loadBalancerOf(p *network.Port) string {
	id, ok := strings.CutPrefix(p.DeviceID, devicePrefix)
	if !ok {
		return ""
	}
	return id
}

// old tells whether a port has been as it is for so long that no request can be about to use it.
func (j *Janitor) old(p *network.Port) bool {
	last := p.CreatedAt
	if p.UpdatedAt.After(last) {
		last = p.UpdatedAt
	}
	return time.Since(last) > j.cfg.Age
}

// free deletes a port that we made, which its name tells, and gives back one that a user made.
func (j *Janitor) free(ctx context.Context, p *network.Port) error {
	id := loadBalancerOf(p)
	j.cfg.Log.Info("port has no load balancer", "port", p.ID, "load_balancer", id)
	if strings.HasPrefix(p.Name, "octavia-lb-") && strings.HasSuffix(p.Name, id) {
		return j.cfg.Networks.DeletePort(ctx, p.ID)
	}
	return giveBack(ctx, j.cfg.Networks, p.ID)
}
