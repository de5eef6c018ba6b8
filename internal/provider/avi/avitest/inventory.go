package avitest

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// inventory answers GET /api/<kind>-inventory[/<uuid>[/server[/<ip:port>]]]: the objects that the same question about the kind
// itself finds, each with its state and its health.
func (s *Server) inventory(c call, kind string) answer {
	if kind != "virtualservice" && kind != "pool" && kind != "vsvip" {
		return answer{Status: http.StatusNotFound}
	}
	if c.Method != http.MethodGet {
		return detail(http.StatusMethodNotAllowed, "Method '"+c.Method+"' not allowed.")
	}
	named, action := c.Kind, c.Action
	c.Kind, c.Action = kind, ""
	c.Query.Del("fields") // of the inventory's rows, which are whole here
	found := s.model.do(c)
	if found.Status != http.StatusOK {
		return found
	}
	var body map[string]any
	if err := json.Unmarshal(found.Body, &body); err != nil {
		return failure(http.StatusInternalServerError, err.Error())
	}
	sc := s.scene()
	switch {
	case action != "":
		return sc.serverInventory(kind, c, action)
	case c.UUID != "":
		return jsonAnswer(http.StatusOK, sc.row(kind, body, c.Base))
	}
	rows := []any{}
	for _, config := range objectsIn(body, "results") {
		rows = append(rows, sc.row(kind, config, c.Base))
	}
	body["results"] = rows
	if next := text(body, "next"); next != "" {
		body["next"] = strings.Replace(next, "/api/"+kind+"?", "/api/"+named+"?", 1)
	}
	return jsonAnswer(http.StatusOK, body)
}

// row is an object in an inventory.
func (sc *scene) row(kind string, config map[string]any, base string) map[string]any {
	uuid := text(config, "uuid")
	row := map[string]any{
		"uuid": uuid, "url": base + "/api/" + kind + "/" + uuid, "config": config,
		"alert": map[string]any{"low": 0, "medium": 0, "high": 0}, "metrics": map[string]any{},
	}
	switch kind {
	case "virtualservice":
		row["runtime"] = sc.vsRuntime(uuid)
		row["health_score"] = health(sc.ofVS(uuid))
		row["pools"] = sc.refs("pool", sc.used[uuid], base)
		row["poolgroups"] = []any{}
	case "pool":
		row["runtime"] = sc.poolRuntime(uuid)
		row["health_score"] = health(sc.ofPool(uuid))
		row["virtualservices"] = sc.refs("virtualservice", sc.users[uuid], base)
	}
	return row
}

// refs are references with names, as inventories have them.
func (sc *scene) refs(kind string, uuids []string, base string) []any {
	list := []any{}
	for _, uuid := range uuids {
		ref := "/api/" + kind + "/" + uuid
		list = append(list, base+ref+"#"+sc.server.model.nameOf(ref))
	}
	return list
}

// health is full or none: the emulator measures nothing.
func health(o operating) map[string]any {
	score := 0.0
	if o.state == OperUp {
		score = 100
	}
	return map[string]any{
		"health_score": score, "performance_score": score, "resources_penalty": 0.0, "anomaly_penalty": 0.0, "security_penalty": 0.0,
	}
}

// since is when a state may have changed: the emulator knows no better than when the object was made.
func (sc *scene) since(kind, uuid string) time.Time {
	made, _ := sc.server.model.createdAt(kind, uuid)
	return made
}

func (sc *scene) vsRuntime(uuid string) map[string]any {
	state := sc.ofVS(uuid)
	engines, percent := []any{}, 0
	if sc.placed(uuid) {
		percent = 100
		engines = append(engines, map[string]any{"uuid": engineUUID, "url": "/api/serviceengine/" + engineUUID, "primary": true, "standby": false})
	}
	status := state.json(sc.since("virtualservice", uuid))
	summary := map[string]any{
		"vip_id": "0", "oper_status": status, "num_se_assigned": len(engines), "num_se_requested": 1, "percent_ses_up": percent, "service_engine": engines,
	}
	return map[string]any{"oper_status": status, "percent_ses_up": percent, "vip_summary": []any{summary}}
}

// engineUUID is the service engine that all is placed on.
const engineUUID = "se-00000000-0000-4000-8000-000000000001"

// placed tells whether a virtual service is on a service engine.
func (sc *scene) placed(uuid string) bool {
	vs := sc.vs[uuid]
	return vs != nil && enabled(vs) && sc.vipEnabled(vs) && sc.placing(vs) == ""
}

func (sc *scene) poolRuntime(uuid string) map[string]any {
	n := sc.countServers(uuid)
	return map[string]any{
		"oper_status": sc.ofPool(uuid).json(sc.since("pool", uuid)),
		"num_servers": n.all, "num_servers_enabled": n.enabled, "num_servers_up": n.up,
		"percent_servers_up_total": percent(n.up, n.all), "percent_servers_up_enabled": percent(n.up, n.enabled),
	}
}

func percent(part, whole int) int {
	if whole == 0 {
		return 0
	}
	return 100 * part / whole
}

// serversRuntime is a list without an envelope, as the users of /runtime/server/detail/ read it.
func (sc *scene) serversRuntime(uuid string) []any {
	pool, list := sc.pools[uuid], []any{}
	for _, server := range objectsIn(pool, "servers") {
		list = append(list, map[string]any{
			"ip_addr": server["ip"], "port": portOf(pool, server), "hostname": server["hostname"], "is_local": true, "se_uuid": engineUUID,
			"oper_status": sc.ofServer(uuid, server).json(sc.since("pool", uuid)),
		})
	}
	return list
}

// serverInventory answers pool-inventory/<uuid>/server, a page of all, and …/server/<ip:port>, one.
func (sc *scene) serverInventory(kind string, c call, action string) answer {
	what, name, one := strings.Cut(action, "/")
	if kind != "pool" || what != "server" {
		return answer{Status: http.StatusNotFound}
	}
	pool, rows := sc.pools[c.UUID], []map[string]any{}
	for _, server := range objectsIn(pool, "servers") {
		state := sc.ofServer(c.UUID, server)
		uuid := nameOfServer(pool, server)
		row := map[string]any{
			"uuid": c.UUID + "-" + uuid, "config": server, "health_score": health(state),
			"runtime": map[string]any{"oper_status": state.json(sc.since("pool", c.UUID))},
		}
		if one && serverName(name) == uuid {
			return jsonAnswer(http.StatusOK, row)
		}
		rows = append(rows, row)
	}
	if one {
		return failure(http.StatusNotFound, "Server object not found!")
	}
	c.Kind, c.UUID = "pool-inventory/"+c.UUID+"/server", ""
	return sc.server.model.page(c, rows)
}
