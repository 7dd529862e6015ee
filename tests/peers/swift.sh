#!/bin/sh
# A throw-away OpenStack Swift of one node with its S3 interface, on the loopback; as any user. A strict
# second opinion: it checks the region of a signature, and has no conditional writes. Packages: make
# deps-peers.
#
#	swift.sh start DIR     ready when it returns; DIR/env has URL, ACCESS_KEY, SECRET_KEY, REGION
#	swift.sh stop DIR      ends what start started, by process id
set -e
here=$(cd "$(dirname "$0")" && pwd -P)
verb=$1
dir=$(realpath -m "${2:?a folder}")

if test "$verb" = stop
then
	for file in "$dir"/run/*.pid
	do
		test ! -s "$file" || kill "$(cat "$file")" 2>/dev/null || :
	done
	exit 0
fi
test "$verb" = start || { echo "usage: swift.sh start|stop DIR" >&2; exit 2; }

rm -rf "$dir"
mkdir -p "$dir/etc" "$dir/srv/d1" "$dir/run" "$dir/log"
read -r account container object proxy cache <<EOL
$("$here/free-ports.py" 5)
EOL
user=$(id -un)
cd "$dir/etc"
cat >swift.conf <<EOL
[swift-hash]
swift_hash_path_suffix = a
swift_hash_path_prefix = b
[storage-policy:0]
name = gold
default = yes
EOL
# A list is asked right behind a write: no updater runs that would bring into it what a server that is slow did not
# take within its second.
for pair in account:$account container:$container object:$object
do
	name=${pair%:*} port=${pair#*:}
	swift-ring-builder $name.builder create 4 1 0 >/dev/null
	swift-ring-builder $name.builder add "r1z1-127.0.0.1:$port/d1" 1 >/dev/null
	swift-ring-builder $name.builder rebalance >/dev/null
	cat >$name-server.conf <<EOL
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $port
workers = 0
user = $user
swift_dir = $dir/etc
devices = $dir/srv
mount_check = false
log_address = $dir/nolog
conn_timeout = 60
node_timeout = 60
container_update_timeout = 60
[pipeline:main]
pipeline = $name-server
[app:$name-server]
use = egg:swift#$name
EOL
done
cat >proxy-server.conf <<EOL
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $proxy
workers = 0
user = $user
swift_dir = $dir/etc
log_address = $dir/nolog
[pipeline:main]
pipeline = catch_errors cache listing_formats s3api tempauth copy bulk slo dlo versioned_writes symlink proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$cache
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
location = us-east-1
dns_compliant_bucket_names = false
allow_multipart_uploads = yes
[filter:tempauth]
use = egg:swift#tempauth
user_river_tester = testing .admin
[filter:copy]
use = egg:swift#copy
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
[app:proxy-server]
use = egg:swift#proxy
conn_timeout = 60
node_timeout = 60
recoverable_node_timeout = 60
account_autocreate = true
allow_account_management = true
EOL

# memcached refuses to run as root unless it is told to
as= ; test "$(id -u)" -ne 0 || as='-u root'
memcached -l 127.0.0.1 -p "$cache" $as -m 64 >"$dir/log/memcached" 2>&1 </dev/null &
echo $! >"$dir/run/memcached.pid"
for name in account container object proxy
do
	SWIFT_DIR=$dir/etc swift-$name-server "$dir/etc/$name-server.conf" >"$dir/log/$name" 2>&1 </dev/null &
	echo $! >"$dir/run/$name.pid"
done
cat >"$dir/env" <<EOL
URL=http://127.0.0.1:$proxy
ACCESS_KEY=river:tester
SECRET_KEY=testing
REGION=us-east-1
EOL
# The proxy answers this by itself: those behind it have to be there as well.
listen () {
	/usr/bin/python3 -c 'import socket, sys
for port in sys.argv[1:]:
    socket.create_connection(("127.0.0.1", int(port))).close()' "$@" 2>/dev/null
}
i=0
until listen $account $container $object $cache && curl -s -o /dev/null --noproxy '*' "http://127.0.0.1:$proxy/info"
do
	i=$((i + 1))
	test $i -lt 300 || { cat "$dir"/log/* >&2; echo 'swift does not answer' >&2; exit 1; }
	sleep 0.1
done
