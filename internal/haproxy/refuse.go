package haproxy

import "plimsoll/internal/failpoint"

// refusal is a word that HAProxy refuses wherever it stands.
const refusal = "refuse-this-on-purpose"

// refused tells whether a test wants HAProxy to refuse the object of that name: a listener, a pool or a member, by the
// value of the failpoint "haproxy.refuse". In builds without the tag "failpoints" none is.
func refused(name string) bool {
	return name != "" && failpoint.Value("haproxy.refuse") == name
}

// refuse adds a line that HAProxy refuses, when a test asked for it.
func (s section) refuse(name string) {
	if refused(name) {
		s.add(refusal)
	}
}
