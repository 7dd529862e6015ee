#!/bin/sh
# demo.sh BUILD: river's main job in one go, on generated data, in a folder of its own below BUILD.
build=$1
demo=$build/demo
records=${RECORDS:-100000}
rm -rf "$demo" && mkdir -p "$demo/home" && cd "$demo" || exit 1
for name in $(env | sed -n 's/^\(RIVER_[A-Z0-9_]*\)=.*/\1/p')
do
	unset "$name"
done
HOME=$demo/home PATH=$build:$PATH
unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME STATE_DIRECTORY
export HOME PATH

run () {
	printf '\n$ %s\n' "$*"
	eval "$*" || {
		code=$?
		echo "demo: that ended with $code" >&2
		exit 1
	}
}

echo "river in $demo"
printf '\n$ gen_events %s >events.ndjson\n' "$records"
"$build/tests/bench/gen_events" "$records" >events.ndjson || exit 1
head -n 1 events.ndjson
run river init
run river stream create web/clicks --key event_id
run river push -v web/clicks events.ndjson
run "river query 'select count(*) from web.clicks'"
run river status web/clicks
echo
echo "The lake is $demo/.river/lake; nothing outside of $demo was touched."
