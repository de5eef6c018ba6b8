// Package reconcile makes what is wanted true. A Loop works on load balancers: it takes leases, is woken by hints, reads
// whole trees, gives them to their providers and writes back what was achieved. Bindings does the same for the ports that
// are plugged on this host, and the Janitor removes ports whose load balancer never came to be.
//
// Nothing here is told what happened, only where to look: a key names a load balancer or a port, and a step on it starts
// from what the store says now. So a step may be lost, repeated or cut short anywhere.
package reconcile
