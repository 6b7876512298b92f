#!/bin/sh
# Runs the tests against the peers that the ordinary tests do without: Oracle MySQL 9, a Galera cluster of three nodes, and the database
# caches of Laravel 10 and 13. Installs what it lacks (see peer-folder.sh; the rest by apt), starts the servers on loopback with data
# that it throws away, and stops them however it ends. Debian, as root: the peers live in folders that chroot enters.
#
# LARDER_ORACLE_STEPS and LARDER_ORACLE_SEED make the random steps of the oracle test others, or the same again.
#
# With arguments, runs them as a command in place of the tests: test-peers.sh bash
#
# A peer that cannot be had costs its tests and one line that says so, "PEER MISSING: ...", and does not fail the run. Tests that fail do.
set -eu
cd "$(dirname "$0")/.."
export LARDER_PEERS="${LARDER_PEERS:-$HOME/.cache/larder-peers}"
# The first port, MySQL's. Galera's node N has +N, and +100+10N and the next two between nodes. By process, for runs at the same time.
port=${LARDER_PEERS_PORT:-$((20000 + $$ % 80 * 150))}
account="CREATE USER 'larder'@'127.0.0.1' IDENTIFIED BY 'p@ss'; GRANT ALL ON *.* TO 'larder'@'127.0.0.1' WITH GRANT OPTION;"

