package octavia_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/provider"
	"plimsoll/internal/provider/noop"
	"plimsoll/internal/reconcile"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// How many clients TestManyAtOnce has, and how long one of them may wait for an answer.
const (
	clients  = 32
	patience = time.Minute
)

// TestManyAtOnce lets 32 clients change one load balancer at once, each in any way, while loops make it true: on databases that
// several processes share, by two servers. All are answered with success, or with what is in their way: a port that is taken, a quota,
// an object that somebody else has deleted. Nobody is told to wait, nobody fails, and in the end everything is ACTIVE.
func TestManyAtOnce(t *testing.T) {
	for _, engine := range storetest.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			connection := storetest.Connection(t, engine)
			c := newThrong(t, storetest.Reopen(t, connection))
			if engine != store.SQLite { // which one process has to itself
				c.serveToo(t, storetest.Reopen(t, connection))
			}
			c.run(t)
			c.end(t)
		})
	}
}

// throng is a load balancer that many change at once, and what they know of it.
type throng struct {
	servers []*sandbox
	lb      string

	mu      sync.Mutex
	objects map[lbaas.Noun][]string // that were made, and that nobody has deleted yet
	parents map[string]string
	doomed  map[string]bool // what somebody has begun to delete
	failed  []string
	counts  map[string]int // of answers, by their code and their words
}

// throngQuota is how many members the throng may have.
const throngQuota = 25

func newThrong(t *testing.T, s *store.Store) *throng {
	t.Helper()
	c := &throng{objects: map[lbaas.Noun][]string{}, parents: map[string]string{}, doomed: map[string]bool{}, counts: map[string]int{}}
	w := c.serveToo(t, s)
	w.network, w.subnet = w.makeNetwork(mine, "10.0.0.0/24")
	c.lb = w.loadBalancer()
	w.must(http.StatusAccepted, http.MethodPut, "/quotas/"+mine, object{"quota": object{"member": throngQuota}})
	return c
}

// serveToo adds a server with its loop.
func (c *throng) serveToo(t *testing.T, s *store.Store) *sandbox {
	t.Helper()
	w := &sandbox{cloud: &cloud{t: t, store: s, token: "admin"}}
	w.serve(octavia.Config{Store: s, Networks: s, Auth: omnipotent(), Providers: []provider.Face{noop.Face()}, DefaultProvider: noop.Name, Host: "h"})
	loop := reconcile.New(reconcile.Config{
		Store: s, Networks: s, Providers: map[string]provider.Provider{noop.Name: noop.New(&memory{files: map[string][]byte{}})},
		Instance: fmt.Sprint("server ", len(c.servers)), Host: "h", Shards: true, ScanEvery: 200 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- loop.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the loop: %v", err)
		}
	})
	c.servers = append(c.servers, w)
	return w
}

// run lets all clients do their work.
func (c *throng) run(t *testing.T) {
	t.Helper()
	requests := 20
	if racing() {
		requests = 5
	}
	var all sync.WaitGroup
	for i := range clients {
		one := &client{throng: c, server: c.servers[i%len(c.servers)], rand: rand.New(rand.NewPCG(uint64(i), rand.Uint64()))} //nolint:gosec // no secret
		all.Go(func() {
			for range requests {
				one.act()
			}
		})
	}
	all.Wait()
	for _, failure := range c.failed {
		t.Error(failure)
	}
	for _, words := range slices.Sorted(maps.Keys(c.counts)) {
		t.Logf("%4d × %s", c.counts[words], words)
	}
}

// end waits until everything is ACTIVE, and looks whether all is as it should be.
func (c *throng) end(t *testing.T) {
	t.Helper()
	w := c.servers[0]
	var last string
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if last = c.unsettled(t, w); last == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not everything has become ACTIVE: %s", last)
		}
	}
	tree, err := w.store.Tree(t.Context(), c.lb)
	if err == nil {
		err = consistent(tree)
	}
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	counts := map[lbaas.Noun]int{}
	for _, part := range tree.Parts() {
		there[part.Base().ID] = true
		counts[part.Noun()]++
	}
	if counts[lbaas.NounMember] > throngQuota {
		t.Errorf("there are %d members, and %d are allowed", counts[lbaas.NounMember], throngQuota)
	}
	for noun, ids := range c.objects {
		for _, id := range ids {
			if !there[id] && !c.mayBeGone(id) {
				t.Errorf("%s %s is gone, and nobody has deleted it", noun, id)
			}
		}
	}
	usage := at(w.send(http.MethodGet, root+"/quotas/"+mine+"?usage=1", "").body, "quota", "usage")
	for _, noun := range lbaas.QuotaNouns() {
		if got := usage[quotaKeys[noun]]; got != float64(counts[noun]) {
			t.Errorf("the usage of %s is %v, and there are %d", noun, got, counts[noun])
		}
	}
}

