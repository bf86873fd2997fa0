"""ministack on a port of its own, for as long as a piece of work takes."""

import os
import socket
import subprocess
import sys
import tempfile
import time


def with_ministack(account, work, **settings):
    """Starts it with these settings in its environment, and gives what `work` makes of its endpoint."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_ACCOUNT_ID": account,
            "TMPDIR": home,
            **settings,
        }
        server = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=environment, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait(port)
            return work(f"http://127.0.0.1:{port}")
        finally:
            server.kill()
            server.wait()


def wait(port):
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("ministack did not start")
