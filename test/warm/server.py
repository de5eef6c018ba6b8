# Runs programs that are written in Python, each in a copy of this process that has imported before what the programs import.
# Started with a socket to listen on; it ends when its input does, and what it started with it.
import array
import atexit
import ctypes
import importlib
import io
import json
import os
import runpy
import select
import shutil
import signal
import socket
import sys


def serve(address):
    # Named only once it listens: the programs look for the name.
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address + '.new')
    listener.listen(64)
    os.rename(address + '.new', address)
    signal.signal(signal.SIGCHLD, lambda *_: reap())
    learned, teach = os.pipe()
    rest = b''
    while True:
        ready, _, _ = select.select([0, listener, learned], [], [])
        if 0 in ready:
            return
        if learned in ready:
            *names, rest = (rest + os.read(learned, 1 << 16)).split(b'\n')
            for name in names:
                learn(name.decode())
        elif listener in ready:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                os.close(learned)
                run(connection, teach)
            connection.close()


# These are where the programs begin. They take the arguments as defaults while they are imported.
BEGINNINGS = ('neutronclient.shell', 'openstackclient.shell')


def reap():
    """Lets the copies that have ended go; they have told themselves how they ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def learn(name):
    if name in sys.modules or name in BEGINNINGS:
        return
    try:
        importlib.import_module(name)
    except BaseException:  # it is no use to others, then
        pass
    for beginning in BEGINNINGS:
        sys.modules.pop(beginning, None)


def run(connection, teach):
    """Runs what a program was called with, in its stead, and tells it how that ended."""
    status = 70
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # with the server
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        call = receive(connection)
        before = set(sys.modules)
        status = execute(call['arguments'])
        for name in sys.modules:
            if name not in before and len(name) < 1000:
                os.write(teach, name.encode() + b'\n')  # less than a pipe takes at once, so that names do not mix
    finally:
        try:
            connection.sendall(bytes([status & 255]))
        finally:
            os._exit(0)


def receive(connection):
    data, ancillary, _, _ = connection.recvmsg(1 << 16, socket.CMSG_SPACE(12))
    files = array.array('i')
    for _, _, numbers in ancillary:
        files.frombytes(numbers)
    while not data.endswith(b'\n'):
        data += connection.recv(1 << 16)
    call = json.loads(data)
    for target, file in enumerate(files):
        os.dup2(file, target)
        os.close(file)
    os.chdir(call['directory'])
    os.environ.clear()
    os.environ.update(call['environment'])
    sys.stdin = io.TextIOWrapper(open(0, 'rb', closefd=False), 'utf-8', 'surrogateescape')
    sys.stdout = io.TextIOWrapper(open(1, 'wb', closefd=False), 'utf-8', 'surrogateescape', line_buffering=os.isatty(1))
    sys.stderr = io.TextIOWrapper(open(2, 'wb', closefd=False), 'utf-8', 'backslashreplace', line_buffering=True)
    return call


def execute(arguments):
    program = sys.argv[0]
    sys.argv = [program, *arguments]
    sys.path[0] = os.path.dirname(program)
    status = 0
    try:
        runpy.run_path(program, run_name='__main__')
    except SystemExit as end:
        status = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    if status is None:
        status = 0
    if not isinstance(status, int):
        print(status, file=sys.stderr)
        status = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == '__main__':
    (address, program), owner = sys.argv[1:], os.getpid()
    sys.argv = [program]  # some look at it while they are imported
    try:
        serve(address)
    finally:
        if os.getpid() == owner:
            shutil.rmtree(os.path.dirname(address), ignore_errors=True)
