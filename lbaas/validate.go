package lbaas

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Validation is pure: it judges an object by itself (Validate) or against the tree that it is put into
// (LoadBalancer.Check). What it answers is an *Error in the API's words.

// ValidationFailure is an Invalid in the words that Octavia's code uses for rules that span attributes.
func ValidationFailure(format string, args ...any) *Error {
	return Errorf(Invalid, "Validation failure: "+format, args...)
}

// InvalidOption is an Invalid in the words that Octavia's code uses for values that do not fit another one.
func InvalidOption(value any, option string) *Error {
	return Errorf(Invalid, "%v is not a valid option for %s", value, option)
}

// Required is the Invalid of an attribute that must have a value.
func Required(field string) *Error { return InvalidField(field, "None", "Mandatory field missing.") }

// first returns the first error of the list.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Between checks the bounds of a number.
func Between(field string, value, low, high int) error {
	if value < low {
		return InvalidField(field, value, fmt.Sprintf("Value should be greater or equal to %d", low))
	}
	if value > high {
		return InvalidField(field, value, fmt.Sprintf("Value should be lower or equal to %d", high))
	}
	return nil
}

// Within checks the length of a text, in characters.
func Within(field, value string, limit int) error {
	if utf8.RuneCountInString(value) > limit {
		return InvalidField(field, value, fmt.Sprintf("Value should have a maximum character requirement of %d", limit))
	}
	return nil
}

// OneOf checks that a value is among those that the API publishes.
func OneOf[T ~string](field string, value T, known []T) error {
	if slices.Contains(known, value) {
		return nil
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	slices.Sort(names)
	return InvalidField(field, value, "Value should be one of: "+strings.Join(names, ", "))
}

func eachWithin(field string, values []string, limit int) error {
	for _, v := range values {
		if err := Within(field, v, limit); err != nil {
			return err
		}
	}
	return nil
}

// validate checks what every object has.
func (o *Object) validate() error {
	return first(
		Within("name", o.Name, MaxName),
		Within("description", o.Description, MaxName),
		o.validateTags(),
	)
}

func (o *Object) validateTags() error {
	seen := map[string]bool{}
	for _, tag := range o.Tags {
		if err := Within("tags", tag, MaxName); err != nil {
			return err
		}
		if seen[tag] {
			return InvalidField("tags", tag, "Value should be unique")
		}
		seen[tag] = true
	}
	return nil
}

var (
	cipherList  = regexp.MustCompile(`^[A-Za-z0-9\-+!:@=_.]+$`)
	tlsVersions = []string{"SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}
	alpn        = []string{"h2", "http/1.1", "http/1.0"}
)

// validateTLSTypes checks what the three lists that listeners and pools have in common may hold. A nil list is null.
func validateTLSTypes(ciphers string, versions, protocols []string) error {
	if err := ValidCiphers(ciphers); err != nil {
		return err
	}
	if err := eachWithin("tls_versions", versions, maxVersion); err != nil {
		return err
	}
	for _, p := range protocols {
		if err := OneOf("alpn_protocols", p, alpn); err != nil {
			return err
		}
	}
	return nil
}

// ValidCiphers checks a cipher string of OpenSSL's: names between colons. "" is none.
func ValidCiphers(ciphers string) error {
	if err := Within("tls_ciphers", ciphers, 2048); err != nil {
		return err
	}
	if ciphers != "" && !cipherList.MatchString(ciphers) {
		return ValidationFailure("Invalid characters in cipher string. Only alphanumeric, -, +, !, :, @, =, _, and . are allowed.")
	}
	return nil
}

// TLSVersions are the versions of TLS that may be named, the lowest first.
func TLSVersions() []string { return slices.Clone(tlsVersions) }

// ALPNProtocols are the protocols that ALPN may offer.
func ALPNProtocols() []string { return slices.Clone(alpn) }

// maxVersion bounds the name of a TLS version, in characters.
const maxVersion = 32

func validateVersions(versions []string) error {
	if versions != nil && len(versions) == 0 {
		return ValidationFailure("Empty TLS version list. Either specify at least one TLS version or remove this parameter to use the default.")
	}
	bad := slices.DeleteFunc(slices.Clone(versions), func(v string) bool { return slices.Contains(tlsVersions, v) })
	if len(bad) > 0 {
		return ValidationFailure("Invalid TLS versions: %s", strings.Join(bad, ", "))
	}
	return nil
}

func validateALPN(protocols []string) error {
	if protocols != nil && len(protocols) == 0 {
		return ValidationFailure("Empty ALPN protocol list. Either specify at least one ALPN protocol or remove this parameter to use the default.")
	}
	return nil
}

// The TLS values that an object gets which says nothing of them.
const DefaultCiphers = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:" +
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" +
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:" +
	"DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305"

// DefaultTLSVersions are the TLS versions of an object that says nothing of them.
func DefaultTLSVersions() []string { return []string{"TLSv1.2", "TLSv1.3"} }

// DefaultALPN are the ALPN protocols of an object that says nothing of them.
func DefaultALPN() []string { return []string{"h2", "http/1.1", "http/1.0"} }
