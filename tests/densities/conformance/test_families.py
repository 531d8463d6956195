"""Every family is in the table of `density_cases.py`, over images and over vectors, where it has both."""

import pytest
from density_cases import ALL, IMAGES, LINE, PLANE, TOY, VECTORS

from nvp_tf.config.codec import decode, encode
from nvp_tf.densities import registry
from nvp_tf.densities.contract import KINDS, Unfit

OF_IMAGES_ALONE = {"pixelcnn"}


def test_families():
    families = set(registry.names())
    assert families == {case.shared.family for case in IMAGES.values()}
    assert families - OF_IMAGES_ALONE == {case.shared.family for case in VECTORS.values()}


@pytest.mark.parametrize("family", OF_IMAGES_ALONE)
def test_those_of_images_alone_refuse_vectors(family):
    for domain in (PLANE, LINE):
        with pytest.raises(Unfit, match="vectors"):
            registry.get(family)(domain)


@pytest.mark.parametrize("name", ALL)
def test_what_a_family_says_of_itself(name):
    density = ALL[name].shared
    assert registry.get(density.family) is type(density)
    assert density.kind in KINDS and density.how
    assert density.parameters > 0
    assert (density.draws > 0) <= (density.kind != "exact")
    assert decode(type(density).Settings, encode(density.settings), "settings") == density.settings


def test_unknown_family():
    with pytest.raises(ValueError, match=r"expected one of .*pixelcnn"):
        registry.get("pixelrnn")


def test_domain_of_the_toy():
    assert TOY.dimensions == 4 and TOY.log_scale == 0 and TOY.is_image
