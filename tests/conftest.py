"""What holds for every test: two workers on two cores, so one thread each, and none that spins while it waits."""

import os

# Before torch and numpy are imported, here and in the programs that tests start. OpenMP's threads wait actively by
# default: two workers of two threads each then take the cores from one another (a training of 30 steps took minutes).
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
