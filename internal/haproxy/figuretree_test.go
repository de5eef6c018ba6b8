package haproxy

import "plimsoll/lbaas"

// figureTrees are the load balancers of the golden files that export metrics or note what they serve.
func figureTrees() map[string]*lbaas.LoadBalancer {
	return map[string]*lbaas.LoadBalancer{"prometheus": prometheusTree(), "accesslog": accessLogTree()}
}

// prometheusTree exports metrics in the clear, for some clients only, and over TLS.
func prometheusTree() *lbaas.LoadBalancer {
	lb := simpleTree()
	addListener(lb, 2, lbaas.Prometheus, 9100, "").AllowedCIDRs = []string{"192.0.2.0/24"}
	l := addTLSListener(lb, 3, 9101, "")
	l.Protocol = lbaas.Prometheus
	return lb
}

// accessLogTree has a listener of each form that a line of an access log has, and one that has none.
func accessLogTree() *lbaas.LoadBalancer {
	lb := simpleTree()
	lb.AccessLog = true
	addTLSListener(lb, 2, 443, lb.Pools[0].ID)
	addListener(lb, 3, lbaas.TCP, 81, lb.Pools[0].ID)
	addListener(lb, 4, lbaas.UDP, 53, "")
	addListener(lb, 5, lbaas.Prometheus, 9100, "")
	return lb
}
