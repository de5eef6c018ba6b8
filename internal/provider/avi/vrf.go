package avi

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"plimsoll/internal/network"
	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// autoCreated describes what is shared by load balancers, and goes with the last of them.
const autoCreated = "auto-created by Plimsoll"

// vrfName is the name of a subnet's VRF context.
func vrfName(subnetID string) string {
	return "subnet-" + translate.ID(translate.UUID(translate.VRFContext, subnetID))
}

// vrf decides which VRF context a load balancer is in, and makes that of its subnet where it is to be there. It tells whether virtual
// services are in one-arm mode, as that is the only one that works with a context for each subnet. A VsVip that is there decides:
// it stays where it was made.
func (j *job) vrf(ctx context.Context, flavor Flavor, anchor controller.Object) (ref string, oneArm bool, err error) {
	switch {
	case flavor.VRF != "":
		return flavor.VRF, false, nil
	case j.lb.VIPSubnetID == "":
		return "", false, nil
	case anchor != nil:
		uuid := j.subnetVRF(anchor)
		if uuid == "" {
			return "", false, nil
		}
		return translate.Ref(translate.VRFContext, uuid), true, nil
	case !j.p.perSubnet(j.lb):
		return "", false, nil
	}
	uuid, err := j.ensureVRF(ctx)
	return translate.Ref(translate.VRFContext, uuid), true, err
}

// subnetVRF is the UUID of the subnet's VRF context, where a VsVip is in it.
func (j *job) subnetVRF(anchor controller.Object) string {
	ref, _ := anchor["vrf_context_ref"].(string)
	_, uuid, name := translate.ParseRef(ref)
	first, second := j.vrfUUIDs()
	if name == vrfName(j.lb.VIPSubnetID) || uuid == first || uuid == second {
		return uuid
	}
	return ""
}

// vrfUUIDs are the UUIDs of the subnet's VRF context: the second is for another tenant on a shared subnet.
func (j *job) vrfUUIDs() (first, second string) {
	first = translate.UUID(translate.VRFContext, j.lb.VIPSubnetID)
	space, err := uuid.Parse(translate.ID(first))
	if err != nil {
		space = uuid.NameSpaceOID
	}
	id := uuid.NewSHA1(space, []byte(j.tenant.UUID+j.tenant.Name))
	return first, translate.UUID(translate.VRFContext, id.String())
}

// use notes what the load balancer shares with others.
func (j *job) use(inVRF bool) {
	u := use{subnets: subnetsOf(j.lb), seen: j.p.now()}
	if inVRF {
		u.vrf = j.vrfKey()
	}
	j.p.uses.set(j.lb.ID, u)
}

// vrfKey names the VRF context of the load balancer's subnet among those of all tenants.
func (j *job) vrfKey() string { return j.tenant.UUID + j.tenant.Name + " " + vrfName(j.lb.VIPSubnetID) }

// ensureVRF returns the UUID of the subnet's VRF context, which is made where there is none. Nobody in this process deletes it from here on.
func (j *job) ensureVRF(ctx context.Context) (string, error) {
	unlock, err := j.p.locks.lock(ctx, j.vrfKey())
	if err != nil {
		return "", err
	}
	defer unlock()
	j.use(true)
	is, err := j.findVRF(ctx)
	if is != nil || err != nil {
		return uuidOf(translate.VRFContext, is), err
	}
	first, second := j.vrfUUIDs()
	for _, id := range []string{first, second} {
		err = j.createVRF(ctx, id)
		if !controller.Taken(err) {
			return id, err
		}
		if is, found := j.findVRF(ctx); is != nil || found != nil { // another load balancer's, made meanwhile
			return uuidOf(translate.VRFContext, is), found
		}
	}
	return "", err
}

func (j *job) findVRF(ctx context.Context) (controller.Object, error) {
	return j.named(ctx, j.tenant, translate.VRFContext, vrfName(j.lb.VIPSubnetID))
}

func (j *job) createVRF(ctx context.Context, id string) error {
	_, err := j.p.ctl.Create(ctx, j.tenant, translate.VRFContext, id, controller.Object{
		"name": vrfName(j.lb.VIPSubnetID), description: autoCreated, "system_default": false,
		"cloud_ref": translate.NamedRef("cloud", j.p.cloud()),
	})
	if err != nil {
		return fmt.Errorf("create %s: %w", id, err)
	}
	j.writes++
	return nil
}

// removeVRF deletes the subnet's VRF context, where we made it and nothing uses it any more. Whether other load balancers do the controller
// knows; but not of those that have no listener yet. It returns what else refers to it, which is to go by itself: a service engine's interface.
func (j *job) removeVRF(ctx context.Context) (referrers string, err error) {
	if j.lb.VIPSubnetID == "" {
		return "", nil
	}
	unlock, err := j.p.locks.lock(ctx, j.vrfKey())
	if err != nil {
		return "", err
	}
	defer unlock()
	if j.p.uses.others(j.lb.ID, j.p.now(), func(u use) bool { return u.vrf == j.vrfKey() }) {
		return "", nil
	}
	is, err := j.findVRF(ctx)
	if controller.Refused(err) { // who may not see VRF contexts has made none
		return "", nil
	}
	if err != nil || is == nil || is[description] != autoCreated {
		return "", err
	}
	by, err := j.remove(ctx, key{translate.VRFContext, uuidOf(translate.VRFContext, is)})
	if strings.Contains(by, "VsVip") || strings.Contains(by, "VirtualService") || strings.Contains(by, "Pool") {
		return "", nil
	}
	return by, err
}

// subnets are those of the members, which pools name as networks. One that is not there any more has none.
func (j *job) subnets(ctx context.Context) (map[string]*network.Subnet, error) {
	all := map[string]*network.Subnet{}
	if j.p.cfg.Networks == nil {
		return all, nil
	}
	for _, id := range subnetsOf(j.lb) {
		s, err := j.p.cfg.Networks.Subnet(ctx, id)
		switch {
		case err == nil:
			all[id] = s
		case !isNotFound(err):
			return nil, fmt.Errorf("read subnet %s: %w", id, err)
		}
	}
	return all, nil
}

// subnetsOf are the subnets in which the controller makes ports for a load balancer, each once.
func subnetsOf(lb *lbaas.LoadBalancer) []string {
	var list []string
	seen := map[string]bool{"": true}
	add := func(id string) {
		if !seen[id] {
			seen[id] = true
			list = append(list, id)
		}
	}
	add(lb.VIPSubnetID)
	for _, p := range lb.Pools {
		for _, m := range p.Members {
			add(m.SubnetID)
		}
	}
	return list
}
