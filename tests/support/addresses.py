"""Where processes of a test on this machine may meet."""

import socket


def addresses(count):
    """That many on this machine whose ports are free."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return [f"localhost:{port}" for port in ports]
