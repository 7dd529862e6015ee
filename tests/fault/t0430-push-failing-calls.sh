#!/bin/sh
test_description='full disks, failing disks and short writes under a push: said, survived, nothing lost or doubled'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"

"$gen_events" 30 >in
touch -d '1 hour ago' in
push_world
# After the first push the folders are there; it is the second one that is walked over. What is pushed
# before must not change either.
"$gen_events" 5 --start 500 >before
touch -d '1 hour ago' before
river push web/clicks before || test_bug 'no first push'
cp -a w/. w.new/ && keep_world

file_push='river push web/clicks --batch-records 12 in'
file_again='again 0 push web/clicks --batch-records 12 in && all_there before in'
pipe_push='river push web/clicks --batch-records 12 --run day-1'
pipe_again='again_pipe 0 in push web/clicks --batch-records 12 --run day-1 && all_there before in'

# fails HOW CLASS...: once and for ever, under a push of a file and of a pipe with a name
fails () {
	how=$1
	shift
	for class in "$@"
	do
		for when in once forever
		do
			unset walk_pipe
			walk_fails $class $how $when fresh "code_is_known / && $file_again" \
				$file_push || return 1
			total=$((total + walk_points))
			walk_pipe=in
			walk_fails $class $how $when fresh "code_is_known / && $pipe_again" \
				$pipe_push || return 1
			total=$((total + walk_points))
		done
	done
	unset walk_pipe
}

walk_path=/w/
walk_max=12
total=0

test_expect_success '5: EIO from fsync, once and for ever: the bytes count as lost' '
	new_world && fails EIO fsync
'

test_expect_success '45, 63: no space on either disk, at any write' '
	new_world && fails ENOSPC write
'

test_expect_success '46: no space at any new name' '
	new_world && fails ENOSPC create && fails ENOSPC mkdir && fails ENOSPC link &&
	walk_fails rename EDQUOT once fresh "code_is_known / && $file_again" $file_push
'

test_expect_success '5: EIO at any write' '
	new_world && fails EIO write
'

test_expect_success '8: no descriptor is left' '
	new_world && fails EMFILE open
'

test_expect_success '18: nothing may be written' '
	new_world && fails EROFS create && fails EACCES mkdir && fails EACCES link && fails EROFS unlink
'

test_expect_success '19: locks that do not work are not gone without' '
	new_world && fails ENOLCK lock
'

test_expect_success '7: short reads and writes give the same bytes' '
	test_when_finished "unset walk_pipe; walk_path=/w/" &&
	new_world && walk_max=6 && unset walk_path &&
	for class in read write
	do
		unset walk_pipe &&
		walk_fails $class short alternate fresh "test \$walk_code -eq 0 && $file_again" \
			$file_push &&
		walk_pipe=in &&
		walk_fails $class short alternate fresh "test \$walk_code -eq 0 && $pipe_again" \
			$pipe_push || return 1
	done
'

test_expect_success '7: short writes of everything' '
	new_world && walk_max=2 &&
	walk_fails write short forever fresh "test \$walk_code -eq 0 && $file_again" $file_push
'

test_expect_success '7: EINTR at every read, write, fsync, open and lock' '
	test_when_finished "walk_path=/w/" &&
	new_world && walk_max=8 && unset walk_path &&
	for class in read write fsync lock
	do
		walk_fails $class EINTR alternate fresh "test \$walk_code -eq 0 && $file_again" \
			$file_push || return 1
	done
'

test_expect_success '48: a file-size limit' '
	new_world &&
	test_expect_code 10 sh -c "ulimit -f 1 && exec river push web/clicks --batch-records 20 in" 2>err &&
	test_grep -i "file too large" err &&
	eval "$file_again"
'

test_done
