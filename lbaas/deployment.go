package lbaas

import (
	"net/netip"
	"slices"
	"strings"
)

// Deployment is what an operator decides about what load balancers may use (API section 1.25). DefaultDeployment has
// Octavia's decisions.
type Deployment struct {
	AllowTLSListeners bool // TERMINATED_HTTPS, and PROMETHEUS with certificates
	AllowPrometheus   bool // PROMETHEUS listeners
	AllowPing         bool // PING health monitors
	MinDatagramDelay  int  // the shortest delay of a UDP-CONNECT monitor, in seconds; a negative one is no bound
	ListenerTLS       TLSDefaults
	PoolTLS           TLSDefaults
	ProhibitedCiphers []string     // that neither listeners nor pools may name
	MinTLSVersion     string       // that listeners and pools may name; "" is no bound
	ReservedAddresses []netip.Addr // that no member may have
}

// TLSDefaults are the TLS lists of an object that says nothing of them.
type TLSDefaults struct {
	Ciphers       string
	Versions      []string
	ALPNProtocols []string
}

// DefaultDeployment returns what Octavia decides where its operator says nothing.
func DefaultDeployment() Deployment {
	return Deployment{
		AllowTLSListeners: true, AllowPrometheus: true, AllowPing: true, MinDatagramDelay: 3,
		ListenerTLS: DefaultTLS(), PoolTLS: DefaultTLS(),
		ReservedAddresses: []netip.Addr{netip.AddrFrom4([4]byte{169, 254, 169, 254})}, // a cloud's metadata service
	}
}

// DefaultTLS are the TLS lists that Octavia gives: OWASP's suite B.
func DefaultTLS() TLSDefaults {
	return TLSDefaults{Ciphers: DefaultCiphers, Versions: DefaultTLSVersions(), ALPNProtocols: DefaultALPN()}
}

// fill gives the lists that are not set their defaults.
func (d TLSDefaults) fill(ciphers *string, versions, protocols *[]string) {
	if *ciphers == "" {
		*ciphers = d.Ciphers
	}
	if *versions == nil {
		*versions = slices.Clone(d.Versions)
	}
	if *protocols == nil {
		*protocols = slices.Clone(d.ALPNProtocols)
	}
}

// Disabled is the Invalid of an option that the operator has switched off.
func Disabled(option, value string) *Error {
	return Errorf(Invalid, "The selected %s is not allowed in this deployment: %s", option, value)
}

// ValidateListener checks a listener by itself. It keeps the order of Octavia's checks (API section 1.9), the rest of which
// is in ValidateListenerIn; between the two, certificates are looked at.
func (d *Deployment) ValidateListener(l *Listener) error {
	return first(l.validateTypes(), l.validateHeaders(), l.validateDatagram(), d.allowListener(l), l.validateCertificates(),
		d.AllowCiphers(l.TLSCiphers))
}

// ValidateListenerIn checks a listener against the load balancer that it is put into, and its TLS lists.
func (d *Deployment) ValidateListenerIn(lb *LoadBalancer, l *Listener) error {
	if err := first(lb.CheckListener(l), l.validateTLSLists()); err != nil {
		return err
	}
	if l.UsesTLS() {
		if err := d.allowVersions(l.TLSVersions); err != nil {
			return err
		}
	}
	return l.validateHSTS()
}

// ValidateListenerChange checks what a PUT makes of a listener. What an operator has switched off since it was made stays as it is, so
// that the rest of it can change.
func (d *Deployment) ValidateListenerChange(before, l *Listener) error {
	if err := first(l.validateTypes(), l.validateDatagramChange(), l.validateCertificates(), l.validateHeaders()); err != nil {
		return err
	}
	if before.UsesTLS() || !l.UsesTLS() {
		return nil
	}
	return d.allowListener(l)
}

func (d *Deployment) allowListener(l *Listener) error {
	switch {
	case !d.AllowTLSListeners && l.Protocol == TerminatedHTTPS:
		return Disabled("protocol", string(l.Protocol))
	case !d.AllowTLSListeners && l.UsesTLS():
		return Disabled("protocol", string(l.Protocol)+" with TLS")
	case !d.AllowPrometheus && l.Protocol == Prometheus:
		return Disabled("protocol", string(l.Protocol))
	}
	return nil
}

// AllowCiphers refuses ciphers that the operator prohibits.
func (d *Deployment) AllowCiphers(ciphers string) error {
	var bad []string
	for c := range strings.SplitSeq(ciphers, ":") {
		if slices.Contains(d.ProhibitedCiphers, c) {
			bad = append(bad, c)
		}
	}
	if bad == nil {
		return nil
	}
	return ValidationFailure("The following ciphers have been prohibited by an administrator: %s", strings.Join(bad, ", "))
}

// ValidateTLSLists checks TLS versions and ALPN protocols that a PUT names, for which they must make sense whatever the object's
// protocol is. A nil list is not looked at.
func (d *Deployment) ValidateTLSLists(versions, protocols []string) error {
	return first(validateVersions(versions), d.allowVersions(versions), validateALPN(protocols))
}

// allowVersions refuses versions below the operator's minimum.
func (d *Deployment) allowVersions(versions []string) error {
	low := slices.Index(tlsVersions, d.MinTLSVersion)
	var bad []string
	for _, v := range versions {
		if slices.Index(tlsVersions, v) < low {
			bad = append(bad, v)
		}
	}
	if bad == nil {
		return nil
	}
	return ValidationFailure("Requested TLS versions are less than the minimum: %s < %s", strings.Join(bad, ", "), d.MinTLSVersion)
}

// ValidatePool checks a new pool by itself.
func (d *Deployment) ValidatePool(p *Pool) error {
	if err := first(p.Validate(), d.AllowCiphers(p.TLSCiphers)); err != nil || !p.TLSEnabled {
		return err
	}
	return d.allowVersions(p.TLSVersions)
}

// ValidateMember checks a new member by itself.
func (d *Deployment) ValidateMember(m *Member) error {
	return first(m.Validate(), d.AllowAddress(m.Address), d.AllowAddress(m.MonitorAddress))
}

// AllowAddress refuses addresses that the operator reserves.
func (d *Deployment) AllowAddress(a netip.Addr) error {
	if slices.Contains(d.ReservedAddresses, a.Unmap()) {
		return InvalidOption(a, "member address")
	}
	return nil
}

// ValidateMonitor checks a new health monitor against the pool that it is to watch.
func (d *Deployment) ValidateMonitor(p *Pool, h *HealthMonitor) error {
	if !d.AllowPing && h.Type == MonitorPing {
		return Disabled("type", string(h.Type))
	}
	return first(p.CheckMonitor(h), d.CheckDelay(h))
}

// CheckDelay refuses a delay that is shorter than the operator wants it.
func (d *Deployment) CheckDelay(h *HealthMonitor) error {
	if h.Type != MonitorUDPConnect || h.Delay >= d.MinDatagramDelay {
		return nil
	}
	return ValidationFailure("The request delay value %d should be larger than %d for UDP-CONNECT health monitor type.",
		h.Delay, d.MinDatagramDelay)
}
