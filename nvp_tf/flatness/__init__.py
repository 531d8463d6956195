"""How flat a minimum is, and what of that says nothing about the function (thesis chapter 3).

Curvature of (model, loss, batches), for any Keras model and this project's flows, in float64:

models.py             a Keras file, a run's folder or a live model -> float64 clone, loss, batches
losses.py             a loss by name, one value an example, and of what likelihood it is
blocks.py             where each weight tensor lies in the flat vector of all weights
batches.py            data walked again and again, checked, halved
moments.py            batch moments without the stopped gradient, while a product is traced
curvature.py          loss, gradient, Hessian, Gauss-Newton and Fisher products at any weights
checks.py, blame.py   what is refused at construction, and which layers are to blame
operators.py          a symmetric matrix known by its products; D A D
spectrum.py           largest and smallest eigenvalues with residuals; whether the point is a minimum
lanczos.py, spectral_density.py   the density of eigenvalues by stochastic Lanczos quadrature
trace.py              Hutchinson and Hutch++, by block, with errors
sharpness.py          epsilon-sharpness by ascent: a lower bound
volume.py, slices.py  epsilon-flatness in random slices; filter-normalized slices
invariants.py, relative_flatness.py, metric.py    what a rescaling does not move
sampling.py           the error of measuring on few examples

Equivalent models, and the theorems about them:

units.py, roles.py, graph.py, flow_units.py, rescaling.py   the alpha-scale of rectifier networks and of flows
bijective.py, weight_norm.py, inputs.py     other reparametrizations that leave the function alone
theorems/             each statement of the chapter: bound beside measured value
density_order.py      the same of densities: a representation in which any image is the most likely
report.py             the table of all of it
"""
