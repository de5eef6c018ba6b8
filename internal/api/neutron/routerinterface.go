package neutron

import (
	"context"
	"net/http"

	"plimsoll/internal/identity"
	"plimsoll/internal/network"
	"plimsoll/internal/web"
)

func (s *service) handleAddInterface(ctx context.Context, req *web.Request) (web.Reply, error) {
	subnetID, portID, err := s.readInterface(ctx, req, "add_router_interface")
	if err != nil {
		return web.Reply{}, err
	}
	switch {
	case subnetID != "" && portID != "":
		return web.Reply{}, network.BadRequest("router", "Cannot specify both subnet-id and port-id")
	case portID != "":
		err = s.mayLendPort(ctx, req.Actor, portID)
	default:
		err = s.mayEnter(ctx, req.Actor, subnetID)
	}
	if err != nil {
		return web.Reply{}, err
	}
	if ctx, err = s.routers().asRevised(ctx, req); err != nil {
		return web.Reply{}, err
	}
	i, err := s.store.AddRouterInterface(ctx, req.PathValue("id"), subnetID, portID)
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusOK, Body: interfaceView(i)}, nil
}

// mayLendPort lets those make a port a router's who own it.
func (s *service) mayLendPort(ctx context.Context, a *identity.Actor, id string) error {
	p, err := s.portSeen(ctx, a, id)
	if err != nil {
		return err
	}
	if !owns(a, p.ProjectID) {
		return disallowed("update_port")
	}
	return nil
}

// mayEnter lets those become the gateway of a subnet who own it.
func (s *service) mayEnter(ctx context.Context, a *identity.Actor, id string) error {
	sub, err := s.subnetSeen(ctx, a, id)
	if err != nil {
		return err
	}
	if !owns(a, sub.ProjectID) {
		return network.BadRequest("router", "Cannot add interface to router because subnet %s is not owned by project making the request", id)
	}
	return nil
}

func (s *service) handleRemoveInterface(ctx context.Context, req *web.Request) (web.Reply, error) {
	subnetID, portID, err := s.readInterface(ctx, req, "remove_router_interface")
	if err != nil {
		return web.Reply{}, err
	}
	if ctx, err = s.routers().asRevised(ctx, req); err != nil {
		return web.Reply{}, err
	}
	i, err := s.store.RemoveRouterInterface(ctx, req.PathValue("id"), subnetID, portID)
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusOK, Body: interfaceView(i)}, nil
}

func interfaceView(i *network.RouterInterface) view {
	return view{
		"id": i.RouterID, "project_id": i.ProjectID, "tenant_id": i.ProjectID, "port_id": i.PortID, "network_id": i.NetworkID,
		"subnet_id": i.SubnetIDs[len(i.SubnetIDs)-1], "subnet_ids": i.SubnetIDs,
	}
}

// readInterface reads which interface of a router of the actor's a request is about: its subnet, its port, or both.
func (s *service) readInterface(ctx context.Context, req *web.Request, rule string) (subnetID, portID string, err error) {
	o, err := readObject(req)
	if err != nil {
		return "", "", err
	}
	if err := s.routers().mayChange(ctx, req.Actor, req.PathValue("id"), rule); err != nil {
		return "", "", err
	}
	b := &body{Object: o}
	for _, name := range b.names() {
		if name != "subnet_id" && name != "port_id" {
			return "", "", badRequest("Unrecognized attribute(s) '%s'", name)
		}
		if v := shown(b.Object[name]); !isUUID(v) {
			return "", "", network.BadRequest("router", "'%s' is not a valid UUID", v)
		}
	}
	b.uuid("subnet_id", &subnetID)
	b.uuid("port_id", &portID)
	if subnetID == "" && portID == "" {
		return "", "", network.BadRequest("router", "Either subnet_id or port_id must be specified")
	}
	return subnetID, portID, b.err()
}