// unsettled names an object that is not ACTIVE; "" where all are.
func (c *throng) unsettled(t *testing.T, w *sandbox) string {
	t.Helper()
	lb, err := w.store.StatusTree(t.Context(), c.lb)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range lb.Parts() {
		if p := part.Base().Progress; p.Status() != lbaas.Active {
			return fmt.Sprintf("%s %s has come to %+v", part.Noun(), part.Base().ID, p)
		}
	}
	return ""
}

// client is one of a throng.
type client struct {
	*throng
	server *sandbox
	rand   *rand.Rand
}

// act does one thing, of those that are possible.
func (c *client) act() {
	switch n := c.rand.IntN(20); {
	case n < 9:
		c.makeOne()
	case n < 13:
		c.changeOne()
	case n < 16:
		c.deleteOne()
	case n < 19:
		c.batch()
	default:
		c.send(http.MethodPut, "/loadbalancers/"+c.lb, object{"loadbalancer": object{"description": fmt.Sprint(c.rand.Int())}})
		c.send(http.MethodPut, "/loadbalancers/"+c.lb+"/failover", nil)
	}
}

// any is an object of a noun that may be there, or "".
func (c *client) any(of ...lbaas.Noun) (noun lbaas.Noun, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	noun = of[c.rand.IntN(len(of))]
	if ids := c.objects[noun]; len(ids) > 0 {
		id = ids[c.rand.IntN(len(ids))]
	}
	return noun, id
}

