"""Sweeps: many runs from one command, which can be stopped, widened and continued.

Each job is a process of its own. Its folder's `status.json` alone says how it ended, whatever started the process.
Nothing here imports torch, except inside a job's process.
"""
