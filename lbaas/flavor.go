package lbaas

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// NoFlavorID names the flavor of load balancers whose flavor is gone; no flavor has it.
const NoFlavorID = "00000000-0000-0000-0000-000000000000"

// MaxProfileData bounds the data of a flavor profile or an availability zone profile, in characters.
const MaxProfileData = 4096

// Flavor is a choice that an operator offers to users: how a provider makes a load balancer (API section 1.17).
type Flavor struct {
	ID              string
	Name            string // unique
	Description     string
	Enabled         bool
	FlavorProfileID string
}

// FlavorProfile is what a flavor means to its provider. While a flavor uses it neither the provider nor the data change.
type FlavorProfile struct {
	ID       string
	Name     string // not unique
	Provider string
	Data     string // a JSON object
	Disabled bool   // flavors of which it is the profile are not for use
}

// Validate checks the flavor by itself.
func (f *Flavor) Validate() error {
	return first(Within("name", f.Name, MaxName), Within("description", f.Description, MaxName))
}

// Validate checks the profile by itself; what its data may say is the provider's to judge.
func (p *FlavorProfile) Validate() error {
	return first(
		Within("name", p.Name, MaxName),
		Within("provider_name", p.Provider, MaxName),
		Within("flavor_data", p.Data, MaxProfileData),
	)
}

// JSONOfPython is the JSON of a profile's data that are written as a Python literal, as those of neutron-lbaas' flavors were:
// {'vrf_context_per_subnet': 'True'}. All other text stays as it is.
func JSONOfPython(text string) string {
	if json.Valid([]byte(text)) || utf8.RuneCountInString(text) > MaxProfileData {
		return text
	}
	v, err := ParsePython(text)
	if _, ok := v.(map[string]any); err != nil || !ok {
		return text
	}
	var out bytes.Buffer
	to := json.NewEncoder(&out)
	to.SetEscapeHTML(false)
	if to.Encode(v) != nil {
		return text
	}
	return strings.TrimSpace(out.String())
}

// ParseProfileData reads a profile's data, which is a JSON object as text.
func ParseProfileData(text string) (map[string]any, error) {
	var data map[string]any
	if err := json.Unmarshal([]byte(text), &data); err != nil {
		return nil, err
	}
	if data == nil {
		return nil, errors.New("not an object")
	}
	return data, nil
}
