package engine

import (
	"fmt"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/network"
)

// parseSegment refuses segments that no network has: their ids become parts of names of links.
func parseSegment(s *enginepb.Segment) (network.Segment, error) {
	parsed := network.Segment{Type: s.GetType(), Physical: s.GetPhysical(), ID: int(s.GetId())}
	switch parsed.Type {
	case "", network.TypeLocal:
		return network.Segment{Type: parsed.Type}, nil
	case network.TypeFlat:
		if parsed.ID != 0 {
			return parsed, fmt.Errorf("a flat network has no id, but %d was given", parsed.ID)
		}
	case network.TypeVLAN:
		if parsed.ID < 1 || parsed.ID > network.MaxVLAN {
			return parsed, fmt.Errorf("there is no VLAN %d", parsed.ID)
		}
	case network.TypeVXLAN:
		if parsed.ID < 1 || parsed.ID > network.MaxVNI {
			return parsed, fmt.Errorf("there is no VXLAN %d", parsed.ID)
		}
		return parsed, nil
	default:
		return parsed, fmt.Errorf("%q is no type of networks", parsed.Type)
	}
	if parsed.Physical == "" {
		return parsed, fmt.Errorf("a %s network names no physical network", parsed.Type)
	}
	return parsed, nil
}
