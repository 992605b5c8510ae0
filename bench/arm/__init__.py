"""Compares what 64-bit Arm, emulated by QEMU, writes and reads with what this machine does: `python -m bench.arm PLACE`.

`place` makes the emulated system, `worker` is what runs on both machines, `compare` looks for differences.
"""
