package haproxy

import (
	"cmp"
	"fmt"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// A section is a section of the configuration in the making.
type section struct{ *enginepb.Section }

func newSection(name string, objects ...string) section {
	return section{&enginepb.Section{Name: name, Objects: objects}}
}

// add appends a line that renders the first object of the section.
func (s section) add(format string, args ...any) { s.addFor("", format, args...) }

// addFor appends a line that renders the object owner.
func (s section) addFor(owner, format string, args ...any) {
	s.Lines = append(s.Lines, fmt.Sprintf(format, args...))
	s.Owners = append(s.Owners, owner)
}

// describe appends the comment that tells a reader which object the section is, by name.
func (s section) describe(noun, name string) {
	if name != "" {
		s.add("# %s %s", noun, Comment(name))
	}
}

// global has no `log`: this HAProxy sends its logs nowhere, for a log needs an address inside the namespace. It has no
// `daemon` either: whoever starts HAProxy says so with -D, in the run directory, which the names of files are relative to.
func global(lb *lbaas.LoadBalancer, spec *enginepb.Spec, opts Options) *enginepb.Section {
	s := newSection("global", lb.ID)
	s.describe("Load balancer", lb.Name)
	if opts.User != "" {
		s.add("user %s", Quote(opts.User))
	}
	if opts.Group != "" {
		s.add("group %s", Quote(opts.Group))
	}
	s.add(StatsSocket)
	s.add("server-state-file %s", StateFile)
	s.add("hard-stop-after %ds", spec.HardStopAfterSeconds)
	// HAProxy has an HTTP client of its own, which nothing here uses. To verify servers it would read all of the system's
	// certificate authorities: three quarters of the time that a start takes, and a megabyte of each process.
	s.add("httpclient.ssl.verify none")
	if endsTLS(lb) {
		s.add(DHParameters)
	}
	if tellsOfClients(lb) {
		s.add(RewriteSize)
		s.add(BufferSize)
	}
	if n := opts.maxconn(lb, len(spec.Sections)+len(spec.Servers)); n > 0 {
		s.add("maxconn %d", n)
	}
	return s.Section
}

// defaultMaxconn is how many connections a load balancer takes at most where the file descriptors allow it, as Octavia.
const defaultMaxconn = 50000

// maxconn bounds the connections of a process: to what the flavor says, and to what the process can hold. Each needs two file
// descriptors, and HAProxy does not start when it cannot have them all, together with those of its listeners and health
// checks. others is how many of these there are; it counts in steps, so that a member more is not a reload.
func (o Options) maxconn(lb *lbaas.LoadBalancer, others int) int {
	flavor, _ := ParseFlavor(lb.Flavor) // what cannot be read counts for nothing
	if o.FDLimit <= 0 {
		return flavor.Maxconn
	}
	const step, spare, least = 500, 200, 64
	reserve := spare + (others/step+1)*step
	return min(cmp.Or(flavor.Maxconn, defaultMaxconn), max(least, (o.FDLimit-reserve)/2))
}

func defaults(lb *lbaas.LoadBalancer) *enginepb.Section {
	s := newSection("defaults", lb.ID)
	s.add("load-server-state-from-file global")
	s.add("retries 3")
	s.add("option redispatch")
	return s.Section
}
