"""pyproject.toml asks for what requirements.txt pins: its lower bounds are of versions that the tests run with."""

import re
import tomllib

from commands import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins(file):
    lines = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / file).read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


def asked(extra=None):
    found = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    return [Requirement(word) for word in found if not word.startswith("nvp_tf")]


def test_bounds_hold_for_the_pins():
    pinned = {"beam": pins("requirements-beam.txt"), "engines": pins("requirements-engines.txt")}
    for extra in (None, *PROJECT["optional-dependencies"]):
        versions = pinned.get(extra, pins("requirements.txt"))
        for requirement in asked(extra):
            pin = versions[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(pin), (extra, str(requirement), pin)


def test_bounds_are_of_versions_that_are_tried():
    """Of the smallest version in any of the pinned environments: nothing older was run."""
    files = ("requirements.txt", "requirements-beam.txt", "requirements-engines.txt")
    tried = {}
    for name, version in [pin for file in files for pin in pins(file).items()]:
        tried.setdefault(name, []).append(Version(version))
    for extra in (None, *PROJECT["optional-dependencies"]):
        for requirement in asked(extra):
            [bound] = requirement.specifier
            smallest = min(tried[canonicalize_name(requirement.name)])
            assert bound.operator == ">=" and Version(bound.version).release <= smallest.release, str(requirement)
            assert smallest.release[:2] == (*Version(bound.version).release, 0)[:2], str(requirement)


def test_every_pin_that_the_package_imports_is_asked_for():
    everything = [r for extra in (None, *PROJECT["optional-dependencies"]) for r in asked(extra)]
    assert set(pins("requirements.txt")) <= {canonicalize_name(requirement.name) for requirement in everything}
