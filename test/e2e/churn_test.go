package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/keymanager/v1/secrets"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"

	"plimsoll/test/harness"
)

// churnChanges are made unless PLIMSOLL_CHANGES says how many; a tenth as many are structural. "make bench" makes 1,000.
const churnChanges = 200

// churnIdle is how long the TLS listener waits for clients. It bounds how long an old process lives: a client of HTTP/2 that was told to
// go away while it had nothing to ask may keep the connection for as long, as Go's does.
const churnIdle = 3 * time.Second

// churn is a load balancer under load that is changed all the time: an HTTP listener and one that ends TLS, with a pool each, and a
// pool to which an L7 policy leads the load or not.
type churn struct {
	*site
	random *rand.Rand
	loads  map[string]*harness.Load
	second *secondLoad

	pools  []*churnPool
	names  []*shown // the certificates that the TLS listener shows
	policy string
	rules  []string
	leads  bool     // whether the rules match what the load asks for
	extra  []string // paths of what structural changes made
	ports  int
	most   int // HAProxy processes at once
}

// churnPool is a pool with two members that stay, and one that comes and goes.
type churnPool struct {
	id    string
	stay  []string
	spare *harness.Web
	third string // the id of the spare as a member; "" when it is none
	down  bool   // whether it is switched off
}

// shown is a name, the secret of its certificate, and the certificates that take turns in it.
type shown struct {
	name, ref string
	all       []*harness.Identity
	now       int
}

// newChurn makes the load balancer and its load.
func newChurn(t *testing.T) *churn {
	s, authority := tlsSite(t)
	c := &churn{site: s, random: rand.New(rand.NewPCG(1, 2)), loads: map[string]*harness.Load{}}
	for i := range 5 {
		s.webs = append(s.webs, s.newMember(t, fmt.Sprintf("m%d", i+1)))
	}
	for i, name := range []string{"plain", "tls"} {
		p := &churnPool{spare: s.webs[4]}
		p.id, p.stay = s.backends(t, pools.CreateOpts{Name: name, Protocol: pools.ProtocolHTTP}, 8080, s.webs[2*i].Node, s.webs[2*i+1].Node)
		c.pools = append(c.pools, p)
	}
	led := s.newMember(t, "led")
	led.Delay(5 * time.Millisecond) // so that requests are under way whatever is done
	s.webs[1].Delay(10 * time.Millisecond)
	s.webs[4].Delay(20 * time.Millisecond)
	lead, _ := s.backends(t, pools.CreateOpts{Name: "led", Protocol: pools.ProtocolHTTP}, 8080, led.Node)
	for _, name := range []string{"www.example.com", "shop.example.com"} {
		n := &shown{name: name}
		for range 4 {
			n.all = append(n.all, authority.Issue(name))
		}
		n.ref = s.StoreText(t, name, secrets.OpaqueSecret, n.all[0].Bundle())
		c.names = append(c.names, n)
	}
	s.lb.ListenerID = s.front(t, listeners.CreateOpts{Name: "plain", Protocol: listeners.ProtocolHTTP, ProtocolPort: 80, DefaultPoolID: c.pools[0].id})
	idle := int(churnIdle.Milliseconds())
	s.front(t, listeners.CreateOpts{
		Name: "tls", Protocol: listeners.ProtocolTerminatedHTTPS, ProtocolPort: 443, DefaultPoolID: c.pools[1].id, TimeoutClientData: &idle,
		DefaultTlsContainerRef: c.names[0].ref, SniContainerRefs: []string{c.names[1].ref},
	})
	c.policy = s.create(t, "/l7policies", "l7policy", object{"listener_id": s.lb.ListenerID, "action": "REDIRECT_TO_POOL", "redirect_pool_id": lead})
	c.rules = []string{s.create(t, "/l7policies/"+c.policy+"/rules", "rule", rule("HOST_NAME", "EQUAL_TO", "", "other"))}
	c.active(t)
	c.begin(t, authority)
	return c
}

