#!/bin/sh
test_description='includes point downwards, only the wiring knows implementations, and scripts can be run'
. "$(dirname "$0")/../lib/test-lib.sh"

# "file:line: header" of every include of our own below the folders $1..., headers of the tree alone
includes () {
	(cd "$RIVER_SOURCE" && grep -rnE --include='*.[ch]' '^#include "[a-z_]+/' "$@") |
	sed -E 's/^([^:]+):[0-9]+:#include "([^"]+)".*/\1 \2/'
}

# lines of standard input that are allowed are taken out: one "file header" each, with its reason
but_for () {
	grep -vxF -e "$1" || :
}

implementations () {
	grep -E " (aws|http|snowflake)/| store/s3| delivery/(direct|firehose|dynamodb)| warehouse/(duckdb|snowflake)" || :
}

test_expect_success 'there is something to look at' '
	includes lib cmd >all &&
	test $(wc -l <all) -gt 500 &&
	grep -q "^cmd/wire.c aws/client.h$" all
'

test_expect_success 'commands know interfaces, the wiring knows implementations' '
	includes cmd | grep -v "^cmd/wire" |
	# doctor says whether the library of this implementation is there
	but_for "cmd/doctor.c warehouse/duckdb.h" | implementations >out &&
	test_must_be_empty out
'

test_expect_success 'flows know interfaces' '
	includes lib/flow | implementations >out &&
	test_must_be_empty out
'

# What each folder of lib may include, besides base and itself.
below () {
	folder=$1
	shift
	includes "lib/$folder" | grep -vE " ($folder|base$(printf "|%s" "$@"))/" >up || :
}

for rule in \
	'base' \
	'cli' \
	'format' \
	'source format' \
	'http' \
	'aws format http' \
	'snowflake format http' \
	'config cli format' \
	'store aws http' \
	'delivery aws config format http store' \
	'resource aws config format store' \
	'spool config format' \
	'warehouse config format snowflake source store' \
	'flow config delivery format source spool store warehouse' \
	'collect config delivery flow format http spool store'
do
	set -- $rule
	folder=$1
	test_expect_success "lib/$folder includes nothing from above it" '
		below $rule &&
		# the compressions of a stream, and what a reader reads from
		but_for "lib/format/compress.h config/stream.h" <up |
		but_for "lib/format/reader.h source/source.h" |
		# names of objects are words of the lake, which all who see the lake have to know
		but_for "lib/spool/run.h flow/object_name.h" |
		but_for "lib/warehouse/duckdb_load.c flow/object_name.h" |
		but_for "lib/warehouse/mem.c flow/object_name.h" |
		but_for "lib/warehouse/snowflake_ledger.c flow/object_name.h" |
		# where the definitions of streams are
		but_for "lib/warehouse/duckdb_clean.c flow/catalog.h" |
		but_for "lib/warehouse/duckdb_extract.c flow/catalog.h" >out &&
		test_must_be_empty out
	'
done

test_expect_success 'every folder of lib has its rule' '
	(cd "$RIVER_SOURCE/lib" && ls -d */ | tr -d /) | sort >have &&
	printf "%s\n" aws base cli collect config delivery flow format http resource snowflake source spool store \
		warehouse >want &&
	test_cmp want have
'

# prove runs them as programs: one that cannot be ends the whole run
test_expect_success 'every script of tests can be run' '
	find "$RIVER_SOURCE"/tests/*/ -name "t[0-9]*.sh" ! -path "*/node_modules/*" ! -perm -u+x >out &&
	test_must_be_empty out
'

test_done
