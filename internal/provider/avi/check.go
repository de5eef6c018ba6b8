package avi

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"plimsoll/internal/provider/avi/controller"
)

// Verdict is how a Finding is to be taken.
type Verdict string

// The verdicts: all is well, something may not be as wanted, something is missing without which nothing works.
const (
	OK      Verdict = "ok"
	Warn    Verdict = "warn"
	Missing Verdict = "missing"
)

// Finding is what Check says of one thing.
type Finding struct {
	Verdict Verdict
	What    string // the thing, in a word or two: "login"
	Detail  string // what was found, for operators; no secrets
	Remedy  string // what to do; "" where all is well
}

// Check asks the controller for everything that this provider needs of it. It changes nothing. After something without which nothing
// else can be asked it ends.
func (p *Provider) Check(ctx context.Context) []Finding {
	s, err := p.ctl.Session(ctx)
	if err != nil {
		return []Finding{p.notLoggedIn(err)}
	}
	all := []Finding{
		{OK, "login", fmt.Sprintf("%s answers, and lets user %s in", s.Address, p.cfg.Controller.User), ""},
		checkVersion(p.cfg.Controller.Version, s.Version),
	}
	if all[1].Verdict == Missing {
		return all
	}
	checks := []func(context.Context) ([]Finding, error){p.checkCloud, p.checkTenants}
	if p.cfg.VRFPerSubnet {
		checks = append(checks, p.checkVRFs)
	}
	for _, check := range checks {
		found, err := check(ctx)
		if err != nil {
			return append(all, Finding{Missing, "rights", err.Error(), "let the user read clouds, tenants and the system configuration"})
		}
		all = append(all, found...)
	}
	return all
}

// notLoggedIn says why the controller cannot be asked.
func (p *Provider) notLoggedIn(err error) Finding {
	if untrusted(err) {
		return Finding{Missing, "certificate", err.Error(), "name who signed the controller's certificate in ca_file; address is to be a name in it"}
	}
	if controller.Denied(err) {
		return Finding{Missing, "login", err.Error(), "look at user and password; after several wrong ones the controller locks users out for a time"}
	}
	return Finding{Missing, "controller", err.Error(), "look at address, and whether the controller runs and can be reached from here"}
}

// checkVersion judges the data model that is asked for: the controller takes those that it knows.
func checkVersion(asked, has string) Finding {
	if newer(asked, has) {
		return Finding{Missing, "version", fmt.Sprintf("the controller has version %s, and does not know api_version %s", has, asked),
			"set api_version to that of the controller, or an older one"}
	}
	return Finding{OK, "version", fmt.Sprintf("the controller has version %s, and is asked as version %s", has, cmp.Or(asked, "of its own choice")), ""}
}

// newer tells whether a version comes after another. What is no number ends it: "18.2.6-9000".
func newer(a, b string) bool { return slices.Compare(parts(a), parts(b)) > 0 }

func parts(version string) []int {
	var all []int
	for part := range strings.SplitSeq(version, ".") {
		digits, _, _ := strings.Cut(part, "-")
		n, err := strconv.Atoi(digits)
		if err != nil {
			break
		}
		all = append(all, n)
	}
	return all
}

// openStack is the type of a cloud that knows OpenStack's networks.
const openStack = "CLOUD_OPENSTACK"

func (p *Provider) checkCloud(ctx context.Context) ([]Finding, error) {
	name := p.cloud()
	cloud, all, err := p.findCloud(ctx)
	if err != nil {
		return nil, err
	}
	if cloud == nil {
		return []Finding{{Missing, "cloud", fmt.Sprintf("the controller has no cloud %s; it has %s", name, namesOf(all)), "name one of them in cloud"}}, nil
	}
	kind := textAt(cloud, "vtype")
	if kind != openStack {
		return []Finding{{Warn, "cloud", fmt.Sprintf("cloud %s is of type %s, not %s: it does not know OpenStack's subnets and ports", name, kind, openStack),
			"name a cloud of OpenStack in cloud"}}, nil
	}
	imports, said := inside(cloud, "openstack_configuration", "import_keystone_tenants").(bool)
	if said && !imports && p.cfg.Tenants.Single == "" && !p.cfg.Tenants.Create {
		return []Finding{{Warn, "cloud", fmt.Sprintf("cloud %s does not import Keystone's projects, and tenants are not to be made", name),
			"set import_keystone_tenants on the cloud, or create_tenants here"}}, nil
	}
	return []Finding{{OK, "cloud", fmt.Sprintf("%s, of type %s", name, kind), ""}}, nil
}

// findCloud returns the cloud that load balancers are made in, nil where it is not there, and all that there are.
func (p *Provider) findCloud(ctx context.Context) (cloud controller.Object, all []controller.Object, err error) {
	all, err = p.ctl.List(ctx, controller.Admin, "cloud", nil)
	if err != nil {
		return nil, nil, fmt.Errorf("list the clouds: %w", err)
	}
	i := slices.IndexFunc(all, func(o controller.Object) bool { return textAt(o, "name") == p.cloud() })
	if i < 0 {
		return nil, all, nil
	}
	return all[i], all, nil
}

