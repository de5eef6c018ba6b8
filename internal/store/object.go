package store

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"plimsoll/lbaas"
)

// The tables of a load balancer and what belongs to it.
const (
	tableLoadBalancers  = "load_balancers"
	tableListeners      = "listeners"
	tablePools          = "pools"
	tableMembers        = "members"
	tableHealthMonitors = "health_monitors"
	tableL7Policies     = "l7policies"
	tableL7Rules        = "l7rules"
	tableStatistics     = "listener_statistics"

	tableRateLimitPolicies = "rate_limit_policies"
	tableRateLimitRules    = "rate_limit_rules"
)

// childTables are those of the parts below a load balancer. Nothing but the name differs in how progress is kept. What has
// children comes after them.
var childTables = [...]string{
	tableL7Rules, tableL7Policies, tableRateLimitRules, tableRateLimitPolicies, tableListeners,
	tableMembers, tableHealthMonitors, tablePools,
}

// childNouns are what childTables hold, in the same order.
var childNouns = [len(childTables)]lbaas.Noun{
	lbaas.NounL7Rule, lbaas.NounL7Policy, lbaas.NounRateLimitRule, lbaas.NounRateLimitPolicy, lbaas.NounListener,
	lbaas.NounMember, lbaas.NounHealthMonitor, lbaas.NounPool,
}

// inside are the columns that name the parent, by the parent's table.
var inside = map[string][]struct{ table, column string }{
	tableL7Policies:        {{tableL7Rules, "l7policy_id"}},
	tableRateLimitPolicies: {{tableRateLimitRules, "rate_limit_policy_id"}},
	tableListeners:         {{tableL7Policies, "listener_id"}, {tableRateLimitPolicies, "listener_id"}},
	tablePools:             {{tableMembers, "pool_id"}, {tableHealthMonitors, "pool_id"}},
}

// keyed are the tables with a unique key in which only live rows count.
var keyed = map[string]bool{tableListeners: true, tableMembers: true, tableHealthMonitors: true}

var tables = map[lbaas.Noun]string{
	lbaas.NounLoadBalancer:  tableLoadBalancers,
	lbaas.NounListener:      tableListeners,
	lbaas.NounPool:          tablePools,
	lbaas.NounMember:        tableMembers,
	lbaas.NounHealthMonitor: tableHealthMonitors,
	lbaas.NounL7Policy:      tableL7Policies,
	lbaas.NounL7Rule:        tableL7Rules,

	lbaas.NounRateLimitPolicy: tableRateLimitPolicies,
	lbaas.NounRateLimitRule:   tableRateLimitRules,
}

// objectRow holds the columns that all parts of a tree have. An UPDATE of a whole row leaves alone what it must not turn
// back: when the object was made, and what was observed of it meanwhile.
type objectRow struct {
	ID              string `bun:"id,pk"`
	ProjectID       string `bun:"project_id"`
	Name            string `bun:"name"`
	Description     string `bun:"description"`
	AdminStateUp    bool   `bun:"admin_state_up"`
	Tags            string `bun:"tags"`
	CreatedAt       int64  `bun:"created_at,skipupdate"`
	UpdatedAt       int64  `bun:"updated_at"`
	Generation      int64  `bun:"generation"`
	Observed        int64  `bun:"observed,skipupdate"`
	Deleted         bool   `bun:"deleted"`
	Failed          bool   `bun:"failed"`
	Reason          string `bun:"reason"`
	OperatingStatus string `bun:"operating_status,skipupdate"`
}

func (r *objectRow) head() *objectRow { return r }

func newObjectRow(o *lbaas.Object) objectRow {
	return objectRow{
		ID: o.ID, ProjectID: o.ProjectID, Name: o.Name, Description: o.Description,
		AdminStateUp: o.AdminStateUp, Tags: listText(o.Tags),
		CreatedAt: micros(o.CreatedAt), UpdatedAt: micros(o.UpdatedAt),
		Generation: o.Progress.Generation, Observed: o.Progress.Observed, Deleted: o.Progress.Deleted,
		Failed: o.Progress.Failed, Reason: o.Progress.Reason, OperatingStatus: string(o.Operating),
	}
}

func (r *objectRow) domain() lbaas.Object {
	return lbaas.Object{
		ID: r.ID, ProjectID: r.ProjectID, Name: r.Name, Description: r.Description,
		AdminStateUp: r.AdminStateUp, Tags: textList(r.Tags),
		CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
		Progress:  r.progress(),
		Operating: lbaas.OperatingStatus(r.OperatingStatus),
	}
}

func (r *objectRow) progress() lbaas.Progress {
	return lbaas.Progress{Generation: r.Generation, Observed: r.Observed, Deleted: r.Deleted, Failed: r.Failed, Reason: r.Reason}
}

