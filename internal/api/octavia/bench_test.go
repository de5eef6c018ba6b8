package octavia_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
)

// fill makes load balancers, each with a listener, a pool and a member.
func (c *cloud) fill(n int) (first string) {
	c.t.Helper()
	_, subnet := c.makeNetwork(mine, "10.64.0.0/16")
	for i := range n {
		id := c.make("/loadbalancers", "loadbalancer", object{
			"vip_subnet_id": subnet.ID, "vip_address": fmt.Sprintf("10.64.%d.%d", i/200, 10+i%200),
			"listeners": []object{{"protocol": "HTTP", "protocol_port": 80, "default_pool": object{
				"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "members": []object{{"address": "10.0.0.9", "protocol_port": 80}},
			}}},
		})["id"].(string)
		if first == "" {
			first = id
		}
	}
	c.achieve()
	return first
}

func (c *cloud) get(b *testing.B, path string) {
	b.Helper()
	b.ReportAllocs()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, c.server.URL+root+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", c.token)
	for b.Loop() {
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
			b.Fatal(res.StatusCode, err)
		}
		_ = res.Body.Close()
	}
}

// BenchmarkGetOne, as the others here, goes through HTTP on the loopback, both ends in this process.
func BenchmarkGetOne(b *testing.B) {
	c := newCloud(b)
	c.get(b, "/loadbalancers/"+c.fill(100))
}

func BenchmarkStatusTree(b *testing.B) {
	c := newCloud(b)
	c.get(b, "/loadbalancers/"+c.fill(100)+"/status")
}

func BenchmarkList100(b *testing.B) {
	c := newCloud(b)
	c.fill(100)
	c.get(b, "/loadbalancers")
}

func BenchmarkList1000(b *testing.B) {
	c := newCloud(b)
	c.fill(1000)
	c.get(b, "/loadbalancers")
}

func BenchmarkPostMember(b *testing.B) {
	c := newCloud(b)
	pool := c.pool(c.loadBalancer())
	port := 0
	for b.Loop() {
		port++
		c.must(http.StatusCreated, http.MethodPost, "/pools/"+pool+"/members", object{
			"member": object{"address": fmt.Sprintf("10.0.%d.9", port/60000), "protocol_port": 1 + port%60000},
		})
	}
}

func BenchmarkPutMember(b *testing.B) {
	c := newCloud(b)
	pool := c.pool(c.loadBalancer())
	m := c.make("/pools/"+pool+"/members", "member", object{"address": "10.0.0.9", "protocol_port": 80})["id"].(string)
	for b.Loop() {
		c.must(http.StatusOK, http.MethodPut, "/pools/"+pool+"/members/"+m, object{"member": object{"weight": 5}})
	}
}

func BenchmarkPostTree(b *testing.B) {
	c := newCloud(b)
	_, subnet := c.makeNetwork(mine, "10.64.0.0/16")
	tree := fullTree(c)
	tree["vip_subnet_id"] = subnet.ID
	i := 0
	for b.Loop() {
		tree["vip_address"] = fmt.Sprintf("10.64.%d.%d", i/200, 10+i%200)
		c.make("/loadbalancers", "loadbalancer", tree)
		i++
	}
}
