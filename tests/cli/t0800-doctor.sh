#!/bin/sh
test_description='doctor tries what river needs, changes nothing, and says what to do'
. "$(dirname "$0")/../lib/test-lib.sh"

# Whether the engine is installed here must not matter but where it is asked about.
RIVER_WAREHOUSE=none
export RIVER_WAREHOUSE

# says RESULT CHECK [TEXT]: in the file out
says () {
	test_grep "^$1 *$2  .*$3" out
}

# The state of a tree: names, kinds, sizes, modes
tree () {
	find "$@" -printf "%p %y %s %m\n" | sort
}

test_expect_success 'without anything all can be made, and nothing is' '
	tree "$HOME" . >before &&
	river doctor >out &&
	says ok config "no configuration file" &&
	says ok profile "local (default)" &&
	says ok lake "not there yet" &&
	says ok state "not there yet" &&
	says ok clock &&
	says ok warehouse "has none" &&
	rm out &&
	tree "$HOME" . >after &&
	grep -v -e "before" -e "after" -e "^\. " before >x &&
	grep -v -e "before" -e "after" -e "^\. " after >y &&
	test_cmp x y
'

test_expect_success 'setup' '
	river init &&
	mkdir .river/lake &&
	mkdir -p -m 700 "$XDG_STATE_HOME/river"
'

test_expect_success 'folders that are there are tried and left as they were' '
	tree .river "$XDG_STATE_HOME/river" >../before &&
	river doctor >out &&
	says ok config "river.yaml is read" &&
	says ok profile "river.yaml:7" &&
	says ok lake "can be read and written" &&
	says "[a-z]*" "lake disk" &&
	says ok state "yours alone, locks and renames work" &&
	says ok spool "nothing waits, 10.0 GiB of each stream" &&
	tree .river "$XDG_STATE_HOME/river" >../after &&
	test_cmp ../before ../after
'

test_expect_success 'json has an object for each check' '
	river --output json doctor >json &&
	river doctor >out &&
	grep -c "^[a-z]" out >expected &&
	wc -l <json | tr -d " " >actual &&
	test_cmp expected actual &&
	test_grep "{\"v\":1,\"check\":\"profile\",\"result\":\"ok\",\"message\":\"local" json
'

test_expect_success 'a configuration that is wrong is 1, with its place' '
	echo "profiles: { local: { lak: x } }" >bad.yaml &&
	test_expect_code 1 env RIVER_CONFIG=bad.yaml river doctor >out 2>err &&
	says fail config "bad.yaml:1: unknown key lak" &&
	test_grep "did you mean lake?" out &&
	test_grep "1 of 3 checks failed" err &&
	test_expect_code 1 river --profile nowhere doctor >out 2>err &&
	says fail config "no profile nowhere" &&
	test_expect_code 1 env RIVER_CONFIG=missing.yaml river doctor >out 2>err &&
	says fail config "names no file"
'

test_expect_success 'a profile whose parts do not go together is said' '
	test_expect_code 1 river -c businesses.web.database=WEB doctor >out 2>err &&
	says fail profile "which only Snowflake has"
'

test_expect_success 'a lake that is a file, or below one' '
	: >file &&
	test_expect_code 1 river -c lake=file doctor >out 2>err &&
	says fail lake "file is not a folder" &&
	test_expect_code 1 river -c lake=file/lake doctor >out 2>err &&
	says fail lake "Not a directory"
'

test_expect_success !ROOT 'a lake that may not be written or made' '
	mkdir locked && chmod 555 locked &&
	test_when_finished "chmod 755 locked" &&
	test_expect_code 1 river -c lake=locked doctor >out 2>err &&
	says fail lake "Permission denied" &&
	test_expect_code 1 river -c lake=locked/lake doctor >out 2>err &&
	says fail lake "cannot be made"
'

test_expect_success 'a lake on a file system that cannot create files' '
	test_expect_code 1 river -c lake=/proc doctor >out 2>err &&
	says fail lake
'

test_expect_success TMPFS 'a full disk, and one that is gone after a restart' '
	test_small_tmpfs small 64k &&
	mkdir small/lake &&
	test_expect_code 1 river -c lake=small/lake doctor >out 2>err &&
	says fail "lake disk" "is full" &&
	test_small_tmpfs large 1g &&
	mkdir large/lake &&
	river -c lake=large/lake doctor >out &&
	says warn "lake disk" &&
	test_small_tmpfs larger 2g &&
	mkdir larger/lake &&
	river -c lake=larger/lake doctor >out &&
	says warn "lake disk" "gone after a restart"
'

test_expect_success TMPFS 'a disk without room for another file, and a read-only one' '
	test_small_tmpfs few 2g nr_inodes=3 &&
	mkdir few/lake &&
	: >few/last &&
	test_expect_code 1 river -c lake=few/lake doctor >out 2>err &&
	says fail lake "No space left" &&
	test_small_tmpfs ro 2g &&
	mkdir ro/lake &&
	mount -o remount,ro ro &&
	test_expect_code 1 river -c lake=ro/lake doctor >out 2>err &&
	says fail lake "Read-only file system" &&
	test_expect_code 1 river -c lake=ro/other doctor >out 2>err &&
	test_grep "ead-only" out
