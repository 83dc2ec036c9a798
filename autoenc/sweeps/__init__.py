"""Many runs as one piece of work that can be stopped, widened and taken up again.

A job is a process of its own, and tells how it went by its folder and by nothing else: whatever started it, and
whatever became of that, `status.json` says how the job ended. Nothing here imports torch but a job's own process.
"""
