package engine

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// dhcpNames4 and dhcpNames6 are the options that dnsmasq knows by name ("dnsmasq --help dhcp", "dnsmasq --help dhcp6").
var (
	dhcpNames4 = strings.Fields(`netmask time-offset router dns-server log-server lpr-server boot-file-size domain-name swap-server root-path
		extension-path ip-forward-enable non-local-source-routing policy-filter max-datagram-reassembly default-ttl mtu all-subnets-local
		router-discovery router-solicitation static-route trailer-encapsulation arp-timeout ethernet-encap tcp-ttl tcp-keepalive nis-domain
		nis-server ntp-server netbios-ns netbios-dd netbios-nodetype netbios-scope x-windows-fs x-windows-dm T1 T2 vendor-class nis+-domain
		nis+-server tftp-server bootfile-name mobile-ip-home smtp-server pop3-server nntp-server irc-server user-class rapid-commit client-arch
		client-interface-id client-machine-id posix-timezone tzdb-timezone ipv6-only domain-search sip-server classless-static-route
		vendor-id-encap tftp-server-address server-ip-address`)
	dhcpNames6 = strings.Fields(`sip-server-domain sip-server dns-server domain-search nis-server nis+-server nis-domain nis+-domain sntp-server
		information-refresh-time posix-timezone tzdb-timezone ntp-server bootfile-url bootfile-param`)
)

// dhcpOptionName writes the name of an option, or its number, as dnsmasq reads it. Without a name that dnsmasq knows it would take nothing.
func dhcpOptionName(name string, six bool) (string, error) {
	kind, known, most := "option:", dhcpNames4, 254
	if six {
		kind, known, most = "option6:", dhcpNames6, 65535
	}
	if slices.Contains(known, name) {
		return kind + name, nil
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 1 && n <= most && strconv.Itoa(n) == name {
		if !six {
			return name, nil // behind "option:" dnsmasq takes names only
		}
		return kind + name, nil
	}
	return "", errors.New("dnsmasq knows no such option: give its number")
}

// maxDhcpValue is how many bytes the value of an option has at most (RFC 2132).
const maxDhcpValue = 255

// dhcpValue writes a tenant's value, with a comma before it, as dnsmasq reads one: items stand between commas. What could be taken for anything
// else is put in quotes, within which nothing has a meaning but a quote and a backslash.
func dhcpValue(text string) (string, error) {
	if len(text) > maxDhcpValue {
		return "", fmt.Errorf("its value has more than %d bytes", maxDhcpValue)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", errors.New("its value has characters that no option may have")
	}
	if text == "" {
		return "", nil
	}
	written := ""
	for item := range strings.SplitSeq(text, ",") {
		if strings.ContainsFunc(item, needsQuotes) {
			item = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(item) + `"`
		}
		written += "," + item
	}
	return written, nil
}

// needsQuotes tells of a character whether it could have a meaning. Addresses and numbers must stand without quotes, for dnsmasq takes what
// is quoted for a text.
func needsQuotes(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	return !letter && !strings.ContainsRune("-_.:/[]@%+=", r)
}
