"""Goes through openstacksdk's conn.load_balancer and conn.key_manager against the server of the environment's openrc, as its administrator. It ends
with an error at the first thing that is not as it has to be.

Usage: sdk.py SUBNET_ID PROJECT_ID"""

import sys
import time

import openstack
from openstack import exceptions

subnet, project = sys.argv[1:]
conn = openstack.connect()
lbaas = conn.load_balancer


def equal(what, got, want):
    if got != want:
        sys.exit("%s: got %r, want %r" % (what, got, want))


def shows(what, obj, **want):
    for name, value in want.items():
        equal("%s of %s" % (name, what), getattr(obj, name), value)


def go_through(noun, plural, create, change, parent=None, filters=None, find=True):
    """Creates, gets, finds, lists and updates an object, and returns it."""
    def call(verb, *args, **kwargs):
        return getattr(lbaas, verb)(*args, **kwargs)
    above = [] if parent is None else [parent]
    made = call("create_" + noun, *above, **create)
    expected = {k: v for k, v in create.items() if not k.endswith("_id")}
    shows("a new " + noun, made, **expected)
    key = made.id or made.name
    shows("the " + noun, call("get_" + noun, key, *above), **expected)
    if find:
        shows("a found " + noun, call("find_" + noun, create["name"], *above), id=made.id)
        equal("a missing " + noun, call("find_" + noun, "no such", *above), None)
    listed = list(call(plural, *above, **(filters or {"name": create["name"]})))
    equal("listed " + plural, [o.id for o in listed], [made.id])
    shows("a changed " + noun, call("update_" + noun, key, *above, **change), **change)
    return call("get_" + noun, key, *above)


def gone(noun, obj, *above):
    """Deletes an object."""
    getattr(lbaas, "delete_" + noun)(obj, *above, ignore_missing=False)
    missing(noun, obj, *above)


def missing(noun, obj, *above):
    """Deletes an object until it is missing; while it goes away, that is refused."""
    for _ in range(300):
        try:
            return getattr(lbaas, "delete_" + noun)(obj, *above)
        except exceptions.ConflictException:
            time.sleep(0.1)
    sys.exit("%s %s does not go away" % (noun, obj))


def serving(lb):
    return lbaas.wait_for_load_balancer(lb.id, interval=0.2, wait=60)


# Providers, and what they can.
providers = {p.name: p for p in lbaas.providers()}
equal("providers", sorted(providers), ["haproxy", "noop"])
equal("flavor capabilities", [c.name for c in lbaas.provider_flavor_capabilities("haproxy")], ["loadbalancer_topology", "maxconn"])

# Flavors and availability zones.
flavor_profile = go_through(
    "flavor_profile", "flavor_profiles", {"name": "sdk", "provider_name": "noop", "flavor_data": '{"compute_flavor": "big"}'},
    {"flavor_data": '{"compute_flavor": "small"}'})
flavor = go_through(
    "flavor", "flavors", {"name": "sdk", "flavor_profile_id": flavor_profile.id, "description": "d"}, {"description": "e"})
zone_profile = go_through(
    "availability_zone_profile", "availability_zone_profiles",
    {"name": "sdk", "provider_name": "noop", "availability_zone_data": '{"compute_zone": "east"}'}, {"name": "sdk-2"})
zone = lbaas.create_availability_zone(name="sdk", availability_zone_profile_id=zone_profile.id, description="d")
shows("a zone", lbaas.get_availability_zone("sdk"), name="sdk", description="d", is_enabled=True)
shows("a changed zone", lbaas.update_availability_zone("sdk", description="e"), description="e")
equal("zones", [z.name for z in lbaas.availability_zones(name="sdk")], ["sdk"])

# A load balancer with everything below it.
lb = go_through(
    "load_balancer", "load_balancers",
    {"name": "sdk", "description": "d", "vip_subnet_id": subnet, "flavor_id": flavor.id, "availability_zone": "sdk",
     "is_admin_state_up": True, "provider": "noop"}, {"description": "e"})
