"""Blame on scenarios whose culprits are known: made of seeds, run in real cgroups, recorded, judged, scored.

python -m benchmarks.blame record 100:130    run these seeds and keep a trace of each
python -m benchmarks.blame fit               fit the confidence to the traces of calibration (even seeds)
python -m benchmarks.blame score             judge the traces of the test (odd seeds), print and write the score
"""
