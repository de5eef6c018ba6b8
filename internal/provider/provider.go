// Package provider is the contract between the loop and what makes load balancers real.
package provider

import (
	"context"

	"plimsoll/lbaas"
)

// A Provider makes load balancers real.
type Provider interface {
	// Apply makes the data plane match lb, which carries its whole tree. It is called again with identical trees,
	// after crashes, and with trees that skipped states; it converges from wherever it finds itself. The Result
	// names the objects that failed, and why; the others are done. A non-nil error means that nothing is known.
	// Together lb.Epoch and lb's generation order all writes: the data plane refuses the older of two.
	Apply(ctx context.Context, lb *lbaas.LoadBalancer) (Result, error)
	// Remove deletes everything that Apply made. Removing what is not there succeeds.
	Remove(ctx context.Context, lb *lbaas.LoadBalancer) error
	// Observe reports statuses, statistics and drift of many load balancers in as few questions as it can. A load
	// balancer that the data plane does not have is absent from the answer.
	Observe(ctx context.Context, lbs []*lbaas.LoadBalancer) (map[string]Observation, error)
}

// Watcher is a provider that can say which load balancers need a look, before the next audit would find out.
type Watcher interface {
	// Watch calls changed with the id of each load balancer whose data plane changed by itself (a process died, a
	// link went, a member's health turned), until ctx ends or the connection is lost.
	Watch(ctx context.Context, changed func(loadBalancerID string)) error
}

// Steady is a provider whose data plane may never change by itself. What Observe says of a load balancer right after an Apply
// holds until the next, and nobody looks at it again meanwhile.
type Steady interface {
	// Steady tells whether it is so. The answer is always the same.
	Steady() bool
}

// Sampled is a provider whose counters come from somebody who measures in steps of his own. To ask for those of one load balancer
// costs as much as for those of all, and they are no newer than what was last observed.
type Sampled interface {
	// Sampled tells whether it is so. The answer is always the same.
	Sampled() bool
}

// Result says what an Apply did not achieve.
type Result struct {
	// Failures by object id. An object that is not named is done.
	Failures map[string]Failure
	// Method says how it was done, in the provider's own word, for logs: "runtime", "reload".
	Method string
	// Amphorae are the instances that the data plane of the load balancer now consists of, where the provider has any.
	Amphorae []lbaas.Amphora
}

// Failure is why one object could not be made real; it keeps its last good form in the data plane.
type Failure struct {
	// Permanent means that trying again is of no use until the wanted state changes.
	Permanent bool
	// Reason is for users: it names what was refused and, where known, the remedy.
	Reason string
}

// Observation is what the data plane says of one load balancer.
type Observation struct {
	// Operating holds the statuses by object id; an object that is not named is not known to the data plane.
	Operating map[string]lbaas.OperatingStatus
	// Statistics by listener id, monotonic across reloads.
	Statistics map[string]lbaas.Statistics
	// Drifted means that the data plane no longer is what the last Apply made of it, or that what Apply kept for the sake of
	// connections can go: Apply again.
	Drifted bool
	// Generation and Epoch of the last Apply that the data plane took.
	Generation int64
	Epoch      int64
}

// OptionError names an option that a provider does not support.
type OptionError struct {
	ObjectID string
	Option   string // as the API spells it, with its value: "listener protocol UDP"
}

// Capabilities describe a provider.
type Capabilities struct {
	Description string
	Protocols   []lbaas.Protocol
	Algorithms  []lbaas.Algorithm
	Monitors    []lbaas.MonitorType
	// FlavorKeys and ZoneKeys are what the data of flavor profiles and availability zone profiles may say. Nil means that
	// the provider does not even answer that question (501); one without zones may say so with an empty list.
	FlavorKeys, ZoneKeys []Key
	// OverlappingSubnets: one load balancer may have members on subnets that have addresses in common.
	OverlappingSubnets bool
}

// Key is something that a profile's data may say.
type Key struct {
	Name, Description string
}

// Face is what the APIs know of a provider, without being able to reach it.
type Face struct {
	Name         string
	Driver       string // what the configuration calls the driver; "" is the name
	Aliases      []string
	Capabilities Capabilities
	// OnHost: a load balancer is bound to the host that it was made on, and only that host works on it.
	OnHost bool
	// Failover: instances can be made anew when a user asks (lbaas.LoadBalancer.FailedOver).
	Failover bool
	// CheckFlavor and CheckZone judge the data of a profile; they may ask the data plane. An error that is no *lbaas.Error is
	// the provider's own failure. Nil means that there are none.
	CheckFlavor, CheckZone func(ctx context.Context, data map[string]any) error
	// Unsupported is pure: it names the options of the tree that the provider lacks.
	Unsupported func(lb *lbaas.LoadBalancer) []OptionError
	// Remark is pure: it says what of an object is made otherwise than it is written, in sentences for users; "" is nothing. Of a
	// load balancer, listener or pool only the object itself may be filled in. Nil says nothing of any.
	Remark func(lbaas.Part) string
}
