package hostplan

import "plimsoll/internal/engine/enginepb"

func (s *indexed) dhcps() []*enginepb.Dhcp { return nil }
