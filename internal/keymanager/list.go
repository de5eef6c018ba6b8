package keymanager

import "time"

// Listing says which secrets, containers or consumers a list has. Zero values ask for nothing.
type Listing struct {
	ProjectID string
	UserID    string // who asks
	ACLOnly   bool   // those whose ACL names UserID, of any project, and not those of ProjectID
	// All lists those of ProjectID whether their ACL lets UserID read them or not.
	All bool

	Name, Algorithm, Mode string
	Type                  SecretType
	ContainerType         ContainerType
	BitLength             int

	Created, Updated, Expiration []Bound // ANDed

	Sort          []Order // created and id are appended
	Limit, Offset int     // a Limit of 0 is none
}

// Comparison is how a time is compared.
type Comparison string

// The comparisons of times, in Barbican's words.
const (
	Equal          Comparison = ""
	Greater        Comparison = "gt"
	GreaterOrEqual Comparison = "gte"
	Less           Comparison = "lt"
	LessOrEqual    Comparison = "lte"
)

// Bound is a condition on a time.
type Bound struct {
	Comparison Comparison
	Time       time.Time
}

// Order is one key of an order: created, expiration, mode, name, secret_type, status, updated, algorithm or bit_length of secrets;
// created, name, status, type or updated of containers. The error of a list with another one is lbaas.Invalid.
type Order struct {
	Key        string
	Descending bool
}
