package neutronlbaas

import (
	"errors"
	"testing"

	"plimsoll/internal/identity"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// FuzzBody has bodies either read or refused in words for users; nothing else may come of them.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `{"name": null}`, `{"protocol": "HTTP", "protocol_port": "80", "sni_container_refs": ["a", null]}`, `{"session_persistence": {"type": 1}}`,
		`{"vip_subnet_id": "x", "listeners": [{"default_pool": {"members": [{}], "healthmonitor": []}, "l7policies": [{"rules": [{}]}]}]}`,
		`{"type": "HEADER", "compare_type": "REGEX", "value": "(", "key": "\u0000"}`, `{"address": "::1%eth0", "weight": 1e400, "admin_state_up": "TRUE"}`,
		`{"action": "REDIRECT_TO_URL", "redirect_url": "http://a/\n", "position": "1"}`,
	} {
		f.Add([]byte(seed))
	}
	by := &identity.Actor{ProjectID: "p"}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range []schema{
			loadBalancerSchema(), listenerSchema(), poolSchema(), memberSchema(), healthMonitorSchema(), l7PolicySchema(), l7RuleSchema(),
		} {
			o, err := object(data)
			if err != nil {
				return
			}
			b, err := s.read(o, by)
			judge(t, b, err)
		}
		o, err := object(data)
		if err == nil {
			b, err := (&graph{by: by, names: map[string]string{}}).loadBalancer(o)
			judge(t, b, err)
		}
	})
}

func judge(t *testing.T, b body, err error) {
	t.Helper()
	var known *lbaas.Error
	if err != nil && (!errors.As(err, &known) || known.Text == "") {
		t.Fatalf("an error that is not for users: %v", err)
	}
	if err == nil {
		for name, value := range b {
			if _, raw := value.(web.Object); raw {
				t.Fatalf("%s is not read", name)
			}
		}
	}
}
