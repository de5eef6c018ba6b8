package avitest

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestShell(t *testing.T) {
	for name, got := range map[string]string{
		"table.golden": Table([]map[string]any{
			{"name": "demo-default", "uuid": "vrfcontext-6907ad2f-7160-4a1c-8815-ec3dbc409556"},
			{"name": "subnet-a051f4a6-eddd-41c0-bb0f-adb4e2b5f325", "uuid": "vrfcontext-a051f4a6-eddd-41c0-bb0f-adb4e2b5f325"},
		}),
		"empty.golden": Table(nil),
		"tenant.golden": Detail("tenant", map[string]any{
			"config_settings": map[string]any{"tenant_access_to_provider_se": true, "se_in_provider_context": true, "tenant_vrf": true},
			"local":           false, "name": "demo", "uuid": tenantDemo,
		}),
		"nokind.golden": Detail("nonesuch", map[string]any{"name": "n", "b": nil, "a": "x"}),
		"detail.golden": Detail("virtualservice", map[string]any{
			"uuid": "virtualservice-1", "name": "demo-lb:demolb-listener", "url": "https://c/api/virtualservice/virtualservice-1",
			"_last_modified": "1572868800000000", "ign_pool_net_reach": true, "enabled": false, "weight": 1.0,
			"vrf_context_ref": "https://c/api/vrfcontext/vrfcontext-1#subnet-a051f4a6-eddd-41c0-bb0f-adb4e2b5f325",
			"services":        []any{map[string]any{"port": 80.0, "enable_ssl": false}, map[string]any{"port": 443.0, "enable_ssl": true}},
			"vh_domain_name":  []any{"a.example", "b.example"}, "description": "of two\nlines", "analytics_policy": map[string]any{"udf": map[string]any{"on": true}},
			"not_of_the_schema": 1, "created_by": "moves \x1b[2J the cursor",
		}),
	} {
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
