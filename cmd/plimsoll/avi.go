package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"plimsoll/internal/config"
	"plimsoll/internal/network"
	"plimsoll/internal/provider"
	"plimsoll/internal/provider/avi"
	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/store"
)

// openAvi returns a provider of its own for each name, with the section of that name. It does not connect yet: a server starts
// while a controller is down.
func openAvi(w workshop, name string) (provider.Provider, error) {
	a := w.config.Avi[name]
	if a == nil {
		return nil, fmt.Errorf("there is no section [%s]", name)
	}
	c, err := aviConfig(name, a, w.log)
	if err != nil {
		return nil, err
	}
	c.Secrets, c.Networks, c.ProjectName = w.secrets, w.networks, w.projects
	c.Statistics, c.AuditEvery = w.networks.Statistics, seconds(w.config.Reconcile.Audit)
	return avi.New(c)
}

// aviConfig is what a section says, without what a server adds to it.
func aviConfig(name string, a *config.Avi, log *slog.Logger) (avi.Config, error) {
	roots, err := authorities(a)
	if err != nil {
		return avi.Config{}, err
	}
	log = log.With("provider", name)
	return avi.Config{
		Name: name, Cloud: a.Cloud, Tenants: avi.Tenants{Single: a.SingleTenant, Create: a.CreateTenants},
		VRFPerSubnet: a.VRFPerSubnet, Placement: a.PlacementNetworks, PortWait: seconds(a.PortWait), NetworkTypes: []string{network.TypeLocal}, Log: log,
		Controller: controller.Config{
			Addresses: a.Addresses, User: a.User, Password: string(a.Password), Token: string(a.Token),
			Roots: roots, Insecure: !a.CertVerify, Version: a.APIVersion,
			Connections: a.Connections, Timeout: time.Duration(a.Timeout) * time.Second, Log: log,
		},
	}, nil
}

// authorities are those of ca_file; nil is whom the system trusts.
func authorities(a *config.Avi) (*x509.CertPool, error) {
	if a.CAFile == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(a.CA) {
		return nil, fmt.Errorf("option ca_file: %s has no certificate in PEM", a.CAFile)
	}
	return pool, nil
}

// projectNames tells projects' names by their ids.
func projectNames(st *store.Store) func(context.Context, string) (string, error) {
	return func(ctx context.Context, id string) (string, error) {
		p, err := st.Project(ctx, id)
		if err != nil {
			return "", err
		}
		return p.Name, nil
	}
}

// examineTime bounds how long the doctor asks one controller.
const examineTime = time.Minute

// examineControllers asks each controller that the configuration names for what load balancers need of it.
func examineControllers(ctx context.Context, c config.Config) []finding {
	var all []finding
	for _, name := range slices.Sorted(maps.Keys(c.Avi)) {
		all = append(all, examineController(ctx, name, c.Avi[name])...)
	}
	return all
}

func examineController(ctx context.Context, name string, a *config.Avi) []finding {
	ctx, cancel := context.WithTimeout(ctx, examineTime)
	defer cancel()
	c, err := aviConfig(name, a, slog.New(slog.DiscardHandler))
	if err != nil {
		return []finding{{missing, name, err.Error(), "correct the configuration"}}
	}
	p, err := avi.New(c)
	if err != nil {
		return []finding{{missing, name, err.Error(), "correct the configuration"}}
	}
	var all []finding
	if !a.CertVerify {
		all = append(all, finding{
			warn, name, "the controller's certificate is not looked at: anybody between could read the password",
			"name the authority that signed it with ca_file, and take cert_verify out",
		})
	}
	verdicts := map[avi.Verdict]verdict{avi.OK: fine, avi.Warn: warn, avi.Missing: missing}
	for _, f := range p.Check(ctx) {
		all = append(all, finding{verdicts[f.Verdict], name, f.What + ": " + f.Detail, f.Remedy})
	}
	return all
}
