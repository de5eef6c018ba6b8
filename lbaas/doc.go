// Package lbaas is the domain of Plimsoll: load balancers, listeners, pools, members and health monitors, their
// statuses, their validation and the errors that they give. It follows OpenStack's load-balancing API v2 in every
// name and bound, and it imports the standard library only.
package lbaas
