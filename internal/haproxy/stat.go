package haproxy

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"

	"plimsoll/internal/engine/enginepb"
)

// A Stat is one line of `show stat`: a frontend, a backend or a server.
type Stat struct {
	Proxy  string // the name of the frontend or backend
	Name   string // FRONTEND, BACKEND or the server's name
	Status string

	BytesIn         int64
	BytesOut        int64
	CurrentSessions int64
	SessionLimit    int64 // of CurrentSessions; 0 is none
	TotalSessions   int64
	RequestErrors   int64
}

// ParseStat reads the answer of `show stat`. An empty number is 0.
func ParseStat(text []byte) ([]Stat, error) {
	text, ok := bytes.CutPrefix(text, []byte("# "))
	if !ok {
		return nil, fmt.Errorf("parse stat: no header in %.40q", text)
	}
	r := csv.NewReader(bytes.NewReader(text))
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("parse stat: %w", err)
	}
	column := map[string]int{}
	for i, name := range header {
		column[name] = i
	}
	for _, name := range []string{"pxname", "svname", "status", "bin", "bout", "scur", "slim", "stot", "ereq"} {
		if _, ok := column[name]; !ok {
			return nil, fmt.Errorf("parse stat: no column %s", name)
		}
	}
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("parse stat: %w", err)
	}
	var all []Stat
	for _, row := range rows {
		s, err := parseStat(column, row)
		if err != nil {
			return nil, fmt.Errorf("parse stat: %s/%s: %w", s.Proxy, s.Name, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func parseStat(column map[string]int, row []string) (Stat, error) {
	s := Stat{Proxy: row[column["pxname"]], Name: row[column["svname"]], Status: row[column["status"]]}
	for name, to := range map[string]*int64{
		"bin": &s.BytesIn, "bout": &s.BytesOut, "scur": &s.CurrentSessions, "slim": &s.SessionLimit, "stot": &s.TotalSessions, "ereq": &s.RequestErrors,
	} {
		text := row[column[name]]
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return s, fmt.Errorf("%s: %w", name, err)
		}
		*to = n
	}
	return s, nil
}

// Frontends are the frontends among stats, for an engine's report. One that takes no more connections is FULL: HAProxy's own
// words are OPEN and STOP only.
func Frontends(stats []Stat) []*enginepb.Frontend {
	var all []*enginepb.Frontend
	for _, s := range stats {
		if s.Name != "FRONTEND" {
			continue
		}
		all = append(all, &enginepb.Frontend{
			Name: s.Proxy, Status: s.openOrFull(),
			BytesIn: s.BytesIn, BytesOut: s.BytesOut,
			CurrentSessions: s.CurrentSessions, TotalSessions: s.TotalSessions,
			RequestErrors: s.RequestErrors,
		})
	}
	return all
}

func (s Stat) openOrFull() string {
	if s.Status == "OPEN" && s.SessionLimit > 0 && s.CurrentSessions >= s.SessionLimit {
		return "FULL"
	}
	return s.Status
}

// Servers are the servers among stats, for an engine's report.
func Servers(stats []Stat) []*enginepb.ServerState {
	var all []*enginepb.ServerState
	for _, s := range stats {
		if s.Name == "FRONTEND" || s.Name == "BACKEND" || s.Proxy == ExporterBackend {
			continue
		}
		all = append(all, &enginepb.ServerState{Backend: s.Proxy, Name: s.Name, Status: s.Status})
	}
	return all
}

// An Info is what `show info` says of the process.
type Info struct {
	PID         int
	Version     string
	Stopping    bool
	Connections int64
}

// ParseInfo reads the answer of `show info`.
func ParseInfo(text []byte) (Info, error) {
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields[name] = strings.TrimSpace(value)
		}
	}
	info := Info{Version: fields["Version"], Stopping: fields["Stopping"] == "1"}
	var err error
	if info.PID, err = strconv.Atoi(fields["Pid"]); err != nil {
		return Info{}, fmt.Errorf("parse info: Pid: %w", err)
	}
	if info.Connections, err = strconv.ParseInt(fields["CurrConns"], 10, 64); err != nil {
		return Info{}, fmt.Errorf("parse info: CurrConns: %w", err)
	}
	return info, nil
}
