"""Small tables that scikit-learn carries, of the kind of the UCI sets: features only, without the answers."""

import dataclasses
from typing import Any

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.arrays import from_arrays
from nvp_tf.data.split import DataSet


def breast_cancer(config: DataConfig) -> DataSet:
    """569 rows of 30 measurements of cell nuclei."""
    from sklearn.datasets import load_breast_cancer

    return _data(config, load_breast_cancer())


def wine(config: DataConfig) -> DataSet:
    """178 rows of 13 measurements of wines."""
    from sklearn.datasets import load_wine

    return _data(config, load_wine())


def diabetes(config: DataConfig) -> DataSet:
    """442 rows of 10 measurements of patients, in their own units."""
    from sklearn.datasets import load_diabetes

    return _data(config, load_diabetes(scaled=False))


def _data(config: DataConfig, found: Any) -> DataSet:
    data = from_arrays(found.data, levels=None, name=config.name)
    names = tuple(str(name) for name in found.feature_names)
    return dataclasses.replace(data, event=dataclasses.replace(data.event, columns=names))