// settled is the row without its progress: what an UPDATE would have to write.
func (r objectRow) settled() objectRow {
	r.UpdatedAt, r.Generation, r.Failed, r.Reason = 0, 0, false, ""
	r.CreatedAt, r.Observed, r.OperatingStatus = 0, 0, ""
	return r
}

// objectAttributes are the API's names of what all parts have. The expressions name no table.
func objectAttributes(more attributes) attributes {
	known := attributes{
		"id":                  {column: "id"},
		"project_id":          {column: "project_id"},
		"name":                {column: "name"},
		"description":         {column: "description"},
		"admin_state_up":      {column: "admin_state_up", value: boolean},
		"tags":                {column: "tags", hidden: true}, // store.Tags asks for them
		"created_at":          {column: "created_at", value: moment},
		"updated_at":          {column: "updated_at", value: moment},
		"operating_status":    {column: "operating_status"},
		"provisioning_status": {column: provisioningStatus},
	}
	for name, a := range more {
		known[name] = a
	}
	return known
}

// provisioningStatus is lbaas.Progress.Status in SQL.
const provisioningStatus = "CASE WHEN failed THEN 'ERROR' WHEN deleted THEN 'PENDING_DELETE' WHEN observed = generation THEN 'ACTIVE'" +
	" WHEN observed = 0 THEN 'PENDING_CREATE' ELSE 'PENDING_UPDATE' END"

// statuses are the cases of provisioningStatus one by one: of them a database can tell how many rows they hold for. That two
// columns are equal PostgreSQL thinks very rare, though, and here nearly all are; of what COALESCE makes of it it knows nothing, and
// takes it for true of every second row.
var statuses = map[string]string{
	string(lbaas.Failed):        "failed",
	string(lbaas.PendingDelete): "(NOT failed AND deleted)",
	string(lbaas.Active):        "(NOT failed AND NOT deleted AND COALESCE(observed = generation, FALSE))",
	string(lbaas.PendingCreate): "(NOT failed AND NOT deleted AND observed <> generation AND observed = 0)",
	string(lbaas.PendingUpdate): "(NOT failed AND NOT deleted AND observed <> generation AND observed <> 0)",
}

// hasStatus is the condition that the provisioning status is one of those.
func hasStatus(values []string) string {
	conditions := []string{"1 = 0"}
	for _, value := range values {
		if condition, ok := statuses[value]; ok {
			conditions = append(conditions, condition)
		}
	}
	if len(conditions) == 1 {
		return conditions[0]
	}
	return "(" + strings.Join(conditions[1:], " OR ") + ")"
}

// noNumber stands for a number that is null: below everything that the API allows.
const noNumber = -2

func numberOrNone(n *int) int64 {
	if n == nil {
		return noNumber
	}
	return int64(*n)
}

func noneOrNumber(n int64) *int {
	if n == noNumber {
		return nil
	}
	i := int(n)
	return &i
}

// listText is how a list is kept: as JSON, ” when it is empty. Commas and quotation marks stand between elements only, so that an
// element with its quotation marks is found nowhere else (Tags).
func listText(list []string) string {
	if len(list) == 0 {
		return ""
	}
	quotes := make([]string, len(list))
	for i, item := range list {
		quotes[i] = quoted(item)
	}
	return "[" + strings.Join(quotes, ",") + "]"
}

// quoted is an element of a list's text: JSON in which commas and quotation marks are written as code points.
func quoted(item string) string {
	text := jsonText(item)
	inner := text[1 : len(text)-1]
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(inner); i++ {
		switch {
		case inner[i] == ',':
			b.WriteString(`\u002c`)
		case strings.HasPrefix(inner[i:], `\"`):
			b.WriteString(`\u0022`)
			i++
		case inner[i] == '\\': // with what it escapes
			b.WriteString(inner[i : i+2])
			i++
		default:
			b.WriteByte(inner[i])
		}
	}
	b.WriteByte('"')
	return b.String()
}

// textList undoes listText. The empty list is nil.
func textList(text string) []string {
	var list []string
	textJSON(text, &list)
	return list
}

func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("write strings as JSON: %v", err)) // strings and maps of strings always can be
	}
	return string(b)
}

// textJSON reads what jsonText wrote. Other text reads as nothing: a row is never unreadable for a list in it.
func textJSON(text string, into any) {
	if text != "" {
		_ = json.Unmarshal([]byte(text), into)
	}
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func textAddress(text string) netip.Addr {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return a
}

// address is how the text of a filter compares with an address: in the form that is kept, or not at all.
func address(text string) (any, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return a.String(), nil
	}
	return text, nil
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
