#!/usr/bin/python3
# Prints N ports of the loopback that are free now, below those the kernel hands out by itself, so that
# nobody gets one before the server that wants it has started: free-ports.py N
import random
import socket
import sys

wanted, held = int(sys.argv[1]), []
while len(held) < wanted:
    s = socket.socket()
    try:
        s.bind(('127.0.0.1', random.randrange(12000, 32000)))
        held.append(s)
    except OSError:
        s.close()
print(*(s.getsockname()[1] for s in held))
