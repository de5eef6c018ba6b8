package lbaas

// Unlimited is the quota that bounds nothing; MaxQuota is the largest of the others.
const (
	Unlimited = -1
	MaxQuota  = 2000000000
)

// quotaNouns are the nouns that quotas bound, in the order in which faults name them.
var quotaNouns = [...]Noun{
	NounLoadBalancer, NounListener, NounPool, NounHealthMonitor, NounMember, NounL7Policy, NounL7Rule,
}

// QuotaNouns returns the nouns that quotas bound.
func QuotaNouns() []Noun { return quotaNouns[:] }

// Quota is how much of what a project may have (API section 1.16).
type Quota struct {
	ProjectID string
	// Limits are those that the project was given; a noun that is not there has the deployment's default.
	Limits map[Noun]int
	// Usage is how many live objects the project has, where it was asked for.
	Usage map[Noun]int
}

// Limit is the bound on a noun, given the deployment's defaults. Without any it is Unlimited.
func (q Quota) Limit(noun Noun, defaults map[Noun]int) int {
	for _, limits := range []map[Noun]int{q.Limits, defaults} {
		if n, ok := limits[noun]; ok {
			return n
		}
	}
	return Unlimited
}

// QuotaMet is the error of a project that has all it may have of a noun.
func QuotaMet(noun Noun) *Error {
	return Errorf(QuotaExceeded, "Quota has been met for resources: %s", noun)
}
