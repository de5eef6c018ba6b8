package avi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"plimsoll/lbaas"
)

// The keys of a flavor profile's data. The driver that was before this one read vrf_context_ref, and its documents say vrf_ref.
const (
	flavorSEGroup      = "se_group_ref"
	flavorVRF          = "vrf_ref"
	flavorVRFContext   = "vrf_context_ref"
	flavorVRFPerSubnet = "vrf_context_per_subnet"
)

// The kinds of object that flavors refer to.
const (
	kindSEGroup = "serviceenginegroup"
	kindVRF     = "vrfcontext"
)

// maxFlavorRef bounds a reference in characters; the controller's names have at most 256.
const maxFlavorRef = 1024

// Flavor is what the data of a flavor profile says. References are "/api/<kind>/<uuid>" or "/api/<kind>?name=<name>".
type Flavor struct {
	SEGroup      string // se_group_ref
	VRF          string // vrf_ref or vrf_context_ref
	VRFPerSubnet *bool  // vrf_context_per_subnet; nil where it is not said
}

// ParseFlavor reads the data of a flavor profile. Its errors are *lbaas.Error and name the key: Unsupported for one that is not
// known, Invalid for a value. A null says nothing.
func ParseFlavor(data map[string]any) (Flavor, error) {
	var f Flavor
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if err := f.read(key, data[key]); err != nil {
			return Flavor{}, err
		}
	}
	return f, nil
}

func (f *Flavor) read(key string, value any) error {
	switch key {
	case flavorSEGroup, flavorVRF, flavorVRFContext, flavorVRFPerSubnet:
	default:
		return lbaas.Errorf(lbaas.Unsupported, "The flavor data's key '%.64s' is not known. Known are %s, %s (also spelled %s) and %s.",
			key, flavorSEGroup, flavorVRF, flavorVRFContext, flavorVRFPerSubnet)
	}
	if value == nil {
		return nil
	}
	switch key {
	case flavorSEGroup:
		return f.readRef(&f.SEGroup, key, kindSEGroup, value)
	case flavorVRFPerSubnet:
		return f.readSwitch(value)
	}
	return f.readRef(&f.VRF, key, kindVRF, value)
}

func (f *Flavor) readRef(to *string, key, kind string, value any) error {
	text, ok := value.(string)
	if !ok {
		return badFlavor(key, value, "It is to be a text, such as /api/"+kind+"?name=NAME.")
	}
	ref, why := flavorRef(kind, text)
	if why != "" {
		return badFlavor(key, value, why)
	}
	if *to != "" && *to != ref {
		return badFlavor(key, value, fmt.Sprintf("%s and %s are two spellings of one key and differ.", flavorVRF, flavorVRFContext))
	}
	*to = ref
	return nil
}

// readSwitch reads a boolean, or one as text: Python's literals and configuration files spell it in several ways, and to the
// driver that was before this one any text was true, 'False' too.
func (f *Flavor) readSwitch(value any) error {
	var on bool
	switch v := value.(type) {
	case bool:
		on = v
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true", "yes", "on", "1":
			on = true
		case "false", "no", "off", "0":
		default:
			return badFlavor(flavorVRFPerSubnet, value, "It is to be true or false.")
		}
	default:
		return badFlavor(flavorVRFPerSubnet, value, "It is to be true or false.")
	}
	f.VRFPerSubnet = &on
	return nil
}

func badFlavor(key string, value any, why string) error {
	shown, err := json.Marshal(value)
	if err != nil {
		shown = []byte("?")
	}
	return lbaas.Errorf(lbaas.Invalid, "The flavor data's %s is not valid: %.128s. %s", key, shown, why)
}

// flavorRef reads the ways in which the controller lets a reference be written: a URL or its path, by UUID or by name, or the UUID
// alone. It returns why it is none.
func flavorRef(kind, text string) (ref, why string) {
	text = strings.TrimSpace(text)
	how := fmt.Sprintf("It is to be /api/%s?name=NAME or /api/%s/UUID.", kind, kind)
	if text == "" || len(text) > maxFlavorRef {
		return "", how
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", how
	}
	if !strings.ContainsAny(text, "/?#") && strings.HasPrefix(text, kind+"-") {
		return "/api/" + kind + "/" + url.PathEscape(text), ""
	}
	_, path, ok := strings.Cut("/"+strings.TrimPrefix(u.Path, "/"), "/api/")
	if !ok {
		return "", how
	}
	is, uuid, _ := strings.Cut(strings.TrimSuffix(path, "/"), "/")
	name := u.Query().Get("name")
	switch {
	case is != kind:
		return "", fmt.Sprintf("It refers to an object of kind %q. %s", is, how)
	case strings.Contains(uuid, "/") || (uuid == "") == (name == ""):
		return "", how
	case uuid != "":
		return "/api/" + kind + "/" + url.PathEscape(uuid), ""
	}
	return "/api/" + kind + "?name=" + url.QueryEscape(name), ""
}
