package hostplan

func (s *indexed) peers() []string { return nil }
