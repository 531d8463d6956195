"""Which dimensions a NICE model finds that matter."""

import numpy as np
from PIL import Image

from nvp_tf.layers.scaling import Scaling
from nvp_tf.models.flow import Flow
from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source, Unfit


def draw(source: Source) -> Image.Image:
    """NICE's spectrum: how far the data reaches in each latent dimension, sorted (section 5.2).

        sigma_d = exp(-g_d),   g [D] the log-scale of the last layer

    A unit of latent d is sigma_d units before the scaling. A dimension with a small sigma is one in which the data
    hardly varies: the fall of the curve tells how many dimensions the model uses, as eigenvalues do for PCA.
    """
    if source.config.model.flow.kind != "nice":
        raise Unfit(f"spectrum needs flow kind nice, {source.run.path} has {source.config.model.flow.kind}")
    sigma = spectrum(source.flow)
    figure, ((axes,),) = new_figure((7, 4))
    edges = np.arange(len(sigma) + 1) + 0.5
    axes.stairs(sigma, edges, fill=True, color="tab:blue", alpha=0.3)
    axes.stairs(sigma, edges, color="tab:blue", linewidth=1.2)
    axes.set(xlabel="dimension, by rank", ylabel="σ = exp(−g)", xlim=(0.5, len(sigma) + 0.5), ylim=(0, None))
    axes.set_title(f"Spectrum of {source.config.data.name}: {len(sigma)} dimensions", fontsize=10)
    axes.grid(alpha=0.3)
    return to_picture(figure)


def spectrum(flow: Flow) -> np.ndarray:
    """sigma [D], decreasing."""
    [scaling] = [layer for layer in flow.bijector.layers if isinstance(layer, Scaling)]
    return np.sort(np.exp(-scaling.log_scale.numpy().ravel()))[::-1]
