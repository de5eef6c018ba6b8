package storetest

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"

	"plimsoll/internal/store"
)

// recipe says how a server is run: nothing but what a socket in its own directory reaches, and not to survive a power cut.
type recipe struct {
	user     string // who runs it when we are root: the servers refuse to be
	programs func() []string
	script   string // run with $dir, ends in an exec of the server
	signal   string // that ends the server at once, leaving nothing of it outside $dir
	url      string // of the administrator, with %s for the directory
}

var recipes = map[store.Engine]recipe{
	store.PostgreSQL: {
		user:     "postgres",
		programs: func() []string { return []string{postgresql("initdb"), postgresql("postgres")} },
		script: `"$1" --pgdata="$dir/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync --no-instructions || exit
exec "$2" -D "$dir/data" -c listen_addresses= -c unix_socket_directories="$dir" -c max_connections=500 \
	-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0 \
	-c shared_buffers=64MB -c jit=off`,
		signal: "QUIT",
		url:    "postgresql://postgres@/postgres?host=%s",
	},
	store.MariaDB: {
		user:     "mysql",
		programs: func() []string { return []string{"/usr/bin/mariadb-install-db", "/usr/sbin/mariadbd"} },
		script: `"$1" --no-defaults --datadir="$dir/data" --tmpdir="$dir" --auth-root-authentication-method=normal --skip-test-db --skip-log-bin \
	--innodb-flush-method=nosync --innodb-log-file-size=32M || exit
exec "$2" --no-defaults --datadir="$dir/data" --socket="$dir/socket" --pid-file="$dir/pid" --tmpdir="$dir" --skip-networking \
	--max-connections=500 --skip-log-bin --skip-name-resolve --performance-schema=off \
	--innodb-flush-method=nosync --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 \
	--innodb-buffer-pool-size=64M --innodb-log-file-size=32M`,
		signal: "KILL",
		url:    "mysql+pymysql://root@/?unix_socket=%s/socket",
	},
}

// postgresql returns the path of a program of the newest PostgreSQL server, which Debian keeps out of the PATH.
func postgresql(program string) string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program)
	if len(found) == 0 {
		return "/usr/lib/postgresql/*/bin/" + program
	}
	return found[len(found)-1]
}

func (r recipe) connection(dir string) string { return fmt.Sprintf(r.url, dir) }

func (r recipe) start() (*keeper, error) {
	programs := r.programs()
	if err := missing(programs...); err != nil {
		return nil, err
	}
	var as *user.User
	if os.Geteuid() == 0 {
		u, err := user.Lookup(r.user)
		if err != nil {
			return nil, fmt.Errorf("%w: `make test-deps` installs what the tests need", err)
		}
		as = u
	}
	return newKeeper(as, r.signal, r.script, programs)
}
