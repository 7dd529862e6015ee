#!/bin/sh
test_description='a hundred thousand files are given to a pipe in twenty requests and little memory'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
"$emul_node" "$emul_home/many.mjs" --objects 100000 --ready "$TRASH_ROOT/ready" --client "$TRASH_ROOT/client" --parent $$ \
	</dev/null >"$TRASH_ROOT/many.out" 2>&1 3<&- 4>&- 5>&- 6>&- &
many_pid=$!
test_wait_until 30 test -f "$TRASH_ROOT/ready" || test_bug 'it does not start'
emul_dir=$TRASH_ROOT emul_port=$(jq -r .http "$TRASH_ROOT/ready")
emul_url=http://127.0.0.1:$emul_port emul_access_key=AKIAX emul_secret_key=x
emul_env
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$TRASH_ROOT/rsa_key.p8" 2>/dev/null && chmod 600 "$TRASH_ROOT/rsa_key.p8"
sf_account=ACME-DATA sf_user=RIVER sf_key=$TRASH_ROOT/rsa_key.p8
sf_env
cat >"$TRASH_ROOT/river.yaml" <<YAML
default_profile: prod
profiles:
  prod:
    lake: s3://lake/river
    warehouse: { type: snowflake, database: RIVER, warehouse: WH, storage_integration: RIVER_S3 }
YAML
RIVER_CONFIG=$TRASH_ROOT/river.yaml
export RIVER_CONFIG
counted () {
	curl -sS --noproxy "*" "$emul_url/counts" | jq ".$1"
}

test_expect_success '168: twenty requests of at most 5,000 files, and each file in one of them' '
	{ "$RIVER_BUILD/river" snowpipe notify web/clicks >out 2>err & echo $! >"$TRASH_ROOT/client"; } && { wait $! || { cat err >&2; false; }; } &&
	test_grep "100000 objects are queued, not loaded" err &&
	test "$(counted inserts)" = 20 && test "$(counted largest)" = 5000 && test "$(counted files)" = 100000 &&
	test "$(counted lists)" = 100
'

test_expect_success 'the ledger learns them in as many statements, each below a megabyte' '
	test "$(counted statements)" -le 24 && test "$(counted largest_statement)" -lt 1000000
'

test_have_prereq SANITIZER ||
test_expect_success 'in less than 64 MiB' '
	echo "# peak $(counted peak_kib) KiB" >&6 &&
	test "$(counted peak_kib)" -gt 1000 && test "$(counted peak_kib)" -lt 65536
'

kill $many_pid
wait $many_pid 2>/dev/null
test_done
