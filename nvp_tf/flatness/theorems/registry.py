"""The theorems and sections by name, each a file of this folder with `check(seed) -> [Line]`. Listing loads nothing."""

THEOREMS = {
    "one": "theorem 1: the rectifier is non-negative homogeneous",
    "two": "theorem 2: the loss is not Lipschitz continuous",
    "three": "theorem 3: every minimum has infinite volume",
    "four": "theorem 4: gradient and Hessian move with D",
    "five": "theorem 5: spectral norm and trace are what one pleases",
    "six": "theorem 6: and so are many eigenvalues at once",
    "sharpness": "section 3.4.3: epsilon-sharpness, in the whole space and in random directions",
    "reparametrization": "section 3.5.1: the power map and the radial map",
    "weight_norm": "section 3.5.1: weight normalization",
    "inputs": "section 3.5.2: the representation of the input",
}
