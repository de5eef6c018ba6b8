package avitest

import (
	"fmt"
	"strconv"
	"strings"
)

// A version is an API version: three numbers.
type version [3]int

// oldest is what a request without X-Avi-Version gets.
func oldest() version { return version{16, 4, 2} }

// parseVersion reads "18.2.6" and "18_2_6"; the empty string is 16.4.2. Missing numbers are 0, as in "18.2".
func parseVersion(s string) (version, error) {
	if s == "" {
		return oldest(), nil
	}
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == '.' || r == '_' })
	if len(parts) == 0 || len(parts) > 3 || len(s) > 32 {
		return version{}, fmt.Errorf("version %q is not of the form 18.2.6", s)
	}
	var v version
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return version{}, fmt.Errorf("version %q is not of the form 18.2.6", s)
		}
		v[i] = n
	}
	return v, nil
}

// underscored spells a version as errors do: v18_2_6.
func (v version) underscored() string { return fmt.Sprintf("v%d_%d_%d", v[0], v[1], v[2]) }

// dotted spells a version as headers do: 18.2.6.
func (v version) dotted() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

// before tells whether v is older than w.
func (v version) before(w version) bool {
	for i := range v {
		if v[i] != w[i] {
			return v[i] < w[i]
		}
	}
	return false
}
