package haproxy

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
)

// The answer of `show servers state` and the file that HAProxy reads at its start have the same form, version 1.
const (
	stateVersion = "1"
	stateHeader  = "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight " +
		"srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state " +
		"bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr " +
		"srv_agent_addr srv_agent_port"
)

// adminMaint is the bit of srv_admin_state that says that the server itself is in maintenance, by file or at run time.
const adminMaint = 0x01

// A ServerState is one line of `show servers state`.
type ServerState struct {
	Backend string
	Name    string
	Address string
	Port    int
	Admin   int // bits
	Weight  int // as it is now

	fields []string // all of them, as HAProxy wrote them
}

// Maintenance tells whether the server itself is in maintenance, rather than one that it tracks.
func (s ServerState) Maintenance() bool { return s.Admin&adminMaint != 0 }

// ParseServersState reads the answer of `show servers state`.
func ParseServersState(text []byte) ([]ServerState, error) {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if strings.TrimSpace(lines[0]) != stateVersion {
		return nil, fmt.Errorf("parse servers state: version %.40q, want %s", lines[0], stateVersion)
	}
	var all []ServerState
	for i, line := range lines[1:] {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") || len(fields) > 1 && fields[1] == ExporterBackend {
			continue
		}
		s, err := parseServerState(fields)
		if err != nil {
			return nil, fmt.Errorf("parse servers state: line %d: %w", i+2, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func parseServerState(f []string) (ServerState, error) {
	if len(f) != len(strings.Fields(stateHeader))-1 {
		return ServerState{}, fmt.Errorf("%d fields", len(f))
	}
	s := ServerState{Backend: f[1], Name: f[3], Address: f[4], fields: f}
	for _, n := range []struct {
		field int
		to    *int
	}{{6, &s.Admin}, {7, &s.Weight}, {18, &s.Port}} {
		v, err := strconv.Atoi(f[n.field])
		if err != nil {
			return ServerState{}, fmt.Errorf("field %d: %w", n.field+1, err)
		}
		*n.to = v
	}
	return s, nil
}

// Running is spec with its servers as HAProxy reports them, so that Diff(Running(spec, states), spec) is what has
// drifted. Servers that are not in spec, such as those that wait for their removal, are in the answer, in maintenance or not.
func Running(spec *enginepb.Spec, states []ServerState) *enginepb.Spec {
	known := byKey(spec.Servers)
	running := &enginepb.Spec{LoadBalancerId: spec.LoadBalancerId, Sections: spec.Sections, Ports: spec.Ports, FailedOver: spec.FailedOver,
		Files: spec.Files}
	for _, state := range states {
		s := &enginepb.Server{Backend: state.Backend, Name: state.Name}
		if k := known[key(s)]; k != nil {
			s = proto.CloneOf(k)
		}
		s.Address, s.Port = address(state.Address), int32(state.Port)
		s.Weight, s.Disabled = int32(state.Weight), state.Maintenance()
		running.Servers = append(running.Servers, s)
	}
	return running
}

// HandOver writes the state file for the next start of HAProxy: what states says of the health of those servers that
// next still has at the same address. Weights, maintenance and addresses are next's, for HAProxy would
// take them from the state file otherwise. Without states it is an empty file that HAProxy accepts.
func HandOver(states []ServerState, next *enginepb.Spec) []byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s\n%s\n", stateVersion, stateHeader)
	servers := byKey(next.Servers)
	for _, state := range states {
		s := servers[state.Backend+"/"+state.Name]
		if s == nil || s.Disabled || state.Maintenance() || address(state.Address) != address(s.Address) || state.Port != int(s.Port) {
			continue
		}
		f := slices.Clone(state.fields)
		f[6], f[7], f[8] = "0", strconv.Itoa(int(s.Weight)), strconv.Itoa(int(s.Weight))
		fmt.Fprintln(&text, strings.Join(f, " "))
	}
	return text.Bytes()
}