// begin starts the load: clients that keep their connections, that seldom use them, and that open one for each request, with and
// without TLS. None tries anything again.
func (c *churn) begin(t *testing.T, authority *harness.Authority) {
	plain, secure := harness.JoinPort(c.lb.VIP, 80), harness.JoinPort(c.lb.VIP, 443)
	config := func(name string, sessions tls.ClientSessionCache) *tls.Config {
		return &tls.Config{RootCAs: authority.Pool(), ServerName: name, ClientSessionCache: sessions}
	}
	for name, o := range map[string]harness.LoadOptions{
		"HTTP, kept":               {Address: plain, KeepAlive: true},
		"HTTP, kept, seldom used":  {Address: plain, KeepAlive: true, Pause: 300 * time.Millisecond},
		"HTTP, one per request":    {Address: plain},
		"TLS, kept":                {Address: secure, KeepAlive: true, TLS: config("www.example.com", nil)},
		"TLS, kept, seldom used":   {Address: secure, KeepAlive: true, Pause: 300 * time.Millisecond, TLS: config("shop.example.com", nil)},
		"TLS, one per request":     {Address: secure, TLS: config("shop.example.com", nil), Workers: 1},
		"TLS, resumed per request": {Address: secure, TLS: config("www.example.com", tls.NewLRUClientSessionCache(0)), Workers: 1},
	} {
		if o.Workers == 0 {
			o.Workers = 2
		}
		if o.Pause == 0 {
			o.Pause = 5 * time.Millisecond
		}
		o.Time = 10 * time.Minute
		c.loads[name] = c.client.Load(t, o)
	}
	c.second = c.overHTTP2(t, &tls.Config{RootCAs: authority.Pool()})
	c.flows(t)
}

// secondLoad is load by HTTP/2, on a connection that requests share. The client begins another one when it is told to go away, and
// sends again only what the other side says that it did not look at (RFC 9113, section 8.7).
type secondLoad struct {
	answered, failed atomic.Int64
	last             atomic.Value // the last failure
	connections      atomic.Int64
	end              func()
}

