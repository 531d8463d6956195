"""Scores of a person's own files, from a SavedModel or from a server that has it.

items.py       what a model takes, and one thing to score
inputs.py      files, folders and patterns as a stream of such things
pictures.py, arrays.py, records.py   the kinds of files; contents.py: which one it is, where the name does not say
saved_model.py, server.py            who answers
scorer.py      batches, their order, what is bad among them
table.py       CSV, Parquet, .npz
summary.py     what a table comes to
beam.py, beam_files.py, beam_options.py   all that on Apache Beam; .venv-beam has it
"""
