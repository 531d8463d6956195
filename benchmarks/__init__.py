"""Speeds as ratios: contenders that do the same work, each in a process of its own, timed in turn, round after round.

A machine is never as quiet as one hopes, and never the same twice. What is slow for a moment is slow for
all contenders of a round, so that a ratio within a round holds where a time does not.

workloads/    one a file: what is measured, and how its table looks
contenders/   one a file: something that can be timed, in its own process and environment
worker.py     that process; process.py, its other end; rounds.py, whose turn it is
"""
