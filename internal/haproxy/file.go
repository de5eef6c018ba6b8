package haproxy

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"

	"plimsoll/internal/engine/enginepb"
)

// LineMap tells which object each line of a configuration renders, and which object each of its names is.
type LineMap struct {
	lines []string          // by line, the first line at 1
	names map[string]string // of frontends, backends ("<pool>:<listener>") and servers
	files map[string]string // of files, by their plain names
}

// Object returns the object that a line renders, counted from 1, or "".
func (m LineMap) Object(line int) string {
	if line < 1 || line >= len(m.lines) {
		return ""
	}
	return m.lines[line]
}

// File is the text of haproxy.conf with its servers, and whose each line is.
func File(spec *enginepb.Spec) ([]byte, LineMap) {
	w := writer{names: map[string]string{}, lines: []string{""}}
	w.line("", "# Plimsoll writes this file for load balancer %s. What is changed here by hand is lost.", spec.LoadBalancerId)
	servers := map[string][]*enginepb.Server{}
	for _, s := range spec.Servers {
		servers[s.Backend] = append(servers[s.Backend], s)
	}
	for _, s := range spec.Sections {
		w.line("", "")
		w.section(s)
		for _, server := range servers[backendName(s)] {
			w.server(server)
		}
	}
	files := map[string]string{}
	for _, f := range spec.Files {
		if len(f.Objects) > 0 {
			files[f.Name] = f.Objects[0]
		}
	}
	return w.text.Bytes(), LineMap{lines: w.lines, names: w.names, files: files}
}

type writer struct {
	text  bytes.Buffer
	lines []string
	names map[string]string
}

func (w *writer) line(owner, format string, args ...any) {
	fmt.Fprintf(&w.text, format+"\n", args...)
	w.lines = append(w.lines, owner)
}

func (w *writer) section(s *enginepb.Section) {
	w.line(owner(s, -1), "%s", s.Name)
	if _, name, ok := strings.Cut(s.Name, " "); ok {
		w.names[name] = owner(s, -1)
	}
	for i, line := range s.Lines {
		w.line(owner(s, i), "    %s", line)
	}
}

func (w *writer) server(s *enginepb.Server) {
	w.names[s.Name] = s.Name
	words := append([]string{"server", s.Name}, serverWords(s)...)
	if s.Disabled {
		words = append(words, "disabled")
	}
	words = append(words, s.Options...)
	if s.Comment != "" {
		words = append(words, "#", Comment(s.Comment))
	}
	w.line(s.Name, "    %s", strings.Join(words, " "))
}

// serverWords are the words of a server line that come first, also for HAProxy's `add server`.
func serverWords(s *enginepb.Server) []string {
	words := []string{net.JoinHostPort(s.Address, strconv.Itoa(int(s.Port)))}
	if s.Number > 0 {
		words = append(words, "id", strconv.Itoa(int(s.Number)))
	}
	return append(words, "weight", strconv.Itoa(int(s.Weight)))
}

// owner is the object that line i of a section renders; -1 is the section's own line.
func owner(s *enginepb.Section, i int) string {
	if i >= 0 && i < len(s.Owners) && s.Owners[i] != "" {
		return s.Owners[i]
	}
	if len(s.Objects) > 0 {
		return s.Objects[0]
	}
	return ""
}

// backendName is the name of a section that is a backend, else "".
func backendName(s *enginepb.Section) string {
	name, ok := strings.CutPrefix(s.Name, "backend ")
	if !ok {
		return ""
	}
	return name
}
