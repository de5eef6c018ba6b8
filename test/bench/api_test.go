package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"plimsoll/test/harness"
)

// object is a JSON object of a request.
type object map[string]any

// api is a client of the load-balancer API that adds little time of its own: it keeps its connections, has its token, and
// reads answers without decoding what nobody asked for.
type api struct {
	url, token string
	client     *http.Client
}

func newAPI(c *harness.Cloud) *api {
	transport := &http.Transport{MaxIdleConnsPerHost: 128}
	return &api{c.Server.URL + "/load-balancer/v2/lbaas", c.LoadBalancer.Token(), &http.Client{Transport: transport, Timeout: time.Minute}}
}

// call makes a request and wants a status of success. It returns the answer.
func (a *api) call(ctx context.Context, method, path string, body any) ([]byte, error) {
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, a.url+path, in)
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Auth-Token", a.token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := a.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: status %d: %s", method, path, resp.StatusCode, text)
	}
	return text, err
}

// created is what the answer to a POST says that matters here.
type created struct {
	ID         string `json:"id"`
	VIPAddress string `json:"vip_address"`
	Pools      []struct {
		ID string `json:"id"`
	} `json:"pools"`
}

func (a *api) create(ctx context.Context, path, noun string, body object) (created, error) {
	text, err := a.call(ctx, http.MethodPost, path, object{noun: body})
	if err != nil {
		return created{}, err
	}
	var answer map[string]created
	err = json.Unmarshal(text, &answer)
	return answer[noun], err
}

func (a *api) status(ctx context.Context, id string) (string, error) {
	text, err := a.call(ctx, http.MethodGet, "/loadbalancers/"+id, nil)
	var answer struct {
		LoadBalancer struct {
			ProvisioningStatus string `json:"provisioning_status"`
		} `json:"loadbalancer"`
	}
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	return answer.LoadBalancer.ProvisioningStatus, err
}

// active waits until a load balancer is ACTIVE, and looks every few milliseconds.
func (a *api) active(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		status, err := a.status(ctx, id)
		if err != nil || status == "ACTIVE" {
			return err
		}
		if status == "ERROR" {
			return fmt.Errorf("load balancer %s is in ERROR", id)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// wholeTree is the body of a POST with everything in it.
func (s *site) wholeTree(webs ...*harness.Web) object {
	var members []object
	for _, w := range webs {
		members = append(members, member(s.net, w))
	}
	return object{
		"name": "lb", "vip_subnet_id": s.net.SubnetID,
		"listeners": []object{{
			"name": "listener", "protocol": "HTTP", "protocol_port": 80,
			"default_pool": object{"name": "pool", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "members": members},
		}},
	}
}

func member(n *harness.Net, w *harness.Web) object {
	return object{"name": w.Name, "address": w.Node.Address, "protocol_port": w.Port, "subnet_id": n.SubnetID}
}

// create makes a load balancer with its whole tree and returns it with the time that the POST was sent.
func (s *site) create(b *testing.B, body object) (created, time.Time) {
	b.Helper()
	sent := time.Now()
	lb, err := s.api.create(b.Context(), "/loadbalancers", "loadbalancer", body)
	if err != nil {
		b.Fatal(err)
	}
	return lb, sent
}

// remove deletes a load balancer with everything in it, and does not wait.
func (s *site) remove(b *testing.B, id string) {
	b.Helper()
	if _, err := s.api.call(b.Context(), http.MethodDelete, "/loadbalancers/"+id+"?cascade=true", nil); err != nil {
		b.Fatal(err)
	}
}