shows("the load balancer", lb, flavor_id=flavor.id, vip_subnet_id=subnet)
lb = serving(lb)
listener = go_through(
    "listener", "listeners",
    {"name": "sdk", "load_balancer_id": lb.id, "protocol": "HTTP", "protocol_port": 80, "connection_limit": 7,
     "insert_headers": {"X-Forwarded-For": "true"}, "allowed_cidrs": ["10.0.0.0/8"], "timeout_client_data": 1000},
    {"description": "e", "timeout_member_data": 2000}, filters={"load_balancer_id": lb.id, "protocol_port": 80})
shows("the listener", listener, load_balancers=[{"id": lb.id}], connection_limit=7)
pool = go_through(
    "pool", "pools",
    {"name": "sdk", "listener_id": listener.id, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN",
     "session_persistence": {"type": "APP_COOKIE", "cookie_name": "c", "persistence_timeout": None, "persistence_granularity": None}},
    {"lb_algorithm": "LEAST_CONNECTIONS", "description": "e"})
shows("the pool", pool, listeners=[{"id": listener.id}], loadbalancers=[{"id": lb.id}], tls_enabled=False)
member = go_through(
    "member", "members", {"name": "sdk", "address": "192.0.2.1", "protocol_port": 80, "weight": 5, "backup": True, "monitor_port": 81},
    {"weight": 6, "backup": False}, parent=pool)
