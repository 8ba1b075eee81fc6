import json, os, socket, struct, sys, traceback
sock = socket.socket(fileno=os.dup(0))
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
WORKER = "amago-gym worker"
try:
    source, config = (sock.recv(struct.unpack("<I", sock.recv(4, socket.MSG_WAITALL))[0], socket.MSG_WAITALL) for _ in (0, 1))
    config = json.loads(config)
    exec(compile(source, WORKER, "exec"))
except BaseException as error:
    text = traceback.format_exc().rstrip()
    if isinstance(error, ImportError):
        text = f"{sys.executable} has not what amago needs: {type(error).__name__}: {error}"
    text = text.encode("utf-8", "replace")[-60000:]
    try:
        sock.sendall(struct.pack("<BI", 88, len(text)) + text)
    finally:
        os._exit(1)
