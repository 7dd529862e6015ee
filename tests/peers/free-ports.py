#!/usr/bin/python3
# Prints N ports of the loopback that are free now, below those the kernel hands out by itself, so that
# nobody gets one before the server that wants it has started: free-ports.py N
# Nor does another script that runs at the same time: a folder below $RIVER_BUILD/tests/ports stands for
# each port that was given, for an hour.
import os
import random
import socket
import sys
import time

wanted, held = int(sys.argv[1]), []
given = None
if 'RIVER_BUILD' in os.environ:
    given = os.path.join(os.environ['RIVER_BUILD'], 'tests', 'ports')
    os.makedirs(given, exist_ok=True)


def claim(port):
    if not given:
        return True
    mine = os.path.join(given, str(port))
    try:
        os.mkdir(mine)
    except FileExistsError:
        if time.time() - os.stat(mine).st_mtime < 3600:
            return False
        os.utime(mine)
    return True


while len(held) < wanted:
    s = socket.socket()
    port = random.randrange(12000, 32000)
    try:
        s.bind(('127.0.0.1', port))
    except OSError:
        s.close()
        continue
    if claim(port):
        held.append(s)
    else:
        s.close()
print(*(s.getsockname()[1] for s in held))
