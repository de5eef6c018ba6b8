package haproxy

import "plimsoll/internal/failpoint"

// Lines of a section and options of a server that HAProxy refuses, though the engine does not.
const (
	refusedLine   = "mode refuse-this-on-purpose"
	refusedOption = "verify refuse-this-on-purpose"
)

// refused tells whether a test wants HAProxy to refuse the object of that name: a listener, a pool or a member, by the
// value of the failpoint "haproxy.refuse". In builds without the tag "failpoints" none is.
func refused(name string) bool {
	return name != "" && failpoint.Value("haproxy.refuse") == name
}

// refuse adds a line that HAProxy refuses, when a test asked for it.
func (s section) refuse(name string) {
	if refused(name) {
		s.add(refusedLine)
	}
}
