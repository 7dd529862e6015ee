#!/bin/sh
test_description='a power cut on ext4: the image of the disk is copied as it is, mounted, and river goes on'

# Mounts of a name space of our own end with us, however we end, and the loop devices with them.
if test "$(id -u)" -eq 0 && test -z "$POWER_MOUNTS" && unshare -m true 2>/dev/null
then
	POWER_MOUNTS=private
	export POWER_MOUNTS
	exec unshare -m --propagation private sh "$0" "$@"
fi
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/power-lib.sh"
. "$RIVER_SOURCE/tests/fault/power-scenarios.sh"

test "$POWER_MOUNTS" = private || walk_skip_all 'mounting needs root and a mount name space of its own'
command -v mkfs.ext4 >/dev/null || walk_skip_all 'no mkfs.ext4 here: apt-get install e2fsprogs'
truncate -s 8M try.img && mkfs.ext4 -q -b 1024 try.img && mkdir try && mount -o loop try.img try 2>try.err && umount try ||
	walk_skip_all "no loop device: $(cat try.err)"

# The lake and the state are disks of their own, or a commit of the one would make the other durable. Nothing is
# written because time passes (commit=), nor because ext4 guesses what a rename is for (noauto_da_alloc).
power_options='data=ordered,commit=600 data=writeback,noauto_da_alloc,commit=600 data=ordered,noauto_da_alloc,nodelalloc,commit=600'
test -n "$test_deep" || power_options='data=writeback,noauto_da_alloc,commit=600'
scenarios='push_file push_many pipe_spooled pipe_named flush follow_renamed landing stream_apply'
test -z "$test_deep" || scenarios="$scenarios push_grown push_rejects push_spooled push_pipe follow_cut replay stream_create pump"

unmount_images () {
	for part in state lake
	do
		! mountpoint -q w/$part || umount w/$part || return 1
	done
}
# mount_images NAME: NAME.state and NAME.lake, where the run has them
mount_images () {
	mount -o "loop,$power_option" "$1.state" w/state && mount -o "loop,$power_option" "$1.lake" w/lake
}
copy_images () {
	cp --sparse=always "$1.state" "$2.state" && cp --sparse=always "$1.lake" "$2.lake"
}
make_images () {
	for part in state lake
	do
		mkdir -p w/$part && rm -f base.$part && truncate -s 12M base.$part &&
		mkfs.ext4 -q -b 1024 -d w/$part base.$part || return 1
	done &&
	rm -rf w && mkdir -p w/state w/lake
}

# instead of the one that makes the states from notes
power_case () {
	power_setup=$1 power_wanted=$2
	shift 2
	eval "$power_setup" && make_images || return 1
	for power_option in $power_options
	do
		power_points=0 power_at=0 power_total=0
		# the first one goes through: what had been promised is looked for at once
		while test "$power_at" -le "$power_total"
		do
			copy_images base disk && mount_images disk || return 1
			verb=count
			test "$power_at" -eq 0 || verb="kill $power_at"
			walk_run $verb -- "$@"
			copy_images disk cut && unmount_images && mount_images cut || return 1
			power_exit=- power_kind=$power_option power_event=$power_at power_acked=0
			power_next=$(head -n 1 walk.report)
			test $walk_code -eq 90 || power_exit=$walk_code
			{ test $walk_code -eq 90 || test $walk_code -eq $power_code; } && eval "$power_wanted" >look.out 2>&1 || {
				cat look.out walk.err
				power_show
				unmount_images
				return 1
			}
			unmount_images || return 1
			if test "$power_at" -eq 0
			then
				power_total=$(sed -n '1s/^[a-z-]* \([0-9]*\).*/\1/p' walk.report)
				# at least as many steps, whatever the number of calls is today
				power_step=$((power_total / ${power_max:-6}))
				test -z "$test_deep" || power_step=$((power_total / test_deep_most))
				test $power_step -gt 0 || power_step=1
			fi
			power_points=$((power_points + 1))
			# the last call is not stepped over
			if test $power_at -lt "$power_total" && test $((power_at + power_step)) -gt "$power_total"
			then
				power_at=$power_total
			else
				power_at=$((power_at + power_step))
			fi
		done
		walk_points=$((walk_points + power_points)) walk_total=$((walk_total + power_total))
		echo "# $power_option: $power_points of $power_total points"
		test $power_points -gt 5 || return 1
	done
}

push_world
power_inputs
for scenario in $scenarios
do
	test_expect_success "3: power cut on ext4: $scenario" "
		test_when_finished unmount_images && power_told $scenario 'power cut, ext4'
	"
done

# Without syncs the same has to fail, or nothing was tested: the notes' library leaves them out.
test_expect_success '4: without any sync it is noticed' '
	test_when_finished unmount_images && mkdir -p record &&
	printf "#!/bin/sh\nLD_PRELOAD=$power_shim POWER_WORLD=$PWD/w POWER_RECORD=$PWD/record exec \"$RIVER_BUILD/river\" \"\$@\"\n" \
		>unsynced && chmod +x unsynced && new_world && power_code=0 &&
	! power_case fresh "kept_promise in" "$PWD/unsynced" push web/clicks --batch-records 15 in >out &&
	test_grep "power was cut" out
'

image_of_now () {
	copy_images disk cut
}
answered_are_there () {
	for power_option in $power_options
	do
		copy_images base disk && mount_images disk && collect_then=image_of_now &&
		collect_killed river serve --collect web/clicks --listen 127.0.0.1:0 &&
		unmount_images && mount_images cut && power_acked=14 power_exit=0 && collected && unmount_images || return 1
		walk_points=$((walk_points + 1)) walk_total=$((walk_total + 1))
	done
}
test_expect_success '179: every 2xx is there after a power cut on ext4' '
	test_when_finished "unset collect_then; unmount_images" &&
	new_world && river stream apply -f batch.yaml && make_images &&
	walk_told collect "power cut, ext4" answered_are_there
'

test_done