second = lbaas.create_member(pool, name="sdk-2", address="192.0.2.2", protocol_port=80)
equal("members in pages of one", [m.id for m in lbaas.members(pool, limit=1)], [member.id, second.id])
monitor = go_through(
    "health_monitor", "health_monitors",
    {"name": "sdk", "pool_id": pool.id, "type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 2, "url_path": "/healthy"},
    {"delay": 6, "expected_codes": "200-204"})
shows("the pool", lbaas.get_pool(pool.id), health_monitor_id=monitor.id, members=[{"id": member.id}, {"id": second.id}])
policy = go_through(
    "l7_policy", "l7_policies",
    {"name": "sdk", "listener_id": listener.id, "action": "REDIRECT_TO_URL", "redirect_url": "https://example.com/", "position": 1},
    {"redirect_url": "https://example.org/"})
rule = go_through(
    "l7_rule", "l7_rules", {"type": "HEADER", "compare_type": "EQUAL_TO", "key": "X-Colour", "rule_value": "blue"},
    {"rule_value": "red", "invert": True}, parent=policy, filters={"type": "HEADER"}, find=False)
shows("a rule found by its id", lbaas.find_l7_rule(rule.id, policy), id=rule.id)
shows("a tagged load balancer", lbaas.update_load_balancer(lb.id, tags=["blue", "green"]), tags=["blue", "green"])
equal("load balancers by tags", [o.id for o in lbaas.load_balancers(
    name="sdk", tags="blue,green", any_tags="blue,red", not_tags="red", not_any_tags="red,white")], [lb.id])
equal("load balancers by attributes", [o.id for o in lbaas.load_balancers(
    name="sdk", provider="noop", flavor_id=flavor.id, availability_zone="sdk", vip_address=lb.vip_address, is_admin_state_up=True,
    vip_port_id=lb.vip_port_id, vip_subnet_id=subnet, project_id=lb.project_id)], [lb.id])
lb = serving(lb)
equal("the counters", [getattr(lbaas.get_load_balancer_statistics(lb.id), c) for c in (
    "active_connections", "bytes_in", "bytes_out", "request_errors", "total_connections")], [0] * 5)
equal("the listener's counters", lbaas.get_listener_statistics(listener.id).total_connections, 0)
tree = lbaas.get("/lbaas/loadbalancers/%s/status" % lb.id).json()["statuses"]["loadbalancer"]
equal("the tree's listener", tree["listeners"][0]["id"], listener.id)
equal("the tree's members", [m["id"] for m in tree["listeners"][0]["pools"][0]["members"]], [member.id, second.id])
lbaas.failover_load_balancer(lb.id)
serving(lb)

# The same, bottom up.
gone("l7_rule", rule.id, policy)
gone("l7_policy", policy.id)
gone("health_monitor", monitor.id)
gone("member", member.id, pool)
gone("pool", pool.id)
gone("listener", listener.id)
lb = serving(lb)
gone("load_balancer", lb.id)
lb = lbaas.create_load_balancer(name="sdk-2", vip_subnet_id=subnet)
lbaas.create_listener(load_balancer_id=lb.id, protocol="TCP", protocol_port=80)
try:
    lbaas.delete_load_balancer(lb.id)
except exceptions.BadRequestException as e:
    equal("the refusal", e.details, "Validation failure: Cannot delete Load Balancer %s - it has children" % lb.id)
else:
    sys.exit("a load balancer with a listener could be deleted")
lbaas.delete_load_balancer(lb.id, cascade=True)
missing("load_balancer", lb.id)

# Amphorae.
lb = serving(lbaas.create_load_balancer(name="sdk-3", vip_subnet_id=subnet, provider="haproxy"))
lbaas.create_listener(load_balancer_id=lb.id, protocol="TCP", protocol_port=80)
serving(lb)
amphorae = list(lbaas.amphorae(loadbalancer_id=lb.id, status="ALLOCATED"))
equal("amphorae", [a.ha_ip for a in amphorae], [lb.vip_address])
shows("the amphora", lbaas.get_amphora(amphorae[0].id), loadbalancer_id=lb.id, role="STANDALONE", ha_port_id=lb.vip_port_id)
shows("the amphora found", lbaas.find_amphora(amphorae[0].id), id=amphorae[0].id)
lbaas.configure_amphora(amphorae[0].id)
lbaas.failover_amphora(amphorae[0].id)
serving(lb)
lbaas.delete_load_balancer(lb.id, cascade=True)
missing("load_balancer", lb.id)

# Quotas.
equal("the default", lbaas.get_quota_default().load_balancers, -1)
shows("a quota", lbaas.update_quota(project, load_balancers=3, listeners=4, pools=5, members=6, health_monitors=7), members=6)
shows("the quota", lbaas.get_quota(project), load_balancers=3, listeners=4, pools=5, members=6, health_monitors=7)
equal("listed quotas", [q.load_balancers for q in lbaas.quotas() if q.project_id == project], [3])
gone("quota", project)
shows("the quota", lbaas.get_quota(project), load_balancers=-1)

lbaas.delete_availability_zone("sdk", ignore_missing=False)
gone("availability_zone_profile", zone_profile.id)
gone("flavor", flavor.id)
gone("flavor_profile", flavor_profile.id)

# Secrets and containers.
keys = conn.key_manager
made = [keys.create_secret(name="sdk-%d" % i, payload="p%d" % i, payload_content_type="text/plain", secret_type="passphrase") for i in range(12)]
shows("a secret", keys.get_secret(made[0].secret_id), name="sdk-0", payload="p0", status="ACTIVE", secret_type="passphrase")
equal("listed secrets", [s.name for s in keys.secrets(sort="created")], ["sdk-%d" % i for i in range(12)])
equal("a secret found by its name", [s.secret_id for s in keys.secrets(name="sdk-3")], [made[3].secret_id])
box = keys.create_container(name="sdk", type="generic", secret_refs=[{"name": "a", "secret_ref": made[0].secret_ref}])
shows("a container", keys.get_container(box.container_id), name="sdk", secret_refs=[{"name": "a", "secret_ref": made[0].secret_ref}])
equal("listed containers", [c.name for c in keys.containers()], ["sdk"])
keys.delete_container(box.container_id, ignore_missing=False)
for s in made:
    keys.delete_secret(s.secret_id, ignore_missing=False)
equal("secrets that are left", list(keys.secrets()), [])

print("openstacksdk %s is content" % openstack.version.__version__)
