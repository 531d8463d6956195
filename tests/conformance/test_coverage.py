"""Every public layer, network, prior, kind of flow and preset is in the table of `cases.py`."""

import importlib
import inspect
import pkgutil

import keras
from cases import LAYERS, MODELS, NETWORKS, PRESET_PARAMETERS, PRIORS, parts

import nvp_tf.layers
from nvp_tf.config.presets.registry import PRESETS
from nvp_tf.layers import convolution, fixed_networks, mlp, network_norm, residual_network
from nvp_tf.layers.base import Bijective
from nvp_tf.layers.convolution import Convolution
from nvp_tf.layers.residual_network import ConvNet
from nvp_tf.models import priors
from nvp_tf.models.build import RECIPES

SHARED = {Convolution, ConvNet}  # what some networks have in common


def public_classes(module, base):
    """Those that the module defines, not those that it imports."""
    classes = [c for _, c in inspect.getmembers(module, inspect.isclass) if c.__module__ == module.__name__]
    return {c for c in classes if issubclass(c, base) and not c.__name__.startswith("_")}


def layer_classes(base):
    modules = [importlib.import_module(f"nvp_tf.layers.{m.name}") for m in pkgutil.iter_modules(nvp_tf.layers.__path__)]
    modules.append(importlib.import_module("nvp_tf.flatness.bijective"))
    return set().union(*[public_classes(module, base) for module in modules]) - {Bijective}  # the contract itself


def test_layers():
    assert layer_classes(Bijective) == {type(case.shared) for case in LAYERS.values()}


def test_parts_of_layers():
    """The transforms of couplings, and what networks are made of, are layers that are no bijections of their own."""
    found = {type(part) for case in (LAYERS | NETWORKS).values() for part in parts(case.shared)}
    assert layer_classes(keras.layers.Layer) - SHARED <= found


def test_networks():
    modules = (mlp, convolution, network_norm, residual_network, fixed_networks)
    found = set().union(*[public_classes(module, keras.layers.Layer) for module in modules])
    assert found - SHARED == {type(case.shared) for case in NETWORKS.values()}


def test_priors():
    assert public_classes(priors, priors.Prior) - {priors.Prior} == set(PRIORS.values())
    assert priors.PRIORS == PRIORS


def test_recipes():
    assert set(RECIPES) == {type(case.config.flow) for case in MODELS.values()}
    assert set(PRIORS) == {case.config.prior for case in MODELS.values()}


def test_presets():
    assert set(PRESETS) == set(PRESET_PARAMETERS)
