"""EM of a mixture of factor analysers (Ghahramani and Hinton 1996), each component with a noise of its own."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import logsumexp
from sklearn.cluster import KMeans

_BLOCK = 4096  # rows at once
_FIRST = 5000  # examples that the first guess is made from


class FactorEM:
    """An `em.Algorithm`. Of d = x - mu_k and the factors z of component k,

        E:  r = P(k | x),  E[z] = M^-1 W' psi^-1 d,  cov z = M^-1,  M = I + W' psi^-1 W
        M:  [W, shift] = (sum r d E[z~]') (sum r E[z~ z~'])^-1,   z~ = [z, 1],   mu = mu + shift
            psi = diag(sum r d d' - [W, shift] sum r E[z~] d') / sum r,   a = sum r / n

    Args:
      x: float64 [n, D].
      components, factors: K and q; components beyond the number of examples have a share of 0.
      ridge: the least psi; the likelihood cannot fall where it is 0.
      seed: of k-means, which the first guess is from.
    """

    def __init__(self, x: np.ndarray, components: int, factors: int, ridge: float, seed: int) -> None:
        self.x, self.ridge = x, ridge
        first = x[np.linspace(0, len(x) - 1, min(len(x), _FIRST)).astype(int)]
        found = KMeans(min(components, len(np.unique(first, axis=0))), n_init=1, random_state=seed).fit(first)
        overall = first.var(axis=0) + max(ridge, 1e-6)
        self.share = np.zeros(components)
        self.mean = np.repeat(first.mean(axis=0)[None], components, axis=0)
        self.loadings = np.zeros((components, x.shape[1], factors))
        self.noise = np.repeat(overall[None], components, axis=0)
        for k in range(found.n_clusters):
            members = first[found.labels_ == k]
            self.share[k] = len(members) / len(first)
            self.mean[k] = members.mean(axis=0)
            if len(members) > 1:
                self.loadings[k], self.noise[k] = _principal(members, factors, 0.01 * overall)

    def weights(self) -> list[np.ndarray]:
        with np.errstate(divide="ignore"):
            return [np.log(self.share), self.mean.copy(), self.loadings.copy(), self.noise.copy()]

    def iterate(self, most: int) -> list[float]:
        return [self._iteration() for _ in range(most)]

    def _iteration(self) -> float:
        n, dimensions = self.x.shape
        components, q = len(self.share), self.loadings.shape[2]
        # Sums over the examples: of r, r d d' (its diagonal), r d E[z~]', r E[z~ z~'].
        counts, squares = np.zeros(components), np.zeros((components, dimensions))
        cross, factors = np.zeros((components, dimensions, q + 1)), np.zeros((components, q + 1, q + 1))
        total, posteriors = 0.0, [self._posterior(k) for k in range(components)]
        for start in range(0, n, _BLOCK):
            block = self.x[start : start + _BLOCK]
            found = [self._expect(block, k, posteriors[k]) for k in range(components)]
            joint = np.stack([log_prob for log_prob, *_ in found], axis=1)
            evidence = logsumexp(joint, axis=1)
            total += evidence.sum()
            share = np.exp(joint - evidence[:, None])
            for k, (_, centred, mean) in enumerate(found):
                r = share[:, k]
                extended = np.column_stack([mean, np.ones(len(block))])
                weighted = r[:, None] * extended
                counts[k] += r.sum()
                squares[k] += r @ np.square(centred)
                cross[k] += centred.T @ weighted
                factors[k] += extended.T @ weighted
        self._maximize(counts, squares, cross, factors, posteriors)
        return total / n

    def _posterior(self, k: int) -> tuple[np.ndarray, np.ndarray, float]:
        """(W' psi^-1 [q, D], M^-1 [q, q], log |S|)."""
        scaled = (self.loadings[k] / self.noise[k][:, None]).T
        factored = cho_factor(np.eye(len(scaled)) + scaled @ self.loadings[k])
        log_det = 2 * np.log(np.diag(factored[0])).sum() + np.log(self.noise[k]).sum()
        return scaled, cho_solve(factored, np.eye(len(scaled))), log_det

    def _expect(
        self, x: np.ndarray, k: int, posterior: tuple[np.ndarray, np.ndarray, float]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(log a_k p_k(x) [n], d [n, D], E[z] [n, q])."""
        scaled, covariance, log_det = posterior
        centred = x - self.mean[k]
        seen = centred @ scaled.T
        mean = seen @ covariance
        distance = np.square(centred) @ (1 / self.noise[k]) - np.einsum("nq,nq->n", seen, mean)
        with np.errstate(divide="ignore"):
            share = np.log(self.share[k])
        return share - 0.5 * (distance + log_det + x.shape[1] * np.log(2 * np.pi)), centred, mean

    def _maximize(
        self, counts: np.ndarray, squares: np.ndarray, cross: np.ndarray, factors: np.ndarray, posteriors: list[tuple]
    ) -> None:
        for k in np.flatnonzero(counts > 1e-10):  # of a component without examples only the share changes
            factors[k, :-1, :-1] += counts[k] * posteriors[k][1]
            solved = np.linalg.solve(factors[k], cross[k].T).T
            self.loadings[k], shift = solved[:, :-1], solved[:, -1]
            noise = (squares[k] - np.einsum("dq,dq->d", solved, cross[k])) / counts[k]
            self.noise[k] = np.maximum(noise, max(self.ridge, 1e-300))
            self.mean[k] = self.mean[k] + shift
        self.share = counts / counts.sum()


def _principal(x: np.ndarray, factors: int, least: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(W, psi) by the principal components of [n, D], as if psi were the same in all; psi is at least `least`."""
    centred = x - x.mean(axis=0)
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    variances = np.square(singular) / len(x)
    count = min(factors, len(variances))
    rest = variances[count:].sum() / max(1, x.shape[1] - count)
    loadings = np.zeros((x.shape[1], factors))
    loadings[:, :count] = directions[:count].T * np.sqrt(np.maximum(variances[:count] - rest, 0))
    return loadings, np.maximum(centred.var(axis=0) - np.square(loadings).sum(axis=1), least)
