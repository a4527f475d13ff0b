# Runs a command on a pseudo-terminal of the host for tests: orders (JSON lines) on stdin, what happens (JSON lines) on stdout.
# In:  {"write": "latin-1 text"}, {"resize": [rows, columns]}, {"signal": 15}, {"attributes": true}, {"hangup": true}
# Out: {"output": "latin-1 text"}, {"attributes": [iflag, oflag, cflag, lflag, cc...]}, {"stopped": true or false},
#      {"ended": wait status}
# The command ends with its terminal when stdin ends.
import fcntl, json, os, select, signal, struct, sys, termios

rows, columns = int(sys.argv[1]), int(sys.argv[2])
master, slave = os.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
exited, on_exit = os.pipe()
os.set_blocking(on_exit, False)
signal.set_wakeup_fd(on_exit)
signal.signal(signal.SIGCHLD, lambda *_: None)


def tell(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def attributes():
    try:
        settings = termios.tcgetattr(slave)
        tell(attributes=settings[:4] + [ord(key) if isinstance(key, bytes) else key for key in settings[6]])
    except termios.error as error:
        tell(attributes=[], gone=str(error))


def show():
    tell(output=os.read(master, 65536).decode("latin-1"))


attributes()
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.closerange(3, 64)
    os.execvp(sys.argv[3], sys.argv[3:])

to_type = b""


def obey(line):
    global to_type, master
    order = json.loads(line)
    if "write" in order:
        to_type += order["write"].encode("latin-1")
    if "resize" in order:
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", *order["resize"], 0, 0))
    if "signal" in order:
        os.kill(pid, order["signal"])
    if "attributes" in order:
        attributes()
    if "hangup" in order:
        os.close(master)
        master = -1


waiting = b""
ended = False
while True:
    screen = [] if master < 0 else [master]
    readable, writable, _ = select.select([0, exited] + screen, screen if to_type else [], [])
    if master in readable:
        show()
    if 0 in readable:
        data = os.read(0, 65536)
        if not data:
            break
        *lines, waiting = (waiting + data).split(b"\n")
        for line in lines:
            obey(line)
    if to_type and master >= 0 and master in writable:
        # A terminal takes what it has room for: never wait in write() while the command waits for us to read.
        to_type = to_type[os.write(master, to_type[:512]):]
    if exited in readable:
        os.read(exited, 64)
    if not ended:
        done, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
        if done and (os.WIFSTOPPED(status) or os.WIFCONTINUED(status)):
            tell(stopped=os.WIFSTOPPED(status))
        elif done:
            ended = True
            while master >= 0 and select.select([master], [], [], 0)[0]:
                show()
            attributes()
            tell(ended=status)
if not ended:
    os.kill(pid, signal.SIGKILL)
