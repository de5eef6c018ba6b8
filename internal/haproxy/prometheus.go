package haproxy

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"

	"plimsoll/internal/engine/enginepb"
)

// A figure is a metric that tenants are shown, and where it is found: in a column of `show stat`, or in a line of `show info`.
type figure struct {
	name, column string
	// places are how many decimal places HAProxy's number is shifted: 3 makes milliseconds seconds.
	places int
	help   string
}

func (f figure) kind() string {
	if strings.HasSuffix(f.name, "_total") {
		return "counter"
	}
	return "gauge"
}

// An Exposition is what a load balancer's metrics are made of.
type Exposition struct {
	// Info and Stat are HAProxy's answers to `show info` and `show stat`.
	Info, Stat []byte
	// Frontends are the listeners with figures that are monotonic, those that HAProxy has no part in included.
	Frontends []*enginepb.Frontend
	// Servers are the members, with what is known of their health.
	Servers []*enginepb.ServerState
}

// Metrics writes a load balancer's metrics in Prometheus' text format, with the names of Octavia.
func Metrics(e Exposition) ([]byte, error) {
	rows, err := statRows(e.Stat)
	if err != nil {
		return nil, err
	}
	p := &page{info: infoFields(e.Info), listeners: map[string]row{}, rows: rows, exposition: e}
	p.loadBalancer()
	p.listenerStatus()
	p.table("octavia_listener_", listenerFigures, p.frontends())
	p.states("octavia_pool_status", "Whether the pool has members that serve.", []string{"DOWN", "UP"}, p.pools(), poolState)
	p.table("octavia_pool_", poolFigures, p.pools())
	members := p.members()
	p.states("octavia_member_status", "Status of the member.", memberStates, members, memberState)
	p.table("octavia_member_", memberFigures, members)
	return p.text.Bytes(), nil
}

// A row is what is known of a listener, a pool or a member.
type row struct {
	labels string
	values map[string]string // by HAProxy's column
}

type page struct {
	text       bytes.Buffer
	info       map[string]string
	rows       []map[string]string
	listeners  map[string]row
	exposition Exposition
}

// statRows reads `show stat`: each line by the names of its columns. What is reported of the engine itself is left out.
func statRows(text []byte) ([]map[string]string, error) {
	text, ok := bytes.CutPrefix(text, []byte("# "))
	if !ok {
		return nil, fmt.Errorf("parse stat: no header in %.40q", text)
	}
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("parse stat: %w", err)
	}
	var all []map[string]string
	for _, line := range lines[1:] {
		values := make(map[string]string, len(line))
		for i, name := range lines[0] {
			values[name] = line[i]
		}
		if values["pxname"] != ExporterBackend {
			all = append(all, values)
		}
	}
	return all, nil
}

// infoFields reads `show info`.
func infoFields(text []byte) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields[name] = strings.TrimSpace(value)
		}
	}
	return fields
}

