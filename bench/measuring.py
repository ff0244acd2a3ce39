"""What the measure scripts share: medians of wall and CPU time, and the memory of a process tree."""

import os
import resource
import statistics
import subprocess
import time

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}


def wall(*command, repeat, env=None):
    """Median seconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        subprocess.run(command, env=env, **QUIET)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def cpu(*command, repeat, env=None, timeout=None):
    """Median CPU seconds of the process and all its children."""
    times = []
    for _ in range(repeat):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, env=env, timeout=timeout, **QUIET)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(times)


def tree_rss(*command, env=None):
    """Peak MiB of the resident sets of the process and its descendants together, sampled each millisecond."""
    process = subprocess.Popen(command, env=env, **QUIET)
    peak = 0
    while process.poll() is None:
        total, pending = 0, [process.pid]
        while pending:
            pid = pending.pop()
            try:
                with open(f"/proc/{pid}/statm") as f:
                    total += int(f.read().split()[1]) * 4096
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/children") as f:
                        pending.extend(map(int, f.read().split()))
            except (OSError, ValueError, IndexError):
                continue
        peak = max(peak, total)
        time.sleep(0.001)
    return peak / 2**20


def version(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
    return lines[-1] if lines else "unknown"
