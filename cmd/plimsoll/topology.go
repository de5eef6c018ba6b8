package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/projects"
	"github.com/spf13/cobra"

	"plimsoll/internal/topology"
)

// topologyOptions are the flags of "plimsoll topology".
type topologyOptions struct {
	stateDir string
	timeout  time.Duration
	dot, svg bool
	projects []string
	networks []string
	ports    int
}

func topologyCommand() *cobra.Command {
	var o topologyOptions
	cmd := &cobra.Command{
		Use:   "topology",
		Short: "Draw networks, routers, ports, load balancers and their namespaces",
		Long: `Topology draws what there is: networks with their subnets and ports, routers with their gateways and floating addresses, load
balancers with their listeners, pools and members, and the network namespaces of hosts. It draws a tree of text; --dot
writes Graphviz's language, --svg a picture.

It asks the public APIs, and shows what the account may see: administrators see everything.` + findsTheServer,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	stateDirFlag(cmd, &o.stateDir)
	f := cmd.Flags()
	f.DurationVar(&o.timeout, "timeout", time.Minute, "how long to wait for the server's answers")
	f.BoolVar(&o.dot, "dot", false, "write Graphviz's language")
	f.BoolVar(&o.svg, "svg", false, "write a picture (SVG)")
	f.StringArrayVar(&o.projects, "project", nil, "only what is of this project, by its name or id; repeatable")
	f.StringArrayVar(&o.networks, "network", nil, "only this network, by its name or id, and what is joined with it; repeatable")
	f.IntVar(&o.ports, "ports", 30, "draw so many ports of a network at most; 0 is all")
	return cmd
}

func (o *topologyOptions) run(ctx context.Context, out io.Writer) error {
	switch {
	case o.dot && o.svg:
		return &usageError{errors.New("--dot and --svg: choose one")}
	case o.ports < 0:
		return &usageError{fmt.Errorf("--ports %d: it cannot be less than 0", o.ports)}
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	a, err := findAccount(os.Getenv, o.stateDir)
	if err != nil {
		return err
	}
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	wanted := topology.Options{Networks: o.networks, Ports: o.ports}
	for _, project := range o.projects {
		id, err := projectID(ctx, c, a.Region, project)
		if err != nil {
			return err
		}
		wanted.Projects = append(wanted.Projects, id)
	}
	cloud, err := readCloud(ctx, c)
	if err != nil {
		return err
	}
	switch {
	case o.dot:
		return topology.DOT(out, cloud, wanted)
	case o.svg:
		return topology.SVG(out, cloud, wanted)
	}
	return topology.Tree(out, cloud, wanted)
}

// projectID is what a user calls a project: its id, else the name of one, which only who may list projects can look up.
func projectID(ctx context.Context, c *clients, region, project string) (string, error) {
	if uuid.Validate(project) == nil {
		return project, nil
	}
	client, err := openstack.NewIdentityV3(c.network.ProviderClient, gophercloud.EndpointOpts{Region: region})
	if err != nil {
		return "", fmt.Errorf("find the identity service: %w", err)
	}
	pages, err := projects.List(client, projects.ListOpts{Name: project}).AllPages(ctx)
	if err != nil {
		return "", fmt.Errorf("look for the project %q (its id needs no look-up): %w", project, err)
	}
	found, err := projects.ExtractProjects(pages)
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("there are %d projects named %q", len(found), project)
	}
	return found[0].ID, nil
}

// readCloud reads what there is to draw.
func readCloud(ctx context.Context, c *clients) (topology.Cloud, error) {
	var cloud topology.Cloud
	err := errors.Join(
		all(ctx, c.network, "networks", &cloud.Networks, "networks"),
		all(ctx, c.network, "subnets", &cloud.Subnets, "subnets"),
		all(ctx, c.network, "ports", &cloud.Ports, "ports"),
		all(ctx, c.network, "routers", &cloud.Routers, "routers"),
		all(ctx, c.network, "floatingips", &cloud.FloatingIPs, "floatingips"),
		all(ctx, c.loadBalancer, "loadbalancers", &cloud.LoadBalancers, "lbaas", "loadbalancers"),
		all(ctx, c.loadBalancer, "listeners", &cloud.Listeners, "lbaas", "listeners"),
		all(ctx, c.loadBalancer, "pools", &cloud.Pools, "lbaas", "pools"),
	)
	if err != nil {
		return topology.Cloud{}, err
	}
	for i := range cloud.Pools {
		p := &cloud.Pools[i]
		if len(p.MemberRefs) == 0 {
			continue
		}
		err := all(ctx, c.loadBalancer, "members", &p.Members, "lbaas", "pools", p.ID, "members")
		if err != nil && !gophercloud.ResponseCodeIs(err, http.StatusNotFound) { // it was deleted meanwhile
			return topology.Cloud{}, err
		}
	}
	return cloud, readHosts(ctx, c.network, cloud.LoadBalancers)
}

// drawnPage is how many objects are asked for at once.
const drawnPage = 500

// all reads a list to its end, page by page.
func all[T any](ctx context.Context, client *gophercloud.ServiceClient, plural string, into *[]T, path ...string) error {
	marker := ""
	for {
		q := url.Values{"limit": {fmt.Sprint(drawnPage)}}
		if marker != "" {
			q.Set("marker", marker)
		}
		var page map[string]rawList
		if err := get(ctx, client, client.ServiceURL(path...)+"?"+q.Encode(), &page); err != nil {
			return fmt.Errorf("list %s: %w", strings.Join(path, "/"), err)
		}
		var items []T
		if err := page[plural].into(&items); err != nil {
			return fmt.Errorf("read the list %s: %w", strings.Join(path, "/"), err)
		}
		*into = append(*into, items...)
		var last []topology.Ref
		if err := page[plural].into(&last); err != nil {
			return err
		}
		if len(last) == 0 || !page[plural+"_links"].next() {
			return nil
		}
		marker = last[len(last)-1].ID
	}
}

func get(ctx context.Context, client *gophercloud.ServiceClient, at string, into any) error {
	resp, err := client.Get(ctx, at, into, nil)
	if resp != nil && resp.Body != nil {
		err = cmp.Or(err, resp.Body.Close())
	}
	return err
}

// readHosts says whose host the load balancers have their namespaces on. Who is no administrator does not learn that.
func readHosts(ctx context.Context, client *gophercloud.ServiceClient, lbs []topology.LoadBalancer) error {
	var agents struct {
		Agents []struct {
			ID   string `json:"id"`
			Host string `json:"host"`
			Type string `json:"agent_type"`
		} `json:"agents"`
	}
	if err := get(ctx, client, client.ServiceURL("agents"), &agents); err != nil {
		return unlessHidden("list agents", err)
	}
	hosts := map[string]string{}
	for _, agent := range agents.Agents {
		if agent.Type != "Loadbalancerv2 agent" {
			continue
		}
		var on struct {
			LoadBalancers []topology.Ref `json:"loadbalancers"`
		}
		if err := get(ctx, client, client.ServiceURL("agents", agent.ID, "agent-loadbalancers"), &on); err != nil {
			if err := unlessHidden("list the load balancers of "+agent.Host, err); err != nil {
				return err
			}
			continue
		}
		for _, lb := range on.LoadBalancers {
			hosts[lb.ID] = agent.Host
		}
	}
	for i := range lbs {
		lbs[i].Host = hosts[lbs[i].ID]
	}
	return nil
}

// unlessHidden passes an error on, but for those by which the server says that this is not for everybody's eyes.
func unlessHidden(what string, err error) error {
	for _, code := range []int{http.StatusForbidden, http.StatusNotFound} {
		if gophercloud.ResponseCodeIs(err, code) {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// rawList is a list of an answer, before it is known of what.
type rawList struct{ json.RawMessage }

func (l rawList) into(list any) error {
	if l.RawMessage == nil {
		return nil
	}
	return json.Unmarshal(l.RawMessage, list)
}

// next tells whether there is another page.
func (l rawList) next() bool {
	var links []struct {
		Rel string `json:"rel"`
	}
	if l.into(&links) != nil {
		return false
	}
	for _, link := range links {
		if link.Rel == "next" {
			return true
		}
	}
	return false
}