func (p *page) head(name, kind, help string) {
	fmt.Fprintf(&p.text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (p *page) loadBalancer() {
	if idle, err := strconv.ParseFloat(p.info["Idle_pct"], 64); err == nil {
		p.head("octavia_loadbalancer_cpu", "gauge", "Share of its time that the load balancer's process is busy, in percent.")
		fmt.Fprintf(&p.text, "octavia_loadbalancer_cpu %s\n", decimal(100-idle))
	}
	p.table("octavia_", processFigures, []row{{values: p.info}})
}

// frontends are the listeners. Figures that outlive a reload take the place of those of the process that runs.
func (p *page) frontends() []row {
	known := map[string]map[string]string{}
	for _, values := range p.rows {
		if values["svname"] == "FRONTEND" {
			known[values["pxname"]] = values
		}
	}
	var all []row
	for _, f := range p.exposition.Frontends {
		values := map[string]string{}
		for name, value := range known[f.Name] {
			values[name] = value
		}
		for name, n := range map[string]int64{"bin": f.BytesIn, "bout": f.BytesOut, "scur": f.CurrentSessions, "stot": f.TotalSessions,
			"ereq": f.RequestErrors} {
			values[name] = strconv.FormatInt(n, 10)
		}
		all = append(all, row{fmt.Sprintf("listener=%q", f.Name), values})
	}
	return all
}

func (p *page) listenerStatus() {
	var all []row
	for _, f := range p.exposition.Frontends {
		all = append(all, row{fmt.Sprintf("listener=%q", f.Name), map[string]string{"status": f.Status}})
	}
	p.states("octavia_listener_status", "Whether the listener takes connections.", []string{"DOWN", "UP"}, all, listenerState)
}

func listenerState(status string) string {
	if status == "STOP" {
		return "DOWN"
	}
	return "UP"
}

func (p *page) pools() []row {
	var all []row
	for _, values := range p.rows {
		if values["svname"] == "BACKEND" {
			all = append(all, row{fmt.Sprintf("pool=%q", values["pxname"]), values})
		}
	}
	return all
}

func poolState(status string) string {
	if strings.HasPrefix(status, "UP") {
		return "UP"
	}
	return "DOWN"
}

// members are the members that are known by their health; HAProxy knows figures of its own servers only.
func (p *page) members() []row {
	known := map[string]map[string]string{}
	for _, values := range p.rows {
		known[values["pxname"]+"/"+values["svname"]] = values
	}
	var all []row
	for _, s := range p.exposition.Servers {
		values := map[string]string{}
		for name, value := range known[s.Backend+"/"+s.Name] {
			values[name] = value
		}
		values["status"] = s.Status
		all = append(all, row{fmt.Sprintf("pool=%q,member=%q", s.Backend, s.Name), values})
	}
	return all
}

var memberStates = []string{"DOWN", "UP", "MAINT", "DRAIN", "NOLB"}

// memberState is HAProxy's word without what follows it: "UP 1/3" is on its way down.
func memberState(status string) string {
	word, _, _ := strings.Cut(status, " ")
	switch word {
	case "DOWN", "MAINT", "DRAIN", "NOLB":
		return word
	}
	return "UP"
}

// states writes a metric that is 1 with the label of the state that holds, and 0 with the others.
func (p *page) states(name, help string, states []string, rows []row, of func(status string) string) {
	if len(rows) == 0 {
		return
	}
	p.head(name, "gauge", help)
	for _, r := range rows {
		for _, state := range states {
			holds := 0
			if of(r.values["status"]) == state {
				holds = 1
			}
			fmt.Fprintf(&p.text, "%s{%s,state=%q} %d\n", name, r.labels, state, holds)
		}
	}
}

// table writes the figures of rows. HAProxy leaves empty what an object does not have.
func (p *page) table(prefix string, figures []figure, rows []row) {
	for _, f := range figures {
		if strings.Contains(f.column, "*") {
			p.codes(prefix, f, rows)
			continue
		}
		p.samples(prefix, f, rows)
	}
}

func (p *page) samples(prefix string, f figure, rows []row) {
	headed := false
	for _, r := range rows {
		value, ok := f.value(r.values[f.column])
		if !ok {
			continue
		}
		if !headed {
			p.head(prefix+f.name, f.kind(), f.help)
			headed = true
		}
		labels := r.labels
		if labels != "" {
			labels = "{" + labels + "}"
		}
		fmt.Fprintf(&p.text, "%s%s%s %s\n", prefix, f.name, labels, value)
	}
}

// codes writes a figure that is counted by the first digit of an answer's code.
func (p *page) codes(prefix string, f figure, rows []row) {
	headed := false
	for _, r := range rows {
		for _, code := range []string{"1xx", "2xx", "3xx", "4xx", "5xx", "other"} {
			value, ok := f.value(r.values[strings.Replace(f.column, "*", code, 1)])
			if !ok {
				continue
			}
			if !headed {
				p.head(prefix+f.name, f.kind(), f.help)
				headed = true
			}
			fmt.Fprintf(&p.text, "%s%s{%s,code=%q} %s\n", prefix, f.name, r.labels, code, value)
		}
	}
}

// value is a figure's number, if there is one. A last session of -1 second is none.
func (f figure) value(text string) (string, bool) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n < 0 {
		return "", false
	}
	for range f.places {
		n /= 10
	}
	return decimal(n), true
}

func decimal(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