func (c *churn) overHTTP2(t *testing.T, config *tls.Config) *secondLoad {
	l := &secondLoad{}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: config, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			l.connections.Add(1)
			return c.client.Dial(ctx, network, harness.JoinPort(c.lb.VIP, 443))
		},
	}}
	ctx, cancel := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	for range 3 {
		workers.Go(func() {
			for ctx.Err() == nil {
				if err := askSecond(client); err != nil {
					l.failed.Add(1)
					l.last.Store(err.Error())
				} else {
					l.answered.Add(1)
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	l.end = func() { cancel(); workers.Wait(); client.CloseIdleConnections() }
	t.Cleanup(l.end)
	return l
}

// askSecond makes a request that net/http does not send again on its own: a POST.
func askSecond(client *http.Client) error {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://www.example.com/", strings.NewReader("a body"))
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || answer.ProtoMajor != 2 {
		return fmt.Errorf("%s %s", answer.Proto, answer.Status)
	}
	return nil
}

func (l *secondLoad) String() string {
	return fmt.Sprintf("%d answered by %d connections, %d failed, the last one: %v", l.answered.Load(), l.connections.Load(), l.failed.Load(), l.last.Load())
}

// flows waits until more requests of each kind have been answered: what was done before had time to hurt.
func (c *churn) flows(t *testing.T) {
	t.Helper()
	for name, load := range c.loads {
		start := load.Report()
		harness.Eventually(t, 20*time.Second, func() error {
			if r := load.Report(); r.Answered < start.Answered+10 {
				return fmt.Errorf("%s: only %v", name, r)
			}
			return nil
		})
	}
}

// active waits until the load balancer is ACTIVE.
func (c *churn) active(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		lb, err := loadbalancers.Get(t.Context(), c.LoadBalancer, c.lb.ID).Extract()
		if err != nil || lb.ProvisioningStatus == "ERROR" {
			t.Fatalf("the load balancer is %v: %v", lb, err)
		}
		if lb.ProvisioningStatus == "ACTIVE" {
			return
		}
	}
	t.Fatal("the load balancer is not ACTIVE after 30 s")
}

// A churnKind is a kind of change. HAProxy takes the live ones without a reload.
type churnKind struct {
	name  string
	live  bool
	share int // of the changes
	do    func(c *churn, t *testing.T)
}

func churnKinds() []churnKind {
	return []churnKind{
		{"weight", true, 40, (*churn).reweigh},
		{"member", true, 30, (*churn).exchange},
		{"certificate", true, 15, (*churn).renew},
		{"L7 rule", false, 15, (*churn).rule},
	}
}

func pick(random *rand.Rand, all []churnKind) churnKind {
	n := random.IntN(100)
	for _, k := range all {
		if n -= k.share; n < 0 {
			return k
		}
	}
	return all[0]
}

func (c *churn) reweigh(t *testing.T) {
	p := c.pools[c.random.IntN(len(c.pools))]
	c.change(t, "/pools/"+p.id+"/members/"+p.stay[c.random.IntN(len(p.stay))], "member", object{"weight": 1 + c.random.IntN(256)})
}

// exchange adds the third member of a pool, switches it off or on, or removes it.
func (c *churn) exchange(t *testing.T) {
	p := c.pools[c.random.IntN(len(c.pools))]
	path := "/pools/" + p.id + "/members"
	switch {
	case p.third == "":
		p.third, p.down = c.create(t, path, "member", object{"address": p.spare.Node.Address, "protocol_port": 8080, "subnet_id": c.net.SubnetID, "weight": 128}), false
	case c.random.IntN(2) == 0:
		p.down = !p.down
		c.change(t, path+"/"+p.third, "member", object{"admin_state_up": !p.down})
	default:
		c.erase(t, path+"/"+p.third)
		p.third = ""
	}
}

// renew puts the next certificate into a secret.
func (c *churn) renew(t *testing.T) {
	n := c.names[c.random.IntN(len(c.names))]
	n.now = (n.now + 1) % len(n.all)
	c.replaceSecret(t, n.ref, n.all[n.now].Bundle())
}

// rule changes an L7 rule so that the load is led to another pool, or adds or removes one.
func (c *churn) rule(t *testing.T) {
	path := "/l7policies/" + c.policy + "/rules"
	last := len(c.rules) - 1
	switch n := c.random.IntN(4); {
	case n == 0 && len(c.rules) < 4:
		c.rules = append(c.rules, c.create(t, path, "rule", rule("PATH", "STARTS_WITH", "", "/")))
	case n == 1 && last > 0:
		c.erase(t, path+"/"+c.rules[last])
		c.rules = c.rules[:last]
	default:
		c.leads = !c.leads
		c.change(t, path+"/"+c.rules[0], "rule", object{"value": map[bool]string{true: "vip", false: "other"}[c.leads]})
	}
}

// erase deletes an object and waits for nothing.
func (c *churn) erase(t *testing.T, path string) {
	t.Helper()
	resp, err := c.LoadBalancer.Delete(t.Context(), c.LoadBalancer.ServiceURL("lbaas")+path, nil)
	if err != nil {
		t.Fatalf("DELETE %s: %v", path, err)
	}
	_ = resp.Body.Close()
}

// restructure makes a change for which HAProxy has to be reloaded.
func (c *churn) restructure(t *testing.T) {
	switch n := c.random.IntN(4); {
	case n == 0 && len(c.extra) < 6:
		c.ports++
		id := c.create(t, "/listeners", "listener", object{
			"loadbalancer_id": c.lb.ID, "protocol": "HTTP", "protocol_port": 1000 + c.ports, "default_pool_id": c.pools[0].id,
		})
		c.extra = append(c.extra, "/listeners/"+id)
	case n == 1 && len(c.extra) < 6:
		c.extra = append(c.extra, "/l7policies/"+c.create(t, "/l7policies", "l7policy", object{"listener_id": c.lb.ListenerID, "action": "REJECT"}))
		c.create(t, c.extra[len(c.extra)-1]+"/rules", "rule", rule("PATH", "STARTS_WITH", "", "/no"))
	case n == 2 && len(c.extra) > 0:
		i := c.random.IntN(len(c.extra))
		c.erase(t, c.extra[i])
		c.extra = slices.Delete(c.extra, i, i+1)
	default:
		c.ports++
		c.change(t, "/listeners/"+c.lb.ListenerID, "listener", object{"timeout_client_data": 50000 + c.ports})
	}
}

// starts counts how often HAProxy was started so far, by the engine's log.
func (c *churn) starts(t *testing.T) (n int) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(c.StateDir, "*.log"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n += strings.Count(string(text), `HAProxy started`)
	}
	if n == 0 {
		t.Fatal("the engine's log has no start of HAProxy")
	}
	return n
}

// count notes how many HAProxy processes there are.
func (c *churn) count() int {
	n := len(c.HAProxies())
	c.most = max(c.most, n)
	return n
}

// renewed tells whether new clients get the certificates that the secrets have now.
func (c *churn) renewed(t *testing.T) error {
	for _, n := range c.names {
		raw, err := c.client.Dial(t.Context(), "tcp", harness.JoinPort(c.lb.VIP, 443))
		if err != nil {
			return err
		}
		conn := tls.Client(raw, &tls.Config{ServerName: n.name, InsecureSkipVerify: true}) //nolint:gosec // which one it is is asked
		err = conn.HandshakeContext(t.Context())
		_ = conn.Close()
		if err != nil {
			return err
		}
		if got := conn.ConnectionState().PeerCertificates[0]; !got.Equal(n.all[n.now].TLS.Leaf) {
			return fmt.Errorf("%s has certificate %v, want %v", n.name, got.SerialNumber, n.all[n.now].TLS.Leaf.SerialNumber)
		}
	}
	return nil
}

// mix makes n changes of the kinds, one after the other; of each ten, five are made in a burst that nobody waits within. A change
// or burst in which all are live leaves the process alone, and no burst costs more starts than it has changes that are not.
func (c *churn) mix(t *testing.T, n int) map[string]int {
	done := map[string]int{}
	for made := 0; made < n; {
		size := 1
		if made%10 == 5 {
			size = min(5, n-made)
		}
		before, reloads := c.starts(t), 0
		for range size {
			kind := pick(c.random, churnKinds())
			kind.do(c, t)
			done[kind.name]++
			made++
			if !kind.live {
				reloads++
			}
		}
		c.active(t)
		if started := c.starts(t) - before; started > reloads {
			t.Errorf("after %d changes, of which %d need a reload, HAProxy was started %d times", size, reloads, started)
		}
		if reloads > 0 {
			c.count()
		}
		if err := c.renewed(t); err != nil {
			t.Errorf("after %d changes: %v", made, err)
		}
	}
	return done
}

// unharmed fails the test if a request failed.
func (c *churn) unharmed(t *testing.T, when string) {
	t.Helper()
	c.flows(t)
	for _, name := range slices.Sorted(maps.Keys(c.loads)) {
		if r := c.loads[name].Report(); r.Failed > 0 {
			t.Errorf("%s, %s: %v", when, name, r)
		}
	}
	if c.second.failed.Load() > 0 {
		t.Errorf("%s, HTTP/2: %v", when, c.second)
	}
}

// TestChurn changes members, weights, certificates and L7 rules in a mix, then what HAProxy has to be reloaded for, under load: no
// request fails, and what HAProxy can take at run time reloads nothing.
func TestChurn(t *testing.T) {
	n := churnChanges
	if text := os.Getenv("PLIMSOLL_CHANGES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 100 {
			t.Fatalf("PLIMSOLL_CHANGES=%s: want a number from 100", text)
		}
	}
	c := newChurn(t)
	start, first := time.Now(), c.starts(t)
	done := c.mix(t, n)
	t.Logf("%d changes in %v: %v; HAProxy was started %d times", n, time.Since(start).Round(time.Millisecond), done, c.starts(t)-first)
	c.unharmed(t, "changes")

	start, first = time.Now(), c.starts(t)
	for range n / 10 {
		c.restructure(t)
		c.active(t)
		c.count()
	}
	started := c.starts(t) - first
	t.Logf("%d structural changes in %v; HAProxy was started %d times", n/10, time.Since(start).Round(time.Millisecond), started)
	if started < n/10 {
		t.Errorf("HAProxy was started %d times for %d structural changes", started, n/10)
	}
	c.unharmed(t, "structural changes")

	start = time.Now()
	harness.Eventually(t, 20*time.Second, func() error {
		if now := c.count(); now > 1 {
			return fmt.Errorf("%d HAProxy processes", now)
		}
		return nil
	})
	t.Logf("at most %d HAProxy processes at once; the last old one had ended %v later", c.most, time.Since(start).Round(time.Millisecond))
	c.unharmed(t, "the end of old processes")
	c.second.end()
	t.Logf("HTTP/2: %v", c.second)
	by := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(c.loads)) {
		r := c.loads[name].Stop()
		t.Logf("%s: %v", name, r)
		for member, served := range r.By {
			by[member] += served
		}
	}
	for _, member := range []string{"m1", "m2", "m3", "m4", "m5", "led"} {
		if by[member] == 0 {
			t.Errorf("%s served nothing", member)
		}
	}
}