work=$(mktemp -d) mysql_data='' pids='' ran='' lacking=''
stop() {
	# shellcheck disable=SC2086 # a list of numbers
	[ -z "$pids" ] || { kill -9 $pids; wait; } 2>/dev/null || true # nothing in them is worth a clean shutdown
	pids=
	rm -rf "$work" ${mysql_data:+"$mysql_data"}
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

missing() {
	echo "PEER MISSING: $1: $2"
	lacking="${lacking:+$lacking, }$1"
}

# ready WHO PID LOG TEXT waits until the server with this process and log has said the text.
ready() {
	i=0
	while ! grep -q "$4" "$3" 2>/dev/null; do
		i=$((i + 1))
		if [ $i -gt 600 ] || ! grep -q '^State:.[^Z]' "/proc/$2/status" 2>/dev/null; then # Z: it has ended
			{ grep -a ERROR "$3" | head -n 10; tail -n 20 "$3"; } >&2
			missing "$1" "a server did not come up, its log is above"
			return 1
		fi
		sleep 0.1
	done
}

# version LOG prints the version that a server wrote when it was ready.
version() { sed -n "s/.*[Vv]ersion: '\([0-9.]*\).*/\1/p" "$1" | head -n 1; }

# folder SUITE sets root to the folder of that suite, or reason to why there is none.
folder() { root=$(scripts/peer-folder.sh "$1" 2>"$work/reason") || { reason=$(tail -n 1 "$work/reason"); return 1; }; }

laravel() {
	version=$(chroot "$2" dpkg-query -W -f '${Version}' php-illuminate-cache) version=${version%%+*}
	[ "${version%%.*}" = "$1" ] || { missing "Laravel $1" "its Debian has $version by now"; return; }
	export "LARDER_TEST_LARAVEL$1=$2"
	ran="${ran:+$ran, }Laravel $version"
}

start_mysql() {
	mysql_data=$(mktemp -d "$1/srv/mysql.XXXXXX")
	dir=${mysql_data#"$1"}
	options="--no-defaults --user=root --datadir=$dir/data --innodb-flush-method=nosync --innodb-redo-log-capacity=64M --secure-file-priv=NULL"
	# shellcheck disable=SC2086 # a list of words
	chroot "$1" mysqld $options --initialize-insecure --log-error="$dir/init.err" || { missing "MySQL 9" "cannot create its data folder"; return; }
	echo "$account" >"$mysql_data/account.sql"
	# shellcheck disable=SC2086
	chroot "$1" mysqld $options --init-file="$dir/account.sql" --socket="$dir/s" --pid-file="$dir/pid" --tmpdir="$dir" --port="$port" --bind-address=127.0.0.1 \
		--mysqlx=OFF --skip-log-bin --innodb-flush-log-at-trx-commit=2 --innodb-doublewrite=OFF --innodb-buffer-pool-size=64M \
		--performance-schema=OFF --log-error="$dir/log.err" >/dev/null 2>&1 &
	pids="$pids $!"
	ready "MySQL 9" $! "$mysql_data/log.err" "ready for connections.*port: $port" || return 0
	export LARDER_TEST_MYSQL9_DSN="larder:p@ss@tcp(127.0.0.1:$port)/"
	ran="${ran:+$ran, }MySQL $(version "$mysql_data/log.err")"
}

# The state of a node that joins is copied by a program that is only in mariadb-server, whose installation would start a service: take
# the program out of the package. The nodes do not run as root and may not look into root's home, so they get a copy.
fetch_galera() {
	scripts/test-deps.sh galera-4 rsync >&2 || return 1
	command -v wsrep_sst_rsync >/dev/null && return
	kept=$LARDER_PEERS/wsrep
	if ! [ -x "$kept/wsrep_sst_rsync" ]; then
		mkdir -p "$kept" "$work/deb"
		(cd "$work/deb" && apt-get -qq download mariadb-server 2>/dev/null) || return 1
		dpkg --fsys-tarfile "$work"/deb/*.deb | tar -x -C "$kept" --strip-components=3 ./usr/bin/wsrep_sst_common ./usr/bin/wsrep_sst_rsync
	fi
	cp -r "$kept" "$work/wsrep"
	export PATH="$work/wsrep:$PATH"
}

# node N ADDRESSES starts a node and waits until it has the cluster's state. A server that starts deletes what servers have left in its
# folder for temporary tables, so each has its own.
node() {
	dir=$work/$1 own=127.0.0.1:$((port + 100 + 10 * $1)) ist=127.0.0.1:$((port + 101 + 10 * $1)) sst=127.0.0.1:$((port + 102 + 10 * $1))
	mariadbd --no-defaults --user=nobody --datadir="$dir/data" --socket="$dir/s" --pid-file="$dir/pid" --tmpdir="$dir" --port=$((port + $1)) --bind-address=127.0.0.1 \
		--character-set-server=utf8mb4 --collation-server=utf8mb4_unicode_ci --binlog-format=ROW --innodb-autoinc-lock-mode=2 \
		--innodb-flush-log-at-trx-commit=2 --innodb-flush-method=nosync --innodb-doublewrite=0 --innodb-log-file-size=16M \
		--innodb-buffer-pool-size=64M --performance-schema=0 \
		--wsrep-on=ON --wsrep-provider=/usr/lib/galera/libgalera_smm.so --wsrep-cluster-name=larder --wsrep-cluster-address="$2" \
		--wsrep-node-name="n$1" --wsrep-node-address="$own" --wsrep-sst-method=rsync --wsrep-sst-receive-address="$sst" \
		--wsrep-provider-options="gmcast.listen_addr=tcp://$own;ist.recv_addr=$ist;ist.recv_bind=$ist;gcache.size=16M;pc.recovery=false" \
		>"$dir/log" 2>&1 &
	pids="$pids $!"
	ready Galera $! "$dir/log" "Synchronized with group, ready for connections"
}

start_galera() {
	[ "$(id -u)" = 0 ] || { missing Galera "needs root"; return; }
	fetch_galera || { missing Galera "cannot install galera-4, rsync and mariadb-server's wsrep_sst_rsync"; return; }
	mkdir "$work/1" "$work/2" "$work/3"
	mariadb-install-db --no-defaults --datadir="$work/1/data" --auth-root-authentication-method=normal --skip-test-db \
		--innodb-log-file-size=16M --innodb-flush-method=nosync >"$work/install.log" 2>&1 || { missing Galera "mariadb-install-db failed"; return; }
	cp -a "$work/1/data" "$work/2/data"
	cp -a "$work/1/data" "$work/3/data"
	chown -R nobody "$work" # as root, rsync serves the state as nobody and may not read it
	all=gcomm://127.0.0.1:$((port + 110)),127.0.0.1:$((port + 120)),127.0.0.1:$((port + 130))
	node 1 gcomm:// || return 0
	mariadb --no-defaults -S "$work/1/s" -uroot -e "$account"
	node 2 "$all" || return 0
	node 3 "$all" || return 0
	export LARDER_TEST_GALERA_DSN="larder:p@ss@tcp(127.0.0.1:$((port + 1)))/ larder:p@ss@tcp(127.0.0.1:$((port + 2)))/"
	ran="${ran:+$ran, }Galera of 3 × MariaDB $(version "$work/1/log")"
}

if folder sid; then
	start_mysql "$root"
	laravel 13 "$root"
else
	missing "MySQL 9" "$reason"
	missing "Laravel 13" "$reason"
fi
if folder trixie; then laravel 10 "$root"; else missing "Laravel 10" "$reason"; fi
start_galera

if [ $# -gt 0 ]; then
	"$@"
	exit
fi

# try WHAT COMMAND... runs some tests and remembers if they fail.
try() {
	echo "== $1"
	shift
	"$@" || failed=1
}
failed=0
packages="./store ./migrations ./fetcher ./internal/laravel ./cmd/larder" # that use a database server

if [ -n "${LARDER_TEST_MYSQL9_DSN:-}" ]; then
	# Not the broker's scenarios: they are about processes and time, which no engine changes, and have their own servers to stop.
	try "MySQL 9: all tests" env LARDER_TEST_MYSQL_DSN="$LARDER_TEST_MYSQL9_DSN" go test -race -timeout 20m -skip '^Test(Scenario|Simulation)' $packages
fi
try "200,000 rows from MySQL to SQLite to MySQL" env LARDER_TEST_TRANSFER_ROWS=200000 LARDER_TEST_MYSQL_DSN="${LARDER_TEST_MYSQL9_DSN:-}" \
	go test -run '^TestTransfer_FromMySQLToSQLiteToMySQLIsExact$' ./cmd/larder
if [ -n "${LARDER_TEST_LARAVEL10:-}${LARDER_TEST_LARAVEL13:-}" ]; then
	try "Laravel with MariaDB" go test -race -skip '^TestOracle_' ./internal/laravel
fi
steps=${LARDER_ORACLE_STEPS:-10000} seed=${LARDER_ORACLE_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
try "Laravel as the oracle: $steps random steps on each, seed $seed" \
	env LARDER_ORACLE_STEPS="$steps" LARDER_ORACLE_SEED="$seed" go test -race -timeout 30m -v -run '^TestOracle_' ./internal/laravel
if [ -n "${LARDER_TEST_GALERA_DSN:-}" ]; then
	try "Galera: conformance, and clients on two nodes" go test -race -tags peers -run '^TestGalera_' ./store
	# Not the tests that hold up an ALTER TABLE by a lock on the table: Galera aborts the holder of the lock.
	try "Galera: migrations" env LARDER_TEST_MYSQL_DSN="${LARDER_TEST_GALERA_DSN%% *}" go test -race \
		-skip '^TestUp_(GivesUpItsLockWithItsContext|RenewsItsLeaseDuringALongStatement|OutlastsTheReadTimeoutOfItsConnection|StopsInsideAStatementWhenItsLockIsLost)$' ./migrations
fi
[ $failed = 0 ] && outcome=passed || outcome=FAILED
echo "PEERS $outcome: ${ran:-none}; missing: ${lacking:-none}"
exit $failed
