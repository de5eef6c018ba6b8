package octavia

import (
	"context"
	"net/http"
	"net/netip"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// The status tree. Below the load balancer it has the keys of Octavia's code and those of its documents, since clients
// were written against both; the load balancer itself has exactly five.

type statusJSON struct {
	ID           string                   `json:"id"`
	Name         string                   `json:"name"`
	Provisioning lbaas.ProvisioningStatus `json:"provisioning_status"`
	Operating    lbaas.OperatingStatus    `json:"operating_status"`
}

type loadBalancerStatusJSON struct {
	statusJSON
	Listeners []listenerStatusJSON `json:"listeners"`
}

type listenerStatusJSON struct {
	statusJSON
	Pools      []poolStatusJSON     `json:"pools"`
	L7Policies []l7PolicyStatusJSON `json:"l7policies"`
}

type l7PolicyStatusJSON struct {
	statusJSON
	Action lbaas.L7Action     `json:"action"`
	Rules  []l7RuleStatusJSON `json:"rules"`
}

// l7RuleStatusJSON has no name, since rules have none.
type l7RuleStatusJSON struct {
	ID           string                   `json:"id"`
	Type         lbaas.L7RuleType         `json:"type"`
	Provisioning lbaas.ProvisioningStatus `json:"provisioning_status"`
	Operating    lbaas.OperatingStatus    `json:"operating_status"`
}

type poolStatusJSON struct {
	statusJSON
	HealthMonitor  *monitorStatusJSON `json:"health_monitor"`
	HealthMonitor2 *monitorStatusJSON `json:"healthmonitor"`
	Members        []memberStatusJSON `json:"members"`
}

type monitorStatusJSON struct {
	statusJSON
	Type lbaas.MonitorType `json:"type"`
}

type memberStatusJSON struct {
	statusJSON
	Address      netip.Addr `json:"address"`
	ProtocolPort int        `json:"protocol_port"`
}

func statusOf(o *lbaas.Object) statusJSON {
	return statusJSON{o.ID, o.Name, o.Progress.Status(), o.Operating}
}

func (a *API) loadBalancerStatus(ctx context.Context, r *request) (web.Reply, error) {
	id, err := r.id("id", lbaas.NounLoadBalancer)
	if err != nil {
		return web.Reply{}, err
	}
	lb, err := a.Store.StatusTree(ctx, id)
	if err != nil {
		return web.Reply{}, err
	}
	if err := r.allow(lb.ProjectID); err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "statuses", map[string]any{"loadbalancer": statusTree(lb)})
}

func statusTree(lb *lbaas.LoadBalancer) loadBalancerStatusJSON {
	j := loadBalancerStatusJSON{statusOf(&lb.Object), []listenerStatusJSON{}}
	for _, l := range lb.Listeners {
		lj := listenerStatusJSON{statusOf(&l.Object), []poolStatusJSON{}, []l7PolicyStatusJSON{}}
		for _, p := range lb.PoolsOf(l) {
			lj.Pools = append(lj.Pools, poolStatus(p))
		}
		for _, p := range l.L7Policies {
			lj.L7Policies = append(lj.L7Policies, l7PolicyStatus(p))
		}
		j.Listeners = append(j.Listeners, lj)
	}
	return j
}

func l7PolicyStatus(p *lbaas.L7Policy) l7PolicyStatusJSON {
	j := l7PolicyStatusJSON{statusOf(&p.Object), p.Action, []l7RuleStatusJSON{}}
	for _, r := range p.Rules {
		j.Rules = append(j.Rules, l7RuleStatusJSON{r.ID, r.Type, r.Progress.Status(), r.Operating})
	}
	return j
}

func poolStatus(p *lbaas.Pool) poolStatusJSON {
	j := poolStatusJSON{statusJSON: statusOf(&p.Object), Members: []memberStatusJSON{}}
	if h := p.HealthMonitor; h != nil {
		j.HealthMonitor = &monitorStatusJSON{statusOf(&h.Object), h.Type}
		j.HealthMonitor2 = j.HealthMonitor
	}
	for _, m := range p.Members {
		j.Members = append(j.Members, memberStatusJSON{statusOf(&m.Object), m.Address, m.ProtocolPort})
	}
	return j
}

// statsJSON are the five counters.
type statsJSON struct {
	BytesIn           int64 `json:"bytes_in"`
	BytesOut          int64 `json:"bytes_out"`
	ActiveConnections int64 `json:"active_connections"`
	TotalConnections  int64 `json:"total_connections"`
	RequestErrors     int64 `json:"request_errors"`
}

func statsOf(s lbaas.Statistics) statsJSON { return statsJSON(s) }

func (a *API) loadBalancerStats(ctx context.Context, r *request) (web.Reply, error) {
	lb, err := a.loadBalancer(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	all, err := a.statistics(ctx, r, lb)
	if err != nil {
		return web.Reply{}, err
	}
	var sum lbaas.Statistics
	for _, s := range all {
		sum = sum.Add(s)
	}
	return reply(http.StatusOK, "stats", statsOf(sum))
}

// statistics are the counters by listener, as the data plane says, or as it last said.
func (a *API) statistics(ctx context.Context, r *request, lb *lbaas.LoadBalancer) (map[string]lbaas.Statistics, error) {
	if a.Stats != nil {
		all, err := a.Stats(ctx, lb)
		if err == nil && all != nil {
			return all, nil
		}
		r.Log.Debug("statistics come from the store", "load_balancer", lb.ID, "err", err)
	}
	return a.Store.Statistics(ctx, lb.ID)
}
