"""As many threads as this process has cores, which in a container is fewer than the machine has."""

import torch
from joblib import cpu_count


def limit_threads() -> int:
    """Give torch no more threads than this process may use cores at a time.

    torch counts the machine's physical cores. A container's share of the processor (a quota of its control group) and
    the limit in ``LOKY_MAX_CPU_COUNT`` count here too: threads beyond them wait for each other. What was set lower, by
    ``OMP_NUM_THREADS`` say, stays.

    Returns
    -------
    int
        Threads torch uses from now on.
    """
    n_threads = min(torch.get_num_threads(), cpu_count())
    if n_threads != torch.get_num_threads():
        torch.set_num_threads(n_threads)
    return n_threads
