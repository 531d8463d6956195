"""TensorFlow Serving by REST."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import numpy as np
import requests
from requests.adapters import HTTPAdapter

from nvp_tf.errors import UserError, reason
from nvp_tf.scoring.scorer import Answers, Refused
from nvp_tf.scoring.server import Server, Unavailable

_LATER = {408, 429, 500, 502, 503, 504}
_NAMES = {"DT_UINT8": "uint8", "DT_FLOAT": "float32", "DT_DOUBLE": "float64"}


class RestServer(Server):
    def _connect(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy between a client and its own server is a surprise
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=64))
        self._url = f"{self.address.rstrip('/')}/v1/models/{quote(self.model, safe='')}"
        if self.label:
            self._url += f"/labels/{quote(self.label, safe='')}"

    def _metadata(self) -> tuple[str, tuple[int, ...], str, Iterable[str]]:
        try:
            signatures = self._call("GET", "/metadata")["metadata"]["signature_def"]["signature_def"]
            [(name, info)] = signatures["score"]["inputs"].items()
            shape = tuple(int(dim["size"]) for dim in info["tensor_shape"]["dim"][1:])
            return name, shape, _NAMES.get(info["dtype"], info["dtype"]), signatures["score"]["outputs"]
        except Refused as error:
            raise UserError(f"{self.model} is not to be had from {self.address}: {error}") from None
        except UserError:
            raise
        except (KeyError, TypeError, ValueError):
            raise UserError(f"{self.model} on {self.address} is not an export of nvp_tf") from None

    def _ask(self, signature: str, batch: np.ndarray) -> Answers:
        body = {"signature_name": signature, "inputs": {self.event.name: np.asarray(batch).tolist()}}
        outputs = self._call("POST", ":predict", body).get("outputs")
        if outputs is None:
            raise UserError(f"{self.address} answers without outputs, expected TensorFlow Serving")
        if not isinstance(outputs, dict):  # of a signature with one output the server leaves the name away
            outputs = {"latents": outputs}
        return {name: np.array(value, np.float32) for name, value in outputs.items()}

    def _call(self, method: str, what: str, body: dict | None = None) -> dict[str, Any]:
        try:
            answer = self._session.request(method, self._url + what, json=body, timeout=self.deadline)
            content = answer.json()  # Python's parser reads -Infinity
        except (requests.ConnectionError, requests.Timeout) as error:
            raise Unavailable(reason(error)[:300]) from None
        except requests.JSONDecodeError:
            content = {"error": answer.text[:200]}
        except requests.RequestException as error:
            raise UserError(f"server is {self.address!r}: {reason(error)[:300]}") from None
        if answer.status_code == 200:
            return content
        why = f"{answer.status_code}: {' '.join(str(content.get('error', content)).split())[:300]}"
        if answer.status_code in _LATER:
            raise Unavailable(why)
        if answer.status_code == 404:
            raise UserError(f"{self.model} is not to be had from {self.address}: {why}")
        raise Refused(why)
