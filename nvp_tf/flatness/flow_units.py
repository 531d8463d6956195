"""The units of a flow: of the networks of its couplings, for the couplings themselves are not homogeneous."""

from collections.abc import Callable

from nvp_tf.flatness.roles import Numbers, weight_norm
from nvp_tf.flatness.units import Change, Unit
from nvp_tf.layers.base import Bijective
from nvp_tf.layers.chain import Chain, FactorOut
from nvp_tf.layers.coupling import Coupling
from nvp_tf.layers.mlp import MLP
from nvp_tf.layers.residual_network import ResidualConvNet
from nvp_tf.models.flow import Flow


def flow_units(flow: Flow) -> list[Unit]:
    """Of each MLP its hidden layers; of each residual network its sum of skips, and every direction.

    The sum of skips is a batch norm without a scale away from the last convolution: the magnitudes of the skips, the
    batch norm's mean and beta times f, the last magnitude divided by f. It is exact, no variance moves.
    """
    numbers = {id(weight): i for i, weight in enumerate(flow.weights)}
    makers: dict[type, Callable[..., list[Unit]]] = {MLP: _of_mlp, ResidualConvNet: _of_residual}
    units = []
    for coupling in couplings(flow.bijector):
        network = coupling.network
        units += makers[type(network)](network, coupling.name, lambda weight: numbers[id(weight)])
    return units


def couplings(layer: Bijective) -> list[Coupling]:
    """Those that a bijective layer is made of, the data side first."""
    if isinstance(layer, Chain):
        return [found for part in layer.layers for found in couplings(part)]
    if isinstance(layer, FactorOut):
        return couplings(layer.inner)
    return [layer] if isinstance(layer, Coupling) else []


def _of_mlp(network: MLP, name: str, number: Numbers) -> list[Unit]:
    units = []
    for i, (layer, after) in enumerate(zip(network.layers[:-1], network.layers[1:], strict=True)):
        changes = (Change(number(layer.kernel), 1), Change(number(layer.bias), 1))
        units.append(Unit(f"{name}.hidden_{i}", layer.units, (*changes, Change(number(after.kernel), -1, (-2,)))))
    return units


def _of_residual(network: ResidualConvNet, name: str, number: Numbers) -> list[Unit]:
    skips = [network.skip_in, *(block.skip for block in network.blocks)]
    norm = network.norm_out
    weights = [*(skip.magnitude for skip in skips), norm.running_mean, norm.beta]
    last = Change(number(network.conv_out.magnitude), -1, ())
    units = [Unit(f"{name}.skips", 1, (*(Change(number(weight), 1) for weight in weights), last))]
    parts = {"in": network.conv_in, "skip_in": network.skip_in, "out": network.conv_out}
    for i, block in enumerate(network.blocks):
        parts |= {f"block_{i}.{part}": getattr(block, part) for part in ("conv_1", "conv_2", "skip")}
    for part, convolution in parts.items():
        (direction,) = weight_norm(convolution, number).own
        units.append(Unit(f"{name}.{part}.direction", direction.channels, direction.changes))
    return units
