package translate

// vipID is the key of the one VIP of a VsVip. It cannot change.
const vipID = "0"

// vsvip makes the object that holds the VIP for all virtual services of the load balancer.
func (t *translation) vsvip() Object {
	name := bounded("vsvip-" + loadBalancerName(t.lb))
	owned := map[string]any{"name": name, "cloud_ref": t.cloud(), "vip": []any{t.vip()}}
	t.setVRF(owned, "vrf_context_ref")
	return Object{
		Kind: VsVip, UUID: UUID(VsVip, t.lb.ID), Alias: alias(name, dashed(t.lb.ID)), For: []string{t.lb.ID}, Owned: owned,
	}
}

// vip is the VIP, with the port that was made for it: Avi must not make its own.
func (t *translation) vip() map[string]any {
	field, subnet := "ip_address", "subnet_uuid"
	if t.lb.VIPAddress.Unmap().Is6() {
		field, subnet = "ip6_address", "subnet6_uuid"
	}
	vip := map[string]any{"vip_id": vipID, "enabled": t.lb.AdminStateUp, "port_uuid": t.lb.VIPPortID, field: address(t.lb.VIPAddress)}
	if t.lb.VIPSubnetID != "" {
		vip[subnet] = t.lb.VIPSubnetID
	}
	return vip
}

// cloud refers to the cloud of all objects.
func (t *translation) cloud() string { return NamedRef("cloud", t.options.Cloud) }

// setVRF puts a field that refers to the VRF context, where there is one of our choice: else Avi chooses.
func (t *translation) setVRF(owned map[string]any, field string) {
	if t.options.VRF != "" {
		owned[field] = t.options.VRF
	}
}
