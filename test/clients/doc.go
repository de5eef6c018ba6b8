// Package clients goes through the whole load-balancer API, and the key manager's, with the clients that people have: the openstack command,
// openstacksdk and gophercloud, each against the same plimsoll serve.
//
// What the openstack command is to print stands in testdata: a line that begins with "$ " is a command, one that begins with
// "~ " is a command that is tried until it prints what is wanted, and what follows is JSON, text, or nothing where the
// command is to print nothing. In JSON, "…" is any value, "<x>" is the name of a text that later lines may use, and an object
// that ends with … may have further keys. In text, … stands for anything on a line.
package clients