func (c *client) makeOne() {
	_, listener := c.any(lbaas.NounListener)
	_, pool := c.any(lbaas.NounPool)
	switch n := c.rand.IntN(8); {
	case n == 0 || listener == "":
		c.post(lbaas.NounListener, "/listeners", c.lb, object{
			"loadbalancer_id": c.lb, "protocol": "HTTP", "protocol_port": 1 + c.rand.IntN(40), "default_pool_id": orNil(pool)})
	case n == 1 || pool == "":
		c.post(lbaas.NounPool, "/pools", c.lb, object{"loadbalancer_id": c.lb, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"})
	case n == 2:
		c.post(lbaas.NounMember, "/pools/"+pool+"/members", pool, object{"address": c.address(), "protocol_port": 80})
	case n == 3:
		c.post(lbaas.NounHealthMonitor, "/healthmonitors", pool, object{"pool_id": pool, "type": "TCP", "delay": 5, "timeout": 3, "max_retries": 2})
	case n == 4 && c.rand.IntN(2) == 0:
		c.post(lbaas.NounL7Policy, "/l7policies", listener, object{"listener_id": listener, "action": "REJECT", "position": 1 + c.rand.IntN(5)})
	case n == 4:
		c.post(lbaas.NounL7Policy, "/l7policies", listener, object{
			"listener_id": listener, "action": "REDIRECT_TO_POOL", "redirect_pool_id": pool, "position": 1 + c.rand.IntN(5)})
	case n == 5:
		c.post(lbaas.NounRateLimitPolicy, "/ratelimitpolicies", listener, object{"listener_id": listener, "action": "DENY"})
	case n == 6:
		if _, policy := c.any(lbaas.NounL7Policy); policy != "" {
			c.post(lbaas.NounL7Rule, "/l7policies/"+policy+"/rules", policy, object{"type": "PATH", "compare_type": "STARTS_WITH", "value": "/"})
		}
	default:
		if _, policy := c.any(lbaas.NounRateLimitPolicy); policy != "" {
			c.post(lbaas.NounRateLimitRule, "/ratelimitpolicies/"+policy+"/rules", policy, object{"metric": "REQUESTS", "threshold": 5})
		}
	}
}

// address is one of few, so that some are taken.
func (c *client) address() string { return fmt.Sprint("10.0.0.", 1+c.rand.IntN(30)) }

func (c *client) post(noun lbaas.Noun, path, parent string, body object) {
	a := c.send(http.MethodPost, path, object{keys[noun]: body})
	if a.code != http.StatusCreated {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	id := at(a.body, keys[noun])["id"].(string)
	c.objects[noun], c.parents[id] = append(c.objects[noun], id), parent
}

// pathOf is where an object is.
func (c *client) pathOf(noun lbaas.Noun, id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return (&model{}).pathOf(&node{noun: noun, id: id, parent: c.parents[id]})
}

func (c *client) changeOne() {
	noun, id := c.any(nouns()[1:]...)
	if id == "" {
		return
	}
	change := object{"name": fmt.Sprint(c.rand.Int())}
	switch noun {
	case lbaas.NounListener:
		_, pool := c.any(lbaas.NounPool)
		change["default_pool_id"] = orNil(pool)
	case lbaas.NounL7Policy:
		change["position"] = 1 + c.rand.IntN(5)
	case lbaas.NounL7Rule:
		change = object{"invert": c.rand.IntN(2) == 0}
	}
	c.send(http.MethodPut, c.pathOf(noun, id), object{keys[noun]: change})
}

func (c *client) deleteOne() {
	noun, id := c.any(nouns()[1:]...)
	if id == "" {
		return
	}
	c.doom(id)
	if a := c.send(http.MethodDelete, c.pathOf(noun, id), nil); a.code >= http.StatusBadRequest {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects[noun] = slices.DeleteFunc(c.objects[noun], func(o string) bool { return o == id })
}

func (c *client) doom(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doomed[id] = true
}

// batch replaces the members of a pool, or adds to them.
func (c *client) batch() {
	_, pool := c.any(lbaas.NounPool)
	if pool == "" {
		return
	}
	members := map[string]object{}
	for range c.rand.IntN(4) {
		address := c.address()
		members[address] = object{"address": address, "protocol_port": 80, "weight": c.rand.IntN(10)}
	}
	additive := c.rand.IntN(2) == 0
	if !additive {
		c.doom("members of " + pool)
	}
	c.send(http.MethodPut, fmt.Sprint("/pools/", pool, "/members?additive_only=", additive), object{"members": slices.AppendSeq([]object{}, maps.Values(members))})
}

// mayBeGone tells whether somebody has deleted an object, or what it is in.
func (c *throng) mayBeGone(id string) bool {
	for id != "" {
		if c.doomed[id] || c.doomed["members of "+c.parents[id]] {
			return true
		}
		id = c.parents[id]
	}
	return false
}

// conflicts are the words for what may be in a client's way.
var conflicts = map[int]*regexp.Regexp{
	http.StatusForbidden: regexp.MustCompile(`^Quota has been met for resources: Member$`),
	http.StatusNotFound:  regexp.MustCompile(`^[A-Za-z0-9 ]+ ([0-9a-f-]{36}) not found\.$`),
	http.StatusConflict: regexp.MustCompile(`^(Another Listener on this Load Balancer is already using .*|Another member on this pool is already using .*|` +
		`This pool already has a health monitor|Pool [0-9a-f-]{36} is in use by L7 policy [0-9a-f-]{36}|Too many rules on .*|` +
		`[A-Za-z0-9 ]+ [0-9a-f-]{36} is immutable and cannot be updated\.)$`),
}

var vary = regexp.MustCompile(`[0-9a-f-]{36}|[0-9.]*\d$| \d+\.\S+`)

var anyID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)

// send sends a request, and judges its answer.
func (c *client) send(method, path string, body any) answer {
	text := ""
	if body != nil {
		text = c.server.text(body)
	}
	begun := time.Now()
	a := c.server.send(method, root+path, text)
	took := time.Since(begun)
	c.mu.Lock()
	defer c.mu.Unlock()
	words, _ := a.body["faultstring"].(string)
	c.counts[fmt.Sprint(a.code, " ", vary.ReplaceAllString(words, "…"))]++
	if err := c.judge(a, words); err != nil || took > patience {
		c.failed = append(c.failed, fmt.Sprintf("%s %s %s: %d %s after %v: %v", method, path, text, a.code, a.raw, took, err))
	}
	return a
}

// judge tells what is wrong with an answer.
func (c *client) judge(a answer, words string) error {
	if a.code < http.StatusBadRequest {
		return nil
	}
	if known := conflicts[a.code]; known == nil || !known.MatchString(words) {
		return errors.New("this is no conflict that clients can have")
	}
	if strings.HasSuffix(words, "not found.") || strings.Contains(words, "immutable") {
		if id := anyID.FindString(words); !c.mayBeGone(id) {
			return fmt.Errorf("nobody has deleted %s", id)
		}
	}
	return nil
}
