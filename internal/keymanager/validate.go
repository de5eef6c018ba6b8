package keymanager

import (
	"strings"

	"plimsoll/lbaas"
)

func (c *Container) validate() error {
	switch c.Type {
	case GenericContainer:
		return c.distinct()
	case RSAContainer:
		return c.has([]string{RefPublicKey, RefPrivateKey}, []string{RefPrivateKeyPassphrase})
	case CertificateContainer:
		return c.has([]string{RefCertificate}, []string{RefPrivateKey, RefPrivateKeyPassphrase, RefIntermediates})
	}
	return lbaas.Errorf(lbaas.Invalid, "Provided object does not match schema 'Container': '%s' is not one of ['generic', 'rsa', 'certificate'].", c.Type)
}

// distinct refuses a secret that is in the container twice by one name.
func (c *Container) distinct() error {
	seen := map[SecretRef]bool{}
	for _, r := range c.Secrets {
		if seen[r] {
			return lbaas.Errorf(lbaas.Invalid, "Provided object does not match schema 'Container': Duplicate reference ids are not allowed.")
		}
		seen[r] = true
	}
	return nil
}

// has refuses names that the type does not know, those that come twice, and the lack of one that it needs.
func (c *Container) has(needed, allowed []string) error {
	known, seen := map[string]bool{}, map[string]bool{}
	for _, name := range append(append([]string{}, needed...), allowed...) {
		known[name] = true
	}
	for _, r := range c.Secrets {
		if !known[r.Name] || seen[r.Name] {
			return lbaas.Errorf(lbaas.Invalid, "Provided object does not match schema 'Container': only one of each of %s may be in a container of type %s.",
				strings.Join(append(append([]string{}, needed...), allowed...), ", "), c.Type)
		}
		seen[r.Name] = true
	}
	for _, name := range needed {
		if !seen[name] {
			return lbaas.Errorf(lbaas.Invalid, "Provided object does not match schema 'Container': a container of type %s needs a secret named %s.", c.Type, name)
		}
	}
	return nil
}
