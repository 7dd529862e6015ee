#!/bin/sh
# A throw-away Ceph S3 gateway on the loopback: a monitor, one storage daemon that keeps its objects in
# memory, and radosgw; as any user. Packages: make deps-peers.
#
#	radosgw.sh start DIR     ready when it returns; DIR/env has URL, ACCESS_KEY, SECRET_KEY, REGION
#	radosgw.sh stop DIR      ends what start started, by process id
set -e
here=$(cd "$(dirname "$0")" && pwd -P)
verb=$1
dir=$(realpath -m "${2:?a folder}")

if test "$verb" = stop
then
	# memory is all they keep: nobody waits long for an orderly end
	pids=$(cat "$dir"/run/*.pid 2>/dev/null) || :
	for pid in $pids
	do
		kill "$pid" 2>/dev/null || :
	done
	for i in 1 2 3 4 5 6 7 8 9 10
	do
		alive=
		for pid in $pids
		do
			! kill -0 "$pid" 2>/dev/null || alive="$alive $pid"
		done
		test -n "$alive" || break
		sleep 0.1
	done
	test -z "$alive" || kill -9 $alive 2>/dev/null || :
	exit 0
fi
test "$verb" = start || { echo "usage: radosgw.sh start|stop DIR" >&2; exit 2; }

access_key=AKIARIVERTEST0000001
secret_key=riverCanaryBird/000000000000000000000001
rm -rf "$dir"
mkdir -p "$dir/mon" "$dir/osd" "$dir/run" "$dir/log" "$dir/rgw"
read -r v2 v1 port <<EOL
$("$here/free-ports.py" 3)
EOL
fsid=$(cat /proc/sys/kernel/random/uuid)
conf=$dir/ceph.conf
cat >"$conf" <<EOL
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:$v2/0,v1:127.0.0.1:$v1/0]
keyring = $dir/keyring
auth allow insecure global id reclaim = false
run dir = $dir/run
log file = $dir/log/\$name.log
admin socket =
pid file = $dir/run/\$name.pid
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 2
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 2000
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 4294967296
mon data = $dir/mon
osd data = $dir/osd
rgw data = $dir/rgw
mon cluster log file = $dir/log/cluster.log
rgw dns name = localhost
EOL

# Only what failed is worth reading.
quietly () {
	"$@" >"$dir/log/out" 2>&1 </dev/null || { cat "$dir/log/out" >&2; return 1; }
}
quietly ceph-authtool --create-keyring "$dir/keyring" --gen-key -n mon. --cap mon 'allow *'
quietly ceph-authtool "$dir/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *'
quietly monmaptool --create --addv a "[v2:127.0.0.1:$v2/0,v1:127.0.0.1:$v1/0]" --fsid "$fsid" "$dir/monmap"
quietly ceph-mon -c "$conf" -i a --mkfs --monmap "$dir/monmap" --keyring "$dir/keyring"
quietly ceph-mon -c "$conf" -i a
osd=$(cat /proc/sys/kernel/random/uuid)
key=$(ceph-authtool --gen-print-key)
echo "{\"cephx_secret\":\"$key\"}" >"$dir/osd-key"
ceph -c "$conf" osd new "$osd" -i "$dir/osd-key" >"$dir/log/out" 2>&1 </dev/null || { cat "$dir/log/out" >&2; exit 1; }
quietly ceph-authtool --create-keyring "$dir/osd/keyring" -n osd.0 --add-key "$key"
quietly ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$osd" --keyring "$dir/osd/keyring"
quietly ceph-osd -c "$conf" -i 0 --keyring "$dir/osd/keyring"
quietly radosgw -c "$conf" -n client.admin --rgw-frontends "beast endpoint=127.0.0.1:$port"
quietly radosgw-admin -c "$conf" user create --uid=river --display-name=river \
	--access-key="$access_key" --secret-key="$secret_key"
cat >"$dir/env" <<EOL
URL=http://127.0.0.1:$port
ACCESS_KEY=$access_key
SECRET_KEY=$secret_key
REGION=us-east-1
EOL
i=0
until curl -s -o /dev/null --noproxy '*' "http://127.0.0.1:$port/"
do
	i=$((i + 1))
	test $i -lt 300 || { echo 'radosgw does not answer' >&2; exit 1; }
	sleep 0.1
done
