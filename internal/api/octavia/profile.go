package octavia

import (
	"context"
	"errors"

	"plimsoll/internal/provider"
	"plimsoll/lbaas"
)

// What flavor profiles and availability zone profiles have in common: a provider, and data that it judges.

// The ways in which Octavia's providers say that they have no flavors or no availability zones.
const (
	noFlavors = "This provider does not support validating flavors."
	noZones   = "This provider does not support validating availability zones."
)

// enabled returns the provider of that name.
func (a *API) enabled(name string) (*provider.Face, error) {
	if face := a.face(name); face != nil {
		return face, nil
	}
	return nil, lbaas.Errorf(lbaas.Invalid, "Provider '%s' is not enabled.", name)
}

// checkFlavorProfile has the profile's provider judge its data.
func (a *API) checkFlavorProfile(ctx context.Context, p *lbaas.FlavorProfile) error {
	data, err := parseData("flavor_data", p.Data)
	if err != nil {
		return err
	}
	face, err := a.enabled(p.Provider)
	if err != nil {
		return err
	}
	return checkFlavor(ctx, face, data)
}

// checkZoneProfile has the profile's provider judge its data.
func (a *API) checkZoneProfile(ctx context.Context, p *lbaas.AvailabilityZoneProfile) error {
	data, err := parseData("availability_zone_data", p.Data)
	if err != nil {
		return err
	}
	face, err := a.enabled(p.Provider)
	if err != nil {
		return err
	}
	return checkZone(ctx, face, data)
}

// parseData reads a profile's data, which is a JSON object as text.
func parseData(attribute, text string) (map[string]any, error) {
	data, err := lbaas.ParseProfileData(text)
	if err != nil {
		return nil, lbaas.InvalidOption(text, attribute)
	}
	return data, nil
}

// checkFlavor asks the provider whether it takes a flavor's data.
func checkFlavor(ctx context.Context, face *provider.Face, data map[string]any) error {
	return judged(ctx, face, face.CheckFlavor, noFlavors, data)
}

// checkZone asks the provider whether it takes an availability zone's data.
func checkZone(ctx context.Context, face *provider.Face, data map[string]any) error {
	return judged(ctx, face, face.CheckZone, noZones, data)
}

func judged(
	ctx context.Context, face *provider.Face, check func(context.Context, map[string]any) error, none string, data map[string]any,
) error {
	if check == nil {
		return notImplemented(face.Name, none)
	}
	err := check(ctx, data)
	var known *lbaas.Error
	if err == nil || errors.As(err, &known) || ctx.Err() != nil {
		return err
	}
	return &providerError{face.Name, err}
}

// providerError is a failure of a provider's own. What it says stays inside.
type providerError struct {
	provider string
	err      error
}

func (e *providerError) Error() string { return "ask provider " + e.provider + ": " + e.err.Error() }

func (e *providerError) Unwrap() error { return e.err }
