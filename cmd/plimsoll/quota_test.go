package main

import (
	"testing"

	"plimsoll/internal/config"
	"plimsoll/lbaas"
)

func TestQuotaDefaults(t *testing.T) {
	got := quotaDefaults(config.Quotas{LoadBalancer: 1, Listener: 2, Pool: 3, HealthMonitor: 4, Member: 5, L7Policy: 6, L7Rule: 7})
	for i, noun := range lbaas.QuotaNouns() {
		if got[noun] != i+1 {
			t.Errorf("the default quota of %s is %d, want %d", noun, got[noun], i+1)
		}
	}
}
