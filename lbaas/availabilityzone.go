package lbaas

// AvailabilityZone is a place that an operator offers to users (API section 1.17). Its name is its key.
type AvailabilityZone struct {
	Name        string
	Description string
	Enabled     bool
	ProfileID   string
}

// AvailabilityZoneProfile is what an availability zone means to its provider. While a zone uses it neither the provider nor
// the data change.
type AvailabilityZoneProfile struct {
	ID       string
	Name     string // not unique
	Provider string
	Data     string // a JSON object
}

// Validate checks the zone by itself.
func (z *AvailabilityZone) Validate() error {
	return first(Within("name", z.Name, MaxName), Within("description", z.Description, MaxName))
}

// Validate checks the profile by itself; what its data may say is the provider's to judge.
func (p *AvailabilityZoneProfile) Validate() error {
	return first(
		Within("name", p.Name, MaxName),
		Within("provider_name", p.Provider, MaxName),
		Within("availability_zone_data", p.Data, MaxProfileData),
	)
}
