package keymanager

import "time"

// ContainerType says what secrets a container holds, in Barbican's words.
type ContainerType string

// The types of containers.
const (
	GenericContainer     ContainerType = "generic"
	RSAContainer         ContainerType = "rsa"
	CertificateContainer ContainerType = "certificate"
)

// The names that secrets have in containers of the types rsa and certificate.
const (
	RefCertificate          = "certificate"
	RefPrivateKey           = "private_key"
	RefPrivateKeyPassphrase = "private_key_passphrase"
	RefIntermediates        = "intermediates"
	RefPublicKey            = "public_key"
)

// SecretRef is a secret in a container. A secret that was deleted is no longer in it.
type SecretRef struct {
	Name     string
	SecretID string
}

// Container is a named set of secrets.
type Container struct {
	ID        string
	ProjectID string
	CreatorID string
	Name      string
	Type      ContainerType
	Status    Status
	Secrets   []SecretRef // in the order in which they were given
	ACL       *ACL        // nil: the default
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Secret returns the id of the secret of a name, or "".
func (c *Container) Secret(name string) string {
	for _, r := range c.Secrets {
		if r.Name == name {
			return r.SecretID
		}
	}
	return ""
}

// Validate tells what Barbican would refuse of a container; the error is lbaas.Invalid.
func (c *Container) Validate() error { return c.validate() }
