# Has the server beside it run its program with the arguments, environment, directory and files of this process.
import array
import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'socket'))
    call = {'arguments': sys.argv[1:], 'directory': os.getcwd(), 'environment': dict(os.environ)}
    server.sendmsg([b' '], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0, 1, 2]))])
    server.sendall(json.dumps(call).encode() + b'\n')
    end = server.recv(1)
    sys.exit(end[0] if end else 70)
