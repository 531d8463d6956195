"""The client that an address' scheme asks for: grpc://HOST:PORT, or http://HOST:PORT and https://."""

from typing import TypedDict, Unpack

from nvp_tf.errors import UserError
from nvp_tf.scoring.server import Server


class Options(TypedDict, total=False):
    """Of `Server`."""

    label: str
    deadline: float
    tries: int


def connect(address: str, model: str, **options: Unpack[Options]) -> Server:
    """The client for the address' scheme."""
    scheme, _, rest = address.partition("://")
    if not rest or scheme not in ("grpc", "http", "https"):
        raise UserError(f"server is {address!r}, expected grpc://HOST:PORT or http://HOST:PORT")
    if scheme == "grpc":
        from nvp_tf.scoring.grpc_server import GrpcServer

        return GrpcServer(address, model, **options)
    from nvp_tf.scoring.rest_server import RestServer

    return RestServer(address, model, **options)