'

test_expect_success 'state that others may read is a warning, and 0' '
	mkdir -m 755 open &&
	env RIVER_STATE_DIR="$PWD/open" river doctor >out &&
	says warn state "open to others (mode 0755)" &&
	test_grep "chmod 700" out &&
	mkdir shared && chmod 2770 shared &&
	env RIVER_STATE_DIR="$PWD/shared" river doctor >out &&
	says ok state "shared with its group"
'

test_expect_success ROOT '203: state of another user' '
	mkdir -m 700 theirs && chown 12345 theirs &&
	test_expect_code 1 env RIVER_STATE_DIR="$PWD/theirs" river doctor >out 2>err &&
	says fail state "belongs to user 12345" &&
	test_grep "RIVER_STATE_DIR" out
'

# spooled STREAM BYTES: so many wait, in a run of a push
spooled () {
	for folder in st/*/main/"$1"/*/runs
	do
		mkdir -p "$folder/01jd0000000000000000000000" &&
		head -c "$2" /dev/zero >"$folder/01jd0000000000000000000000/000000.body" || return 1
	done
}

test_expect_success 'a spool that fills up: the fullest stream counts, and nothing but what waits' '
	RIVER_STATE_DIR=$PWD/st && export RIVER_STATE_DIR &&
	test_when_finished "unset RIVER_STATE_DIR" &&
	for stream in full other third
	do
		river stream create $stream && echo "{}" | river push $stream || return 1
	done &&
	head -c 5000 /dev/zero >st/notes &&
	river -c spool.max=1000 doctor >out &&
	says ok spool "nothing waits, 1000 B of each stream" &&
	spooled full 900 && spooled other 600 &&
	river -c spool.max=10KiB doctor >out &&
	says ok spool "1.46 KiB wait, 900 B of them of main/full; 10.0 KiB of each stream" &&
	river -c spool.max=1000 doctor >out &&
	says warn spool "900 B of them of main/full" &&
	test_expect_code 1 river -c spool.max=900 doctor >out 2>err &&
	says fail spool "900 B of them of main/full" &&
	test_grep "river spool flush" out &&
	echo "{}" | river -c spool.max=900 push third &&
	ln -s st link &&
	test_expect_code 1 env RIVER_STATE_DIR="$PWD/link" river -c spool.max=900 doctor >out 2>err &&
	says fail spool "900 B of them of main/full"
'

# The file only; an engine that is not there fails a check of its own.
warehouse () {
	river -c warehouse=duckdb -c warehouse.path="$1" doctor >out 2>err
	code=$?
	test $code -le 1
}

test_expect_success 'the warehouse file: absent, a database, none, a folder' '
	warehouse w.duckdb &&
	says ok warehouse "not there yet" &&
	printf "12345678DUCK" >w.duckdb &&
	warehouse w.duckdb &&
	says ok warehouse "can be opened" &&
	says "[a-z]*" "warehouse disk" &&
	echo "not a database at all" >text.duckdb &&
	warehouse text.duckdb && test $code = 1 &&
	says fail warehouse "not a DuckDB file" &&
	mkdir folder.duckdb &&
	warehouse folder.duckdb && test $code = 1 &&
	says fail warehouse "is not a file"
'

test_expect_success 'a warehouse file that another program has open is named with it' '
	mkfifo in out.fifo &&
	{ "$RIVER_BUILD/tests/lib/hold_lock" w.duckdb <in >out.fifo & } &&
	pid=$! &&
	exec 8>in &&
	read -r held <out.fifo &&
	test "$held" = held &&
	warehouse w.duckdb &&
	exec 8>&- &&
	wait $pid &&
	says warn warehouse "in use by process $pid" &&
	warehouse w.duckdb &&
	says ok warehouse "can be opened"
'

test_lazy_prereq DUCKDB 'env RIVER_WAREHOUSE=duckdb river doctor | grep "^ok *duckdb "'

test_expect_success DUCKDB 'the engine: which version, and where' '
	env RIVER_WAREHOUSE=duckdb river doctor >out &&
	says ok duckdb "v1\..* at /.*libduckdb"
'

test_expect_success 'an engine that is not there, or is another library' '
	test_expect_code 1 env RIVER_WAREHOUSE=duckdb RIVER_DUCKDB=/nonexistent/libduckdb.so \
		river doctor >out 2>err &&
	says fail duckdb &&
	test_grep "^  *-> " out &&
	echo "no library" >libduckdb.so &&
	test_expect_code 1 env RIVER_WAREHOUSE=duckdb RIVER_DUCKDB="$PWD/libduckdb.so" \
		river doctor >out 2>err &&
	says fail duckdb
'

test_expect_success 'without a warehouse the engine is not asked for' '
	env RIVER_DUCKDB=/nonexistent/libduckdb.so river doctor >out &&
	test_grep ! " duckdb " out
'

test_expect_success 'an operand is a mistake' '
	test_expect_code 2 river doctor lake 2>err &&
	test_grep "unexpected argument" err
'

test_done
