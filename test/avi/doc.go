// Package avi has tenants' load balancers made on an emulated Avi Controller by the real program, with the openstack command and
// gophercloud as clients: the session of the documents of Avi's driver, controllers that are down, ports that stay behind, and
// how many requests a controller gets.
package avi
