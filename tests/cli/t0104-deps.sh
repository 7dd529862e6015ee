#!/bin/sh
test_description='make deps: what it says and does where something is missing'
. "$(dirname "$0")/../lib/test-lib.sh"

# what the call of make that runs this was given
unset LIBDUCKDB YES
deps=$RIVER_SOURCE/tests/lib/deps.sh
real_cc=$(command -v cc || command -v gcc) || test_skip_all 'no compiler'

# A machine of our own: only these programs, and others that only write down how they were called.
mkdir "$TRASH_DIRECTORY/bin"
for program in sh env cat cp mv rm ln ls mkdir mktemp chmod dirname basename cmp grep sed tr head tar gzip \
	sha256sum uname sort test
do
	path=$(command -v $program) && case "$path" in
	/*) ln -s "$path" "$TRASH_DIRECTORY/bin/$program" ;;
	esac
done
stub () {
	cat >"$TRASH_DIRECTORY/bin/$1" && chmod +x "$TRASH_DIRECTORY/bin/$1"
}
for program in make pkg-config prove jq zstd
do
	stub $program <<-\EOF
	#!/bin/sh
	exit 0
	EOF
done
# Every header is there but those the file `absent` names. A cc that is a ccache looks for the next one in PATH.
stub cc <<EOF
#!/bin/sh
sed -f "$TRASH_DIRECTORY/absent" | sed -e 's/^#if !__has_include(<\([a-z/.0-9_-]*\)>)/#if 0/' -e 's/^#if !absent/#if 1/' |
	PATH='$PATH' $real_cc -E -P -x c -
EOF
stub apt-get <<EOF
#!/bin/sh
echo "apt-get \$*" >>"$TRASH_DIRECTORY/calls"
case "\$*" in
*assume-no*) echo "Need to get 12.3 MB of archives."; exit 1 ;;
esac
EOF
stub npm <<EOF
#!/bin/sh
echo "npm \$*" >>"$TRASH_DIRECTORY/calls"
mkdir package && echo "not what it was" >package/libduckdb.so && tar -czf fake.tgz package
EOF
be () {
	printf '#!/bin/sh\necho %s\n' "$1" | stub id
}

# run_deps CODE [VAR=VALUE...]: out, err and calls are left; the library is lib/libduckdb.so
run_deps () {
	run_code=$1
	shift
	rm -f calls && : >calls &&
	test_expect_code "$run_code" env PATH="$TRASH_DIRECTORY/bin" CC=cc PKG_CONFIG=pkg-config "$@" \
		sh "$deps" lib/libduckdb.so </dev/null >out 2>err
}
have_duckdb () {
	mkdir -p lib && echo library >lib/libduckdb.so
}

test_expect_success 'nothing missing: nothing is said, asked or fetched' '
	: >absent && be 1000 && have_duckdb &&
	run_deps 0 &&
	test_must_be_empty out &&
	test_must_be_empty err &&
	test_must_be_empty calls
'

test_expect_success 'not root and no sudo: the command is printed, exit 1' '
	echo "s/<jansson.h>/<no-jansson.h>/;s/^#if !__has_include(<no-.*/#if !absent/" >absent &&
	rm bin/jq && test_when_finished "cp bin/prove bin/jq" &&
	be 1000 && have_duckdb &&
	run_deps 1 &&
	test_grep "missing: jq libjansson-dev" err &&
	test_grep "apt-get install --no-install-recommends jq libjansson-dev\$" err &&
	test_must_be_empty calls
'

test_expect_success 'root: sizes are shown and the packages installed, without recommended ones' '
	be 0 && have_duckdb &&
	run_deps 0 &&
	test_grep "missing: libjansson-dev" out &&
	test_grep "Need to get 12.3 MB" out &&
	grep "^apt-get -q -y --no-install-recommends install libjansson-dev\$" calls
'

test_expect_success 'YES=1 takes sudo without asking; not on a terminal and without YES it does not' '
	be 1000 && have_duckdb &&
	printf "#!/bin/sh\nexec \"\$@\"\n" | stub sudo &&
	test_when_finished "rm -f bin/sudo" &&
	run_deps 1 &&
	test_must_be_empty calls &&
	run_deps 0 YES=1 &&
	grep "install libjansson-dev\$" calls
'

test_expect_success 'no compiler: all that needs one is named' '
	: >absent && be 1000 && have_duckdb &&
	run_deps 1 CC=no-such-compiler &&
	test_grep "gcc libc6-dev libjansson-dev" err
'

test_expect_success 'libduckdb: another package than the pinned one is refused and leaves nothing' '
	be 1000 && rm -rf lib &&
	run_deps 1 &&
	test_grep "^npm pack --silent @duckdb/node-bindings-linux-[a-z0-9]*@1\.[0-9.r-]*\$" calls &&
	test_grep "is not what it was" err &&
	test_path_is_missing lib/libduckdb.so
'

test_expect_success 'libduckdb: LIBDUCKDB=FILE is taken, without npm' '
	be 1000 && rm -rf lib && echo mine >mine.so &&
	run_deps 0 LIBDUCKDB=mine.so &&
	test_cmp mine.so lib/libduckdb.so &&
	test_must_be_empty calls &&
	test_must_be_empty err &&
	run_deps 1 LIBDUCKDB=nothing.so &&
	test_grep "nothing.so" err
'

test_expect_success 'libduckdb: without npm, npm is what is missing' '
	mv bin/npm npm-away && test_when_finished "mv npm-away bin/npm" &&
	be 1000 && rm -rf lib &&
	run_deps 1 &&
	test_grep "install --no-install-recommends npm\$" err
'

test_lazy_prereq MAKE 'command -v make'
test_expect_success MAKE 'make without what it needs names make deps' '
	test_expect_code 2 env MAKEFLAGS= MAKELEVEL= make -C "$RIVER_SOURCE" -n PKG_CONFIG=/nonexistent/pkg-config all >out 2>err &&
	test_grep "make deps" err &&
	env MAKEFLAGS= MAKELEVEL= make -C "$RIVER_SOURCE" -n PKG_CONFIG=/nonexistent/pkg-config deps >out 2>err
'

test_done
