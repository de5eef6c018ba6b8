package octavia

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"slices"

	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// Amphorae are the instances of the data plane, as providers last reported them. The loop writes them; here they are read, and
// one that is broken may be forgotten.

type amphoraJSON struct {
	ID             string  `json:"id"`
	LoadBalancerID *string `json:"loadbalancer_id"`
	ComputeID      *string `json:"compute_id"`
	LBNetworkIP    *string `json:"lb_network_ip"`
	VRRPIP         *string `json:"vrrp_ip"`
	HAIP           *string `json:"ha_ip"`
	VRRPPortID     *string `json:"vrrp_port_id"`
	HAPortID       *string `json:"ha_port_id"`
	CertExpiration *string `json:"cert_expiration"`
	CertBusy       bool    `json:"cert_busy"`
	Role           *string `json:"role"`
	Status         *string `json:"status"`
	VRRPInterface  *string `json:"vrrp_interface"`
	VRRPID         *int    `json:"vrrp_id"`
	VRRPPriority   *int    `json:"vrrp_priority"`
	CachedZone     *string `json:"cached_zone"`
	CreatedAt      *string `json:"created_at"`
	UpdatedAt      *string `json:"updated_at"`
	ImageID        *string `json:"image_id"`
	ComputeFlavor  *string `json:"compute_flavor"`
}

func amphoraOf(a *lbaas.Amphora, _ view) amphoraJSON {
	return amphoraJSON{
		ID: a.ID, LoadBalancerID: orNull(a.LoadBalancerID), ComputeID: orNull(a.ComputeID),
		LBNetworkIP: addressOrNull(a.LBNetworkIP), VRRPIP: addressOrNull(a.VRRPIP), HAIP: addressOrNull(a.HAIP),
		VRRPPortID: orNull(a.VRRPPortID), HAPortID: orNull(a.HAPortID),
		CertExpiration: moment(a.CertExpiration), CertBusy: a.CertBusy, Role: orNull(a.Role), Status: orNull(a.Status),
		VRRPInterface: orNull(a.VRRPInterface), VRRPID: orNullInt(a.VRRPID), VRRPPriority: orNullInt(a.VRRPPriority),
		CachedZone: orNull(a.CachedZone), CreatedAt: moment(a.CreatedAt), UpdatedAt: moment(a.UpdatedAt),
		ImageID: orNull(a.ImageID), ComputeFlavor: orNull(a.ComputeFlavor),
	}
}

func addressOrNull(a netip.Addr) *string {
	if !a.IsValid() {
		return nil
	}
	return orNull(a.String())
}

// amphora returns the amphora that the path names, if the actor may do what the route does.
func (a *API) amphora(ctx context.Context, r *request) (*lbaas.Amphora, error) {
	id, err := r.id("id", lbaas.NounAmphora)
	if err != nil {
		return nil, err
	}
	amphora, err := a.Store.Amphora(ctx, id)
	if err != nil {
		return nil, err
	}
	return amphora, r.allow(amphora.ProjectID)
}

func (a *API) showAmphora(ctx context.Context, r *request) (web.Reply, error) {
	amphora, err := a.amphora(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	v := viewOf(r.Request)
	return reply(http.StatusOK, "amphora", v.of(amphoraOf(amphora, v)))
}

// deleteAmphora forgets an amphora that is broken. The others are in use.
func (a *API) deleteAmphora(ctx context.Context, r *request) (web.Reply, error) {
	amphora, err := a.amphora(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	if err := a.Store.DeleteAmphora(ctx, amphora.ID); err != nil {
		return web.Reply{}, err
	}
	return noContent()
}

// amphoraStatsJSON are the counters of one listener.
type amphoraStatsJSON struct {
	ID             string `json:"id"`
	LoadBalancerID string `json:"loadbalancer_id"`
	ListenerID     string `json:"listener_id"`
	statsJSON
}

// amphoraStats answers the counters of the load balancer's listeners, which all of its amphorae serve.
func (a *API) amphoraStats(ctx context.Context, r *request) (web.Reply, error) {
	amphora, err := a.amphora(ctx, r)
	if errors.Is(err, lbaas.NotFound) {
		err = noAmphoraStats(r.PathValue("id"))
	}
	if err != nil {
		return web.Reply{}, err
	}
	lb, err := a.Store.LoadBalancer(ctx, amphora.LoadBalancerID)
	if err != nil {
		return web.Reply{}, err
	}
	all, err := a.statistics(ctx, r, lb)
	if err != nil {
		return web.Reply{}, err
	}
	if len(all) == 0 {
		return web.Reply{}, noAmphoraStats(amphora.ID)
	}
	out := make([]amphoraStatsJSON, 0, len(all))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		out = append(out, amphoraStatsJSON{amphora.ID, lb.ID, id, statsOf(all[id])})
	}
	return reply(http.StatusOK, "amphora_stats", out)
}

func noAmphoraStats(id string) error { return lbaas.Missing("Amphora stats for", id) }

// configureAmphora has what an amphora serves applied again.
func (a *API) configureAmphora(ctx context.Context, r *request) (web.Reply, error) {
	amphora, err := a.amphora(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	err = a.Store.ChangeLoadBalancer(ctx, amphora.LoadBalancerID, func(c *store.Change) error { return c.Touch(c.LB) })
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusAccepted}, nil
}

// failOverAmphora makes an amphora anew, and the others of its load balancer with it.
func (a *API) failOverAmphora(ctx context.Context, r *request) (web.Reply, error) {
	amphora, err := a.amphora(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	lb, err := a.Store.LoadBalancer(ctx, amphora.LoadBalancerID)
	if err != nil {
		return web.Reply{}, err
	}
	return a.failOver(ctx, lb)
}
