"""A page to touch: a folder of static files in which an export's model runs in a browser. No TensorFlow.

index.html, *.js, style.css   the page itself (`static/`)
model_web.tflite              model.tflite with a batch of one (`fixed_batch.py`)
model.json                    what the model is, held-out scores and pictures (`material.py`)
runtime/                      LiteRT.js as npm has it (`runtime.py`)
"""
