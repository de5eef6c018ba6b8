package haproxy

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// The keys of a flavor's data.
const (
	FlavorTopology = "loadbalancer_topology"
	FlavorMaxconn  = "maxconn"
)

// mostMaxconn is the largest maxconn of a flavor.
const mostMaxconn = 1000000

// Flavor is what the data of a flavor profile means here.
type Flavor struct {
	Maxconn int // connections of the process; 0 is what a load balancer without a flavor has
}

// ParseFlavor reads the data of a flavor profile, as encoding/json decodes it. The error names the key, and the value where
// that is what is wrong.
func ParseFlavor(data map[string]any) (Flavor, error) {
	var f Flavor
	for _, key := range slices.Sorted(maps.Keys(data)) {
		value := data[key]
		switch key {
		case FlavorTopology: // one process is all that there is on one host
			if value != "SINGLE" {
				return Flavor{}, fmt.Errorf("flavor %s %v", key, value)
			}
		case FlavorMaxconn:
			n, ok := value.(float64)
			if !ok || n < 1 || n > mostMaxconn || n != math.Trunc(n) {
				return Flavor{}, fmt.Errorf("flavor %s %v (an integer from 1 to %d)", key, value, mostMaxconn)
			}
			f.Maxconn = int(n)
		default:
			return Flavor{}, fmt.Errorf("flavor key %s", key)
		}
	}
	return f, nil
}
