"""Densities of one and of two dimensions integrate to 1, on the scale of the vectors as they are given."""

import numpy as np
import pytest
from density_cases import VECTORS
from oracles import grid

EXACT = [name for name, case in VECTORS.items() if case.shared.kind == "exact"]


@pytest.mark.parametrize("name", EXACT)
def test_integral(name):
    density = VECTORS[name].shared
    dimensions = density.domain.dimensions
    # x = sinh(t), dx = cosh(t) dt: fine where most is, and far out.
    t, cell = grid(-5, 5, 400 if dimensions == 2 else 4000, dimensions)
    points, volumes = np.sinh(t), np.cosh(t).prod(axis=1) * cell
    scale = np.array(density.domain.scale)
    density.batch = len(points)
    try:
        log_prob = density.log_prob(points * scale + density.domain.shift).value
    finally:
        del density.batch
    assert (np.exp(log_prob) * volumes).sum() * scale.prod() == pytest.approx(1, abs=1e-3)
