package engine

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"plimsoll/internal/haproxy"
)

// bindOptions are the words behind the address of a bind, and how many follow each. Those that a file's name follows are
// fileOptions.
var bindOptions = map[string]int{
	"ssl": 0, "alpn": 1, "ciphers": 1, "ciphersuites": 1, "ssl-max-ver": 1, "ssl-min-ver": 1, "verify": 1,
}

// bind wants an address and a port, and then what TLS needs: HAProxy also knows sockets of files, and of other network namespaces.
func (k known) bind(words []string) error {
	if len(words) == 0 {
		return errors.New("it must have an address")
	}
	at, err := netip.ParseAddrPort(words[0])
	if err == nil && at.Addr().Zone() != "" {
		err = errors.New("an address with a zone")
	}
	if err != nil {
		return err
	}
	return k.words(words[1:], bindOptions)
}

// checkServerValue refuses values that are expressions, but for those that package haproxy renders: others could read files. Where a
// server is checked HAProxy would also take sockets of files for addresses.
func checkServerValue(option string, values []string) error {
	switch option {
	case "sni":
		if !slices.Contains(haproxy.ServerNames(), values[0]) {
			return fmt.Errorf("%q is no expression for the name of a server", values[0])
		}
	case "addr":
		if at, err := netip.ParseAddr(strings.Trim(values[0], "[]")); err != nil || at.Zone() != "" {
			return fmt.Errorf("%q is no address", values[0])
		}
	}
	return nil
}

var maxAge = regexp.MustCompile(`^max-age=[0-9]+(; includeSubDomains)?(; preload)?$`)

// checkAfterResponse wants HSTS.
func checkAfterResponse(words []string) error {
	if len(words) != 3 || words[0] != "set-header" || words[1] != "Strict-Transport-Security" || !maxAge.MatchString(words[2]) {
		return errors.New("it must set Strict-Transport-Security")
	}
	return nil
}
