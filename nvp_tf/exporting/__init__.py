"""A run as a SavedModel that needs nothing of this package, with what it takes to trust and to serve it.

NAME/<version>/saved_model.pb, variables/   the SavedModel (`signatures.py`)
NAME/<version>/model.tflite, ...            the same for phones (`lite.py`)
NAME/<version>/page.npz                     held-out scores and pictures for `page/`
NAME/<version>/export.json                  what the gate measured (`gate.py`), and what the model is
NAME/models.config, batching.config, ...    what TensorFlow Serving takes beside (`serving.py`)
"""
