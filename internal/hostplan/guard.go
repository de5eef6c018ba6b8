package hostplan

import "plimsoll/internal/engine/enginepb"

func (s *indexed) guards() []*enginepb.Guard { return nil }

func (s *indexed) groups() []*enginepb.Group { return nil }