// namesOf are the first names of a list, in order.
func namesOf(list []controller.Object) string {
	const most = 10
	var names []string
	for _, o := range list {
		names = append(names, textAt(o, "name"))
	}
	slices.Sort(names)
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > most:
		names = append(names[:most], "…")
	}
	return strings.Join(names, ", ")
}

func (p *Provider) checkTenants(ctx context.Context) ([]Finding, error) {
	tenants, err := p.ctl.List(ctx, controller.Admin, "tenant", nil)
	if err != nil {
		return nil, fmt.Errorf("list the tenants: %w", err)
	}
	var all []Finding
	single := p.cfg.Tenants.Single
	there := slices.ContainsFunc(tenants, func(o controller.Object) bool { return textAt(o, "name") == single })
	switch {
	case single == "":
		all = append(all, Finding{OK, "tenants", fmt.Sprintf("%d can be read; each project has its own", len(tenants)), ""})
	case there:
		all = append(all, Finding{OK, "tenants", "all load balancers are made in " + single, ""})
	case p.cfg.Tenants.Create:
		all = append(all, Finding{OK, "tenants", single + " is not there yet, and will be made", ""})
	default:
		all = append(all, Finding{Missing, "tenants", fmt.Sprintf("there is no tenant %s; there are %s", single, namesOf(tenants)),
			"name one of them in tenant_mapping, or set create_tenants"})
	}
	if _, err := p.ctl.List(ctx, controller.AllTenants, "tenant", url.Values{"fields": {"name"}}); forbidden(err) {
		all = append(all, Finding{Warn, "tenants", "the user may not read all tenants at once; each is polled by itself, which costs more requests",
			"use a user who may (a super user)"})
	} else if err != nil {
		return all, fmt.Errorf("read all tenants at once: %w", err)
	}
	return all, nil
}

// checkVRFs looks for what VRF contexts of subnets need. That they need one-armed load balancers is seen to by those that are made.
// The type of a network is not for the controller to tell, but for the network service.
func (p *Provider) checkVRFs(ctx context.Context) ([]Finding, error) {
	const what = "vrf contexts"
	cloud, _, err := p.findCloud(ctx)
	if err != nil {
		return nil, err
	}
	if kind := textAt(cloud, "vtype"); kind != openStack {
		return []Finding{{Missing, what, fmt.Sprintf("VRF contexts of subnets need a cloud of type %s; %s is of type %s", openStack, p.cloud(), cmp.Or(kind, "none")),
			"name a cloud of OpenStack in cloud, or set vrf_context_per_subnet = false"}}, nil
	}
	var system controller.Object
	if err := p.ctl.Call(ctx, controller.Admin, http.MethodGet, "systemconfiguration", nil, nil, &system); err != nil {
		return nil, fmt.Errorf("read the system configuration: %w", err)
	}
	if shared, said := inside(system, "global_tenant_config", "se_in_provider_context").(bool); said && !shared {
		return []Finding{{Missing, what, "service engines are not managed in the provider context, without which VRF contexts of subnets do not work",
			"set se_in_provider_context in global_tenant_config of the system configuration"}}, nil
	}
	own, err := p.ownEngines(ctx)
	if err != nil {
		return nil, err
	}
	if len(own) > 0 {
		return []Finding{{Warn, what, "tenants that have service engines of their own cannot have VRF contexts of subnets: " + namesOf(own),
			"set se_in_provider_context in their config_settings, or do not use them so"}}, nil
	}
	if others := untunnelled(p.cfg.NetworkTypes); len(others) > 0 {
		return []Finding{{Warn, what, "VRF contexts of subnets work for networks of type vxlan or gre; the network service makes some of type " + strings.Join(others, ", "),
			"do not use them on such networks, other than for rehearsals"}}, nil
	}
	return []Finding{{OK, what, "service engines are managed in the provider context", ""}}, nil
}

// untunnelled are the types of network for which VRF contexts of subnets are not made.
func untunnelled(types []string) []string {
	return slices.DeleteFunc(slices.Clone(types), func(t string) bool { return t == "vxlan" || t == "gre" })
}

// ownEngines are the tenants that may get load balancers and have service engines of their own.
func (p *Provider) ownEngines(ctx context.Context) ([]controller.Object, error) {
	tenants, err := p.ctl.List(ctx, controller.Admin, "tenant", nil)
	if err != nil {
		return nil, fmt.Errorf("list the tenants: %w", err)
	}
	return slices.DeleteFunc(tenants, func(o controller.Object) bool {
		shared, said := inside(o, "config_settings", "se_in_provider_context").(bool)
		return !said || shared || p.cfg.Tenants.Single != "" && textAt(o, "name") != p.cfg.Tenants.Single
	}), nil
}
