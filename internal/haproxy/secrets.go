package haproxy

import (
	"slices"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

// Need is a secret without which a listener or a pool is not rendered.
type Need struct {
	ObjectID string
	Ref      string
	Use      keymanager.Use
}

var uses = map[enginepb.File_Kind]keymanager.Use{
	enginepb.File_CERTIFICATE: keymanager.Certificate,
	enginepb.File_AUTHORITIES: keymanager.Authorities,
	enginepb.File_REVOCATIONS: keymanager.Revocations,
}

// As is what Secrets has a reference's secret by that is read for one use: the same one may be a listener's certificate and the authority
// of a pool.
func As(use keymanager.Use, ref string) string { return use.String() + "\x00" + ref }

// Needs are the secrets that Render needs of a load balancer, each once for each listener and pool.
func Needs(lb *lbaas.LoadBalancer) []Need {
	var all []Need
	add := func(id string, secrets []secret) {
		for _, s := range secrets {
			if n := (Need{id, s.ref, uses[s.kind]}); !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
	}
	for _, l := range listeners(lb) {
		add(l.ID, listenerSecrets(l))
	}
	for _, c := range copies(lb) {
		add(c.pool.ID, poolSecrets(c.pool))
	}
	return all
}
