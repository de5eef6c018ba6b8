package crash

// limitRequests has a listener whose threshold is in a file of HAProxy's, which changes without a reload.
func (s *scenario) limitRequests() {
	policies := balancers + "/ratelimitpolicies"
	policy := policies + "/" + s.create(policies, "ratelimitpolicy", "ratelimitpolicies", object{
		"name": s.name, "listener_id": s.named(balancers+"/listeners", "listeners", s.name)["id"], "action": "DENY"})["id"].(string)
	rule := policy + "/rules/" + s.create(policy+"/rules", "rule", "rules", object{
		"name": s.name, "metric": "REQUESTS", "threshold": 1000000, "interval": 3600})["id"].(string)
	s.settle()
	s.answers("a", "b")
	s.update(rule, "rule", object{"threshold": 1})
	s.settle()
	s.wait("requests are refused", func() bool { _, err := s.get(); return err != nil })
	s.update(rule, "rule", object{"threshold": 1000000})
	s.settle()
	s.answers("a", "b")
	s.remove(policy)
	s.settle()
}
