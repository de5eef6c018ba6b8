package neutronlbaas_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

// TestBadInput holds what clients of old are told, and that nothing is changed.
func TestBadInput(t *testing.T) {
	s := newSite(t)
	made := s.tree()
	gone := uuid.NewString()
	other := s.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": s.subnet})["id"].(string)
	otherPool := s.make("/pools", "pool", object{"loadbalancer_id": other, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"})["id"].(string)
	tcp := s.make("/pools", "pool", object{"loadbalancer_id": made.lb, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"})["id"].(string)
	secure := s.make("/listeners", "listener", object{
		"loadbalancer_id": made.lb, "protocol": "TERMINATED_HTTPS", "protocol_port": 443, "default_tls_container_ref": "http://keys/1", "sni_container_refs": []string{"http://keys/2"},
	})["id"].(string)
	members, rules := "/pools/"+made.pool+"/members", "/l7policies/"+made.policy+"/rules"
	listener := func(more object) object {
		o := object{"loadbalancer_id": made.lb, "protocol": "HTTP", "protocol_port": 8080}
		for k, v := range more {
			o[k] = v
		}
		return object{"listener": o}
	}
	pool := func(more object) object {
		o := object{"loadbalancer_id": made.lb, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
		for k, v := range more {
			o[k] = v
		}
		return object{"pool": o}
	}
	member := func(more object) object {
		o := object{"subnet_id": s.subnet, "address": "10.0.0.12", "protocol_port": 80}
		for k, v := range more {
			o[k] = v
		}
		return object{"member": o}
	}
	monitor := func(more object) object {
		o := object{"pool_id": tcp, "type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 3}
		for k, v := range more {
			o[k] = v
		}
		return object{"healthmonitor": o}
	}
	policy := func(more object) object {
		o := object{"listener_id": made.listener, "action": "REJECT"}
		for k, v := range more {
			o[k] = v
		}
		return object{"l7policy": o}
	}
	rule := func(more object) object {
		o := object{"type": "HEADER", "compare_type": "EQUAL_TO", "key": "X-A", "value": "b"}
		for k, v := range more {
			o[k] = v
		}
		return object{"rule": o}
	}
	lb := func(o object) object { return object{"loadbalancer": o} }
	const post, put, get, del = http.MethodPost, http.MethodPut, http.MethodGet, http.MethodDelete
	bare := &network.Network{ProjectID: mine, Name: "bare", AdminStateUp: true, MTU: 1500}
	if err := s.store.CreateNetwork(t.Context(), bare); err != nil {
		t.Fatal(err)
	}
	taken := s.show("/loadbalancers/"+other, "loadbalancer")["vip_address"]
	before := s.everything()
	for _, test := range []struct {
		name, method, path string
		body               any
		code               int
		kind, text         string
	}{
		{"bad body: none", post, "/listeners", "", 400, "HTTPBadRequest", "Resource body required"},
		{"bad body: no JSON", post, "/listeners", "{", 400, "HTTPBadRequest", "The server could not comply with the request since it is either malformed or otherwise incorrect."},
		{"bad body: an empty object", post, "/listeners", "{}", 400, "HTTPBadRequest", "Resource body required"},
		{"bad body: null", put, "/listeners/" + made.listener, "null", 400, "HTTPBadRequest", "Resource body required"},
		{"bad body: a list", post, "/listeners", "[1]", 400, "HTTPBadRequest", "Body contains invalid data"},
		{"bad body: no envelope", post, "/listeners", object{"pool": object{}}, 400, "HTTPBadRequest", "Unable to find 'listener' in request body"},
		{"bad body: an envelope of many", post, "/listeners", object{"listeners": []any{listener(nil)}}, 400, "HTTPBadRequest", "Bulk operation not supported"},
		{"bad body: unknown attribute", post, "/listeners", listener(object{"insert_headers": object{}}), 400, "HTTPBadRequest", "Unrecognized attribute(s) 'insert_headers'"},
		{"bad body: an answer's attribute", post, "/listeners", listener(object{"loadbalancers": []any{}}), 400, "HTTPBadRequest", "Attribute 'loadbalancers' not allowed in POST"},
		{"bad body: required attribute", post, "/pools", object{"pool": object{"protocol": "HTTP"}}, 400, "HTTPBadRequest", "Failed to parse request. Required attribute 'lb_algorithm' not specified"},
		{"bad body: read-only attribute", put, "/listeners/" + made.listener, object{"listener": object{"protocol_port": 1}}, 400, "HTTPBadRequest", "Cannot update read-only attribute protocol_port"},
		{"bad name: null", post, "/loadbalancers", lb(object{"vip_subnet_id": s.subnet, "name": nil}), 400, "HTTPBadRequest", "Invalid input for name. Reason: 'None' is not a valid string."},
		{"bad name: too long", put, "/loadbalancers/" + made.lb, lb(object{"name": strings.Repeat("x", 256)}), 400, "HTTPBadRequest", "Invalid input for name. Reason: '" + strings.Repeat("x", 256) + "' exceeds maximum length of 255."},
		{"bad name: a NUL", put, "/loadbalancers/" + made.lb, lb(object{"name": "a\x00b"}), 400, "HTTPBadRequest", `Invalid input for name. Reason: 'a\x00b' is not a valid string.`},
		{"bad boolean", put, "/loadbalancers/" + made.lb, lb(object{"admin_state_up": "perhaps"}), 400, "InvalidInput", "Invalid input for operation: 'perhaps' cannot be converted to boolean."},
		{"bad project", post, "/loadbalancers", lb(object{"vip_subnet_id": s.subnet, "tenant_id": foreign}), 400, "HTTPBadRequest", "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin privileges"},

		{"bad VIP: nowhere", post, "/loadbalancers", lb(object{}), 400, "RequiredAttributeNotSpecified", "Required attribute vip_subnet_id or vip_network_id not specified"},
		{"bad VIP: subnet", post, "/loadbalancers", lb(object{"vip_subnet_id": gone}), 404, "SubnetNotFound", "Subnet " + gone + " could not be found."},
		{"bad VIP: network", post, "/loadbalancers", lb(object{"vip_network_id": gone}), 404, "NetworkNotFound", "Network " + gone + " could not be found."},
		{"bad VIP: no UUID", post, "/loadbalancers", lb(object{"vip_subnet_id": "x"}), 400, "HTTPBadRequest", "Invalid input for vip_subnet_id. Reason: 'x' is not a valid UUID."},
		{"bad VIP: no address", post, "/loadbalancers", lb(object{"vip_subnet_id": s.subnet, "vip_address": "10.0.0"}), 400, "HTTPBadRequest", "Invalid input for vip_address. Reason: '10.0.0' is not a valid IP address."},
		{"bad VIP: network without a subnet", post, "/loadbalancers", lb(object{"vip_network_id": bare.ID}), 400, "VipNetworkInvalid", "VIP network " + bare.ID + " is invalid. There is no subnet in VIP network specified."},
		{"bad VIP: taken", post, "/loadbalancers", lb(object{"vip_subnet_id": s.subnet, "vip_address": taken}), 409, "IpAddressInUse", fmt.Sprintf("Unable to complete operation for network %s. The IP address %s is in use.", s.network, taken)},
		{"bad provider", post, "/loadbalancers", lb(object{"vip_subnet_id": s.subnet, "provider": "F5"}), 400, "ServiceProviderNotFound", "Service provider 'f5' could not be found for service type LOADBALANCERV2"},
		{"bad flavor", post, "/loadbalancers", lb(object{"vip_subnet_id": s.subnet, "flavor_id": gone}), 404, "FlavorNotFound", "Flavor " + gone + " could not be found."},
		{"bad flavor: and provider", post, "/loadbalancers", lb(object{"vip_subnet_id": s.subnet, "flavor_id": gone, "provider": "noop"}), 409, "ProviderFlavorConflict", "Cannot specify both a flavor and a provider"},
		{"bad load balancer: not there", get, "/loadbalancers/" + gone, nil, 404, "EntityNotFound", "loadbalancer " + gone + " could not be found"},
		{"bad load balancer: no UUID", del, "/loadbalancers/x", nil, 404, "EntityNotFound", "loadbalancer x could not be found"},
		{"bad load balancer: has children", del, "/loadbalancers/" + made.lb, nil, 409, "EntityInUse", "loadbalancer is using listener " + made.listener},
		{"bad load balancer: has a pool", del, "/loadbalancers/" + other, nil, 409, "EntityInUse", "loadbalancer is using pool " + otherPool},

		{"bad listener: of nothing", post, "/listeners", object{"listener": object{"protocol": "HTTP", "protocol_port": 1}}, 400, "ListenerMustHaveLoadbalancer", "Listener must be created with a loadbalancer or pool."},
		{"bad listener: of what is not there", post, "/listeners", listener(object{"loadbalancer_id": gone}), 404, "EntityNotFound", "loadbalancer " + gone + " could not be found"},
		{"bad listener: a pool that is not there", post, "/listeners", listener(object{"default_pool_id": gone}), 404, "EntityNotFound", "pool " + gone + " could not be found"},
		{"bad listener: another's pool", post, "/listeners", listener(object{"default_pool_id": otherPool}), 400, "ListenerAndPoolMustBeOnSameLoadbalancer", "Listener and pool must be on the same loadbalancer."},
		{"bad listener: a pool of another protocol", post, "/listeners", listener(object{"default_pool_id": tcp}), 409, "ListenerPoolProtocolMismatch", "Listener protocol HTTP and pool protocol TCP are not compatible."},
		{"bad listener: a pool of another protocol later", put, "/listeners/" + made.listener, object{"listener": object{"default_pool_id": tcp}}, 409, "ListenerPoolProtocolMismatch", "Listener protocol HTTP and pool protocol TCP are not compatible."},
		{"bad listener: TCP with HTTP", post, "/listeners", listener(object{"protocol": "TCP", "default_pool_id": made.pool}), 409, "ListenerPoolProtocolMismatch", "Listener protocol TCP and pool protocol HTTP are not compatible."},
		{"bad listener: protocol", post, "/listeners", listener(object{"protocol": "UDP"}), 400, "HTTPBadRequest", "Invalid input for protocol. Reason: 'UDP' is not in ['TCP', 'HTTP', 'HTTPS', 'TERMINATED_HTTPS']."},
		{"bad listener: port in use", post, "/listeners", listener(object{"protocol_port": 80, "protocol": "TCP"}), 409, "LoadBalancerListenerProtocolPortExists", "Load Balancer " + made.lb + " already has a listener with protocol_port of 80"},
		{"bad listener: port", post, "/listeners", listener(object{"protocol_port": "65536"}), 400, "HTTPBadRequest", "Invalid input for protocol_port. Reason: '65536' is too large - must be no larger than '65535'."},
		{"bad listener: port 0", post, "/listeners", listener(object{"protocol_port": 0}), 400, "HTTPBadRequest", "Invalid input for protocol_port. Reason: '0' is too small - must be at least '1'."},
		{"bad listener: no number", post, "/listeners", listener(object{"protocol_port": "http"}), 400, "InvalidInput", "Invalid input for operation: 'http' is not an integer."},
		{"bad listener: limit", put, "/listeners/" + made.listener, object{"listener": object{"connection_limit": -2}}, 400, "HTTPBadRequest", "Invalid input for connection_limit. Reason: '-2' is not a valid value, because it cannot be less than -1."},
		{"bad listener: no certificate", post, "/listeners", listener(object{"protocol": "TERMINATED_HTTPS"}), 400, "TLSDefaultContainerNotSpecified", "Default TLS container was not specified"},
		{"bad listener: no certificate any more", put, "/listeners/" + secure, object{"listener": object{"default_tls_container_ref": nil}}, 400, "TLSDefaultContainerNotSpecified", "Default TLS container was not specified"},
		{"bad listener: a port of many digits", post, "/listeners", listener(object{"protocol_port": "99999999999999999999"}), 400, "HTTPBadRequest", "Invalid input for protocol_port. Reason: '99999999999999999999' is too large - must be no larger than '65535'."},
		{"bad listener: long reference", post, "/listeners", listener(object{"protocol": "TERMINATED_HTTPS", "default_tls_container_ref": strings.Repeat("x", 129)}), 400, "HTTPBadRequest", "Invalid input for default_tls_container_ref. Reason: '" + strings.Repeat("x", 129) + "' exceeds maximum length of 128."},
		{"bad listener: has policies", del, "/listeners/" + made.listener, nil, 409, "EntityInUse", "listener is using l7policy " + made.policy},

		{"bad pool: of nothing", post, "/pools", pool(object{"loadbalancer_id": nil}), 400, "PoolMustHaveLoadbalancer", "Pool must be created with a loadbalancer or listener."},
		{"bad pool: of two", post, "/pools", pool(object{"loadbalancer_id": other, "listener_id": made.listener}), 400, "ListenerAndPoolMustBeOnSameLoadbalancer", "Listener and pool must be on the same loadbalancer."},
		{"bad pool: a second one", post, "/pools", pool(object{"listener_id": made.listener}), 409, "ListenerDefaultPoolAlreadySet", "Listener " + made.listener + " is already using default pool " + made.pool + "."},
		{"bad pool: of what is not there", post, "/pools", pool(object{"listener_id": gone}), 404, "EntityNotFound", "listener " + gone + " could not be found"},
		{"bad pool: protocol", post, "/pools", pool(object{"protocol": "PROXY"}), 400, "HTTPBadRequest", "Invalid input for protocol. Reason: 'PROXY' is not in ['TCP', 'HTTP', 'HTTPS']."},
		{"bad pool: algorithm", post, "/pools", pool(object{"lb_algorithm": "SOURCE_IP_PORT"}), 400, "HTTPBadRequest", "Invalid input for lb_algorithm. Reason: 'SOURCE_IP_PORT' is not in ['ROUND_ROBIN', 'LEAST_CONNECTIONS', 'SOURCE_IP']."},
		{"bad pool: persistence", post, "/pools", pool(object{"session_persistence": object{"type": "FACE"}}), 400, "HTTPBadRequest", "Invalid input for session_persistence. Reason: 'FACE' is not in ['SOURCE_IP', 'HTTP_COOKIE', 'APP_COOKIE']."},
		{"bad pool: persistence without a type", post, "/pools", pool(object{"session_persistence": object{"cookie_name": "c"}}), 400, "HTTPBadRequest", "Invalid input for session_persistence. Reason: Expected keys not found: type."},
		{"bad pool: persistence without a cookie", post, "/pools", pool(object{"session_persistence": object{"type": "APP_COOKIE"}}), 400, "SessionPersistenceConfigurationInvalid", "Session Persistence Invalid: 'cookie_name' should be specified for APP_COOKIE session persistence."},
		{"bad pool: persistence with a cookie", put, "/pools/" + made.pool, object{"pool": object{"session_persistence": object{"type": "SOURCE_IP", "cookie_name": "c"}}}, 400, "SessionPersistenceConfigurationInvalid", "Session Persistence Invalid: 'cookie_name' is not allowed for SOURCE_IP session persistence"},
		{"bad pool: monitored", del, "/pools/" + made.pool, nil, 409, "EntityInUse", "pool is using healthmonitor " + made.monitor},

		{"bad member: no subnet", post, members, object{"member": object{"address": "10.0.0.12", "protocol_port": 80}}, 400, "HTTPBadRequest", "Failed to parse request. Required attribute 'subnet_id' not specified"},
		{"bad member: subnet", post, members, member(object{"subnet_id": gone}), 404, "EntityNotFound", "Subnet " + gone + " could not be found"},
		{"bad member: there already", post, members, member(object{"address": "10.0.0.11"}), 409, "MemberExists", "Member with address 10.0.0.11 and protocol_port 80 already present in pool " + made.pool},
		{"bad member: weight", post, members, member(object{"weight": 257}), 400, "HTTPBadRequest", "Invalid input for weight. Reason: '257' is too large - must be no larger than '256'."},
		{"bad member: address", post, members, member(object{"address": "web"}), 400, "HTTPBadRequest", "Invalid input for address. Reason: 'web' is not a valid IP address."},
		{"bad member: pool", post, "/pools/" + gone + "/members", member(nil), 404, "EntityNotFound", "pool " + gone + " could not be found"},
		{"bad member: of another pool", get, "/pools/" + otherPool + "/members/" + made.member, nil, 404, "EntityNotFound", "member " + made.member + " could not be found"},
		{"bad member: a new address", put, members + "/" + made.member, object{"member": object{"address": "10.0.0.13"}}, 400, "HTTPBadRequest", "Cannot update read-only attribute address"},
		{"bad members: none", post, members, object{"members": []any{}}, 400, "HTTPBadRequest", "Resources required"},
		{"bad members: one of them", post, members, object{"members": []any{member(nil), member(object{"address": "10.0.0.11"})}}, 409, "MemberExists", "Member with address 10.0.0.11 and protocol_port 80 already present in pool " + made.pool},

		{"bad monitor: a second one", post, "/healthmonitors", monitor(object{"pool_id": made.pool}), 409, "OneHealthMonitorPerPool", "Only one health monitor per pool allowed.  Pool " + made.pool + " is already using Health Monitor " + made.monitor + "."},
		{"bad monitor: type", post, "/healthmonitors", monitor(object{"type": "TLS-HELLO"}), 400, "HTTPBadRequest", "Invalid input for type. Reason: 'TLS-HELLO' is not in ['PING', 'TCP', 'HTTP', 'HTTPS']."},
		{"bad monitor: retries", post, "/healthmonitors", monitor(object{"max_retries": 11}), 400, "HTTPBadRequest", "Invalid input for max_retries. Reason: '11' is too large - must be no larger than '10'."},
		{"bad monitor: delay", post, "/healthmonitors", monitor(object{"delay": -1}), 400, "HTTPBadRequest", "Invalid input for delay. Reason: '-1' should be non-negative."},
		{"bad monitor: long delay", post, "/healthmonitors", monitor(object{"delay": 2147483648}), 400, "HTTPBadRequest", "Invalid input for delay. Reason: '2147483648' is not a valid value, because it is more than 2147483647."},
		{"bad monitor: codes", put, "/healthmonitors/" + made.monitor, object{"healthmonitor": object{"expected_codes": "2xx"}}, 400, "HTTPBadRequest", "Invalid input for expected_codes. Reason: '2xx' is not a valid input."},
		{"bad monitor: path", post, "/healthmonitors", monitor(object{"url_path": "x y"}), 400, "HTTPBadRequest", "Invalid input for url_path. Reason: 'x y' is not a valid input."},
		{"bad monitor: pool", post, "/healthmonitors", monitor(object{"pool_id": gone}), 404, "EntityNotFound", "pool " + gone + " could not be found"},

		{"bad policy: no pool", post, "/l7policies", policy(object{"action": "REDIRECT_TO_POOL"}), 409, "L7PolicyRedirectPoolIdMissing", "Redirect pool id is missing for L7 Policy with pool redirect action."},
		{"bad policy: no URL", put, "/l7policies/" + made.policy, object{"l7policy": object{"action": "REDIRECT_TO_URL"}}, 409, "L7PolicyRedirectUrlMissing", "Redirect URL is missing for L7 Policy with URL redirect action."},
		{"bad policy: URL", post, "/l7policies", policy(object{"action": "REDIRECT_TO_URL", "redirect_url": "ftp://x"}), 400, "HTTPBadRequest", "Invalid input for redirect_url. Reason: 'ftp://x' is not a valid input."},
		{"bad policy: action", post, "/l7policies", policy(object{"action": "REDIRECT_PREFIX"}), 400, "HTTPBadRequest", "Invalid input for action. Reason: 'REDIRECT_PREFIX' is not in ['REJECT', 'REDIRECT_TO_POOL', 'REDIRECT_TO_URL']."},
		{"bad policy: another's pool", post, "/l7policies", policy(object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": otherPool}), 400, "ListenerAndPoolMustBeOnSameLoadbalancer", "Listener and pool must be on the same loadbalancer."},
		{"bad policy: pool of another protocol", post, "/l7policies", policy(object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": tcp}), 409, "ListenerPoolProtocolMismatch", "Listener protocol HTTP and pool protocol TCP are not compatible."},
		{"bad policy: listener", post, "/l7policies", policy(object{"listener_id": gone}), 404, "EntityNotFound", "listener " + gone + " could not be found"},
		{"bad policy: position", post, "/l7policies", policy(object{"position": 0}), 400, "HTTPBadRequest", "Invalid input for position. Reason: '0' is too small - must be at least '1'."},

		{"bad rule: no key", post, rules, rule(object{"key": nil}), 404, "L7RuleKeyMissing", "Rule key is missing. Key should be specified for rules of HEADER and COOKIE types."},
		{"bad rule: key", post, rules, rule(object{"key": "a b"}), 400, "L7RuleInvalidKey", "Invalid characters in key. See RFCs 2616, 2965, 6265, 7230."},
		{"bad rule: header value", post, rules, rule(object{"value": "a b"}), 400, "L7RuleInvalidHeaderValue", "Invalid characters in value. See RFC 7230."},
		{"bad rule: cookie value", post, rules, rule(object{"type": "COOKIE", "value": "a;b"}), 400, "L7RuleInvalidCookieValue", "Invalid characters in value. See RFCs 2616, 2965, 6265."},
		{"bad rule: regex", post, rules, rule(object{"compare_type": "REGEX", "value": "("}), 400, "L7RuleInvalidRegex", ""},
		{"bad rule: file type", post, rules, rule(object{"type": "FILE_TYPE", "compare_type": "CONTAINS", "key": nil}), 400, "L7RuleUnsupportedCompareType", "Unsupported compare type for rule of FILE_TYPE type."},
		{"bad rule: type", post, rules, rule(object{"type": "SSL_DN_FIELD"}), 400, "HTTPBadRequest", "Invalid input for type. Reason: 'SSL_DN_FIELD' is not in ['HOST_NAME', 'PATH', 'FILE_TYPE', 'HEADER', 'COOKIE']."},
		{"bad rule: policy", get, "/l7policies/" + gone + "/rules", nil, 404, "EntityNotFound", "l7policy " + gone + " could not be found"},
		{"bad rule: not there", get, rules + "/" + gone, nil, 404, "EntityNotFound", "l7rule " + gone + " could not be found"},

		{"bad filter", get, "/listeners?port=80", nil, 400, "HTTPBadRequest", "['port'] is invalid attribute for filtering"},
		{"bad filter: no number", get, "/listeners?protocol_port=x", nil, 400, "InvalidInput", "Invalid input for operation: 'x' is not an integer."},
		{"bad filter: no boolean", get, "/listeners?admin_state_up=maybe", nil, 400, "InvalidInput", "Invalid input for operation: 'maybe' cannot be converted to boolean."},
		{"bad limit", get, "/listeners?limit=-1", nil, 400, "BadRequest", "Bad limit request: Limit must be an integer 0 or greater and not '-1'."},
		{"bad marker of a rule", get, rules + "?limit=1&marker=" + gone, nil, 404, "EntityNotFound", "l7rule " + gone + " could not be found"},
		{"bad marker", get, "/listeners?limit=1&marker=" + gone, nil, 404, "EntityNotFound", "listener " + gone + " could not be found"},
		{"bad sort", get, "/listeners?sort_key=loadbalancers&sort_dir=asc", nil, 400, "HTTPBadRequest", "['loadbalancers'] is invalid attribute for sort_keys"},
		{"bad sort: no direction", get, "/listeners?sort_key=name", nil, 400, "HTTPBadRequest", "The number of sort_keys and sort_dirs must be same"},
		{"bad sort: direction", get, "/listeners?sort_key=name&sort_dir=up", nil, 400, "HTTPBadRequest", "['up'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'"},
		{"bad path", get, "/vips", nil, 404, "HTTPNotFound", "The resource could not be found."},
		{"bad method", put, "/loadbalancers", object{}, 405, "HTTPMethodNotAllowed", "The method is not allowed for this resource."},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := s.old(test.method, test.path, test.body)
			want := [2]string{test.kind, test.text}
			got := a.fault()
			if test.text == "" {
				got[1] = ""
			}
			if a.code != test.code || got != want {
				t.Errorf("%s %s: %d %s\nwant %d %q", test.method, test.path, a.code, a.raw, test.code, want)
			}
		})
	}
	if diff := cmp.Diff(before, s.everything()); diff != "" {
		t.Errorf("bad input changed something (-before +after):\n%s", diff)
	}
}

// everything is what the face shows of all load balancers, their times of generations aside.
func (s *site) everything() object {
	s.t.Helper()
	all := object{}
	for _, plural := range []string{"loadbalancers", "listeners", "pools", "healthmonitors", "l7policies"} {
		all[plural] = s.must(http.StatusOK, http.MethodGet, "/"+plural, nil)[plural]
	}
	return all
}

// TestPendingDelete shows that nothing but a load balancer that is going away is closed to changes.
func TestPendingDelete(t *testing.T) {
	s := newSite(t)
	made := s.tree()
	lb, err := s.store.LoadBalancer(t.Context(), made.lb)
	if err != nil || lb.Progress.Status() == lbaas.Active {
		t.Fatalf("the load balancer is %v, %v", lb.Progress.Status(), err)
	}
	s.must(http.StatusOK, http.MethodPut, "/loadbalancers/"+made.lb, object{"loadbalancer": object{"name": "open"}})
	s.octavia(http.StatusNoContent, http.MethodDelete, "/loadbalancers/"+made.lb+"?cascade=true", "", nil)
	want := [2]string{"StateInvalid", fmt.Sprintf("Invalid state PENDING_DELETE of loadbalancer resource %s", made.lb)}
	for _, test := range []struct {
		method, path string
		body         any
	}{
		{http.MethodPut, "/loadbalancers/" + made.lb, object{"loadbalancer": object{"name": "x"}}},
		{http.MethodDelete, "/loadbalancers/" + made.lb, nil},
		{http.MethodPost, "/listeners", object{"listener": object{"loadbalancer_id": made.lb, "protocol": "HTTP", "protocol_port": 1}}},
		{http.MethodPut, "/listeners/" + made.listener, object{"listener": object{"name": "x"}}},
		{http.MethodDelete, "/pools/" + made.pool + "/members/" + made.member, nil},
	} {
		if a := s.old(test.method, test.path, test.body); a.code != http.StatusConflict || a.fault() != want {
			t.Errorf("%s %s: %d %s", test.method, test.path, a.code, a.raw)
		}
	}
}
