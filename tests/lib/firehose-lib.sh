# A lake on the emulator's S3 and a stream behind its Firehose, for shell tests. Sourced after emul-lib.sh:
#
#	firehose_profiles     a river.yaml with the profiles fire and packed; starts the emulator
#	firehose_fresh        an empty lake with the stream web/clicks, no rules, an empty log, nothing spooled
#	make_records N [FROM] N records, numbered
#	arrived FILE          exactly the records of FILE were accepted by Firehose, and each under one stamp
#	in_order N [cut]      N records came as they were made: see below
#	sent_twice            how many records Firehose was given more than once
#	requests              how many PutRecordBatch it got
#	fault COUNT RULE      the next COUNT (or "all") PutRecordBatch go wrong: fault 3 '"do":"throttle"'
firehose_role=arn:aws:iam::123456789012:role/firehose
firehose_stream=river-web-clicks

firehose_profiles () {
	emul_start "$@" || test_bug 'the emulator does not start'
	emul_env
	cat >"$TRASH_ROOT/river.yaml" <<-YAML
	default_profile: fire
	profiles:
	  fire:
	    lake: s3://lake/river
	    delivery: { type: firehose, role_arn: "$firehose_role" }
	    warehouse: none
	  packed:
	    lake: s3://lake/river
	    delivery: { type: firehose, role_arn: "$firehose_role", packing: lines }
	    warehouse: none
	YAML
	RIVER_CONFIG=$TRASH_ROOT/river.yaml
	export RIVER_CONFIG
}

firehose_fresh () {
	rm -rf "$HOME/.local" &&
	emul_post reset '' >/dev/null &&
	emul_post bucket '{"name":"lake"}' >/dev/null &&
	river stream create web/clicks --key n >/dev/null &&
	emul_delete log >/dev/null
}

make_records () {
	awk -v n="$1" -v from="${2:-1}" 'BEGIN { for (i = from; i < from + n; i++)
		printf "{\"n\":%d,\"what\":\"record number %d of a test of Firehose\"}\n", i, i }'
}

fault () {
	fault_count=$1
	test "$fault_count" = all && fault_count='"all"'
	emul_script "{\"match\":{\"op\":\"PutRecordBatch\",\"count\":$fault_count},$2}"
}

arrived () {
	emul_records $firehose_stream >"$TRASH_ROOT/raw" &&
	jq -r '._river.id' "$TRASH_ROOT/raw" | sort -u >"$TRASH_ROOT/ids" &&
	test "$(wc -l <"$TRASH_ROOT/ids")" -eq "$(wc -l <"$1")" &&
	jq -c 'del(._river)' "$TRASH_ROOT/raw" | sort -u >"$TRASH_ROOT/got" &&
	jq -c . "$1" | sort -u >"$TRASH_ROOT/wanted" &&
	test_cmp "$TRASH_ROOT/wanted" "$TRASH_ROOT/got" &&
	# one stamp, one record
	jq -r '._river.id' "$TRASH_ROOT/raw" | sort | uniq -d >"$TRASH_ROOT/twice" &&
	jq -c '[._river.id, .]' "$TRASH_ROOT/raw" | sort -u >"$TRASH_ROOT/pairs" &&
	test "$(wc -l <"$TRASH_ROOT/pairs")" -eq "$(wc -l <"$TRASH_ROOT/ids")"
}

# The numbers of the records of one push against their stamps, in the order in which Firehose took them: batches
# come one behind the other (within one, requests are under way together), each begins where the last one ended,
# and every number is there once. They are of one run, but that a later hour begins another. With `cut`, records of
# one batch may be there again, each under the stamp that it had: a line was cut, maybe between a request and its
# answer, and a sender cannot know what became of it.
in_order () {
	emul_records $firehose_stream |
	sed 's/^{"n":\([0-9]*\),.*"_river":{"id":"\([^"]*\)-\([0-9]*\)-\([0-9]*\)"}}$/\1 \2 \3 \4/' |
	awk -v all="$1" -v cut="$2" '
		function bad(what) { print what ": line " NR ": " $0; failed = 1; exit 1 }
		# of a ULID: the milliseconds since 1970, in ten digits of Crockford
		function hour(run, ms, i) {
			for (ms = i = 0; i < 10; i++)
				ms = ms * 32 + index("0123456789abcdefghjkmnpqrstvwxyz", substr(run, i + 1, 1)) - 1
			return int(ms / 3600000)
		}
		NF != 4 { bad("not a stamped record") }
		NR == 1 { run = $2; seq = -1; base = 0; repeated = "" }
		$2 == run && $3 + 0 < seq { bad("a batch behind a later one") }
		$2 != run || $3 + 0 > seq {
			if ($2 != run && hour($2) <= hour(run))
				bad("another run")
			if (count != most)
				bad("the batch before is not whole")
			base += count
			run = $2
			seq = $3 + 0
			count = most = 0
		}
		$1 - $4 != base { bad("out of order") }
		$1 in seen {
			if (cut != "cut" || seen[$1] != $0)
				bad("twice")
			if (repeated != "" && repeated != run "-" seq)
				bad("twice in a second batch")
			repeated = run "-" seq
			again++
			next
		}
		{ seen[$1] = $0; count++; most = $4 + 0 > most ? $4 + 0 : most }
		END {
			if (!failed && NR - again != all) {
				print NR - again " records, not " all
				failed = 1
			}
			exit failed
		}' >&2
}

sent_twice () {
	wc -l <"$TRASH_ROOT/twice"
}

requests () {
	emul_count firehose.PutRecordBatch
}
