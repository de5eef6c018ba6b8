package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"plimsoll/internal/store"
)

// Pair runs a test on two stores of one database, as two processes have them: on every database server, and on two nodes of a Galera
// cluster, which is where locks do not reach. SQLite is one process's own: there both are the same.
func Pair(t *testing.T, fn func(t *testing.T, a, b *store.Store)) {
	t.Helper()
	for _, engine := range Engines() {
		t.Run(string(engine), func(t *testing.T) {
			connection := Connection(t, engine)
			a := Reopen(t, connection)
			b := a
			if engine != store.SQLite {
				b = Reopen(t, connection)
			}
			fn(t, a, b)
		})
	}
	Galera(t, fn)
}

// Galera runs a test on two stores of one database, each on a node of its own of a Galera cluster.
func Galera(t *testing.T, fn func(t *testing.T, a, b *store.Store)) {
	t.Helper()
	t.Run("galera", func(t *testing.T) {
		nodes := cluster(t)
		fn(t, Reopen(t, nodes[0]), Reopen(t, nodes[1]))
	})
}

// cluster makes a fresh database on a Galera cluster of two nodes, which is removed at the end of the test, and returns how store.Open
// reaches it on each of them. What is committed on one is seen on the other a little later.
func cluster(t *testing.T) (nodes [2]string) {
	t.Helper()
	servers, err := sharedCluster()
	if err != nil {
		t.Fatalf("start a Galera cluster: %v", err)
	}
	nodes[0] = connectionTo(t, servers[0], servers[0].take, servers[0].give)
	name, err := nameOf(nodes[0])
	if err == nil {
		nodes[1], err = servers[1].connection(name)
	}
	if err == nil {
		err = servers[1].catchUp(name)
	}
	if err != nil {
		t.Fatalf("make a database on a Galera cluster: %v", err)
	}
	return nodes
}

var sharedCluster = sync.OnceValues(startCluster)

// startCluster starts two nodes for as long as this process lives. They find each other on two addresses of the loopback network
// that hopefully nobody else uses.
func startCluster() (servers [2]*Server, err error) {
	recipe := galera
	recipe.script = fmt.Sprintf("net=127.%d.%d\n", 64+rand.IntN(128), 1+rand.IntN(250)) + recipe.script //nolint:gosec // no secret
	k, err := recipe.start()
	if err != nil {
		return servers, err
	}
	for i := range servers {
		s, err := connect(store.MariaDB, fmt.Sprintf("mysql+pymysql://root@/?unix_socket=%s/socket%d", k.dir, i+1))
		if err == nil {
			s.keeper = k
			err = s.wait()
		}
		if err != nil {
			k.stop()
			return servers, err
		}
		servers[i] = s
	}
	return servers, nil
}

// catchUp waits until a node has a database as it is on the others. A node may know of the database's name a little later than
// wsrep_sync_wait says, so it is asked until it does.
func (s *Server) catchUp(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := s.admin.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if _, err := c.ExecContext(ctx, "SET wsrep_sync_wait = 1"); err != nil {
		return err
	}
	for {
		_, err := c.ExecContext(ctx, "SHOW TABLES IN "+name)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// galera runs two nodes. The second gets what the first has made.
var galera = recipe{
	user: "mysql",
	programs: func() []string {
		return []string{"/usr/bin/mariadb-install-db", "/usr/sbin/mariadbd", "/usr/lib/galera/libgalera_smm.so", "/usr/bin/rsync"}
	},
	script: `"$1" --no-defaults --datadir="$dir/data1" --tmpdir="$dir" --auth-root-authentication-method=normal --skip-test-db --skip-log-bin \
	--innodb-flush-method=nosync --innodb-log-file-size=32M || exit
server=$2 provider=$3
node() {
	n=$1
	shift
	mkdir -p "$dir/data$n" "$dir/tmp$n"
	exec "$server" --no-defaults --datadir="$dir/data$n" --socket="$dir/socket$n" --pid-file="$dir/pid$n" --tmpdir="$dir/tmp$n" \
		--skip-networking --max-connections=300 --skip-log-bin --skip-name-resolve --performance-schema=off --binlog-format=ROW \
		--innodb-autoinc-lock-mode=2 --innodb-flush-method=nosync --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 \
		--innodb-buffer-pool-size=64M --innodb-log-file-size=32M \
		--wsrep-on=ON --wsrep-provider="$provider" --wsrep-cluster-name="$net" --wsrep-node-name="$n" \
		--wsrep-node-address="$net.$n" --wsrep-slave-threads=2 --wsrep-sst-method=rsync \
		--wsrep-provider-options="base_host=$net.$n;gmcast.listen_addr=tcp://$net.$n:4567;ist.recv_addr=$net.$n:4568;gcache.size=8M;pc.recovery=no" \
		"$@"
}
node 1 --wsrep-new-cluster --wsrep-cluster-address=gcomm:// &
until [ -S "$dir/socket1" ] && mariadb-admin --no-defaults --user=root --socket="$dir/socket1" ping; do sleep 0.1; done
node 2 --wsrep-cluster-address="gcomm://$net.1"`,
	signal: "KILL",
}

// nameOf is the database of a connection.
func nameOf(connection string) (string, error) {
	u, err := url.Parse(connection)
	if err != nil {
		return "", err
	}
	return strings.TrimPrefix(u.Path, "/"), nil
}
