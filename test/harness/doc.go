// Package harness runs the real plimsoll for end-to-end tests, as root, with all traffic inside network namespaces.
//
// A suite's TestMain calls Main, which builds the binary once (with the build tag failpoints). A test then says
//
//	s := harness.Start(t)                         // plimsoll serve in a state directory of its own, on a free port of 127.0.0.1
//	c := s.Admin(t)                               // gophercloud clients of project admin; s.Tenant(t, "x") makes a project and a user
//	n := c.CreateNetwork(t, "web", "10.1.0.0/24") // a network with one subnet
//	a := c.Plug(t, n, "10.1.0.11")                // a port, plugged into a namespace of its own by "plimsoll plug"
//	web := a.Serve(t, 8080, "a")                  // an HTTP server in there that answers "a"
//	client := c.Plug(t, n)
//	lb := c.BuildTree(t, n, harness.Tree{…})      // load balancer, listener, pool, members and monitor, without waiting
//	c.WaitActive(t, lb.ID)
//	load := client.Load(t, harness.LoadOptions{Address: lb.VIP + ":80", KeepAlive: true})
//	… what must not hurt …
//	report := load.Stop()                         // answered, failed, how often each member answered
//
// s.Kill is kill -9 of the server, s.Stop is SIGTERM, s.Start starts it again on the same port and state directory; s.Env are
// the variables of openrc for clients that are programs, s.Run runs plimsoll itself. Whatever a test does, when it ends the
// harness stops the server, runs "plimsoll purge" and fails the test if anything carries the state directory's stamp then:
// namespaces, links, bridges, nft tables, processes (s.Leftovers says what there is at any time).
//
// Servers and clients of traffic live in the test's own process: a socket belongs to the namespace of the thread that
// made it, whichever thread uses it later. So nothing is left running when a test dies.
package harness
