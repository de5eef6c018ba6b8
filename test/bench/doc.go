// Package bench measures the real plimsoll from the outside: what an operator and a tenant wait for, how much the API bears,
// what the data path costs, how soon everything is back after a death, and what many load balancers weigh.
//
// It has benchmarks only, which "make bench" runs once each; docs/performance.md says what the figures mean. All traffic
// stays inside network namespaces that package harness makes and takes away again.
//
//	make bench                                        # everything but a thousand load balancers, in some thirteen minutes
//	go test -run '^$' -bench Traffic -benchtime 1x ./test/bench
//	PLIMSOLL_BENCH_LOADBALANCERS=1000 go test -run '^$' -bench Many -benchtime 1x -timeout 30m ./test/bench
//
// haproxy.cfg, tcp.cfg and tls.cfg are the HAProxies that load balancers are compared with, after the manual. member.cfg is the web
// server behind all.
package bench
