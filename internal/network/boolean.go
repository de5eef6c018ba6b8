package network

import "strings"

// ParseBoolean reads a boolean as Neutron takes it, be it in a body or in a filter: any of OpenStack's words for it, in any case. The error is
// Neutron's InvalidInput.
func ParseBoolean(text string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "1", "t", "true", "on", "y", "yes":
		return true, nil
	case "0", "f", "false", "off", "n", "no":
		return false, nil
	}
	return false, InvalidInput("'%s' cannot be converted to boolean", text)
}
