// Enough of CUDA to run step.cu on a CPU: a portfolio's threads are fibers that take turns at every exchange.
#include <ucontext.h>

#include <cmath>
#include <vector>

using std::exp;
using std::floor;
using std::log;

struct Index {
    unsigned x;
};
static Index threadIdx, blockIdx;

#define __device__
#define __global__
#define __shared__ static
#define __forceinline__ inline
#define __launch_bounds__(...)

static ucontext_t scheduler;
static std::vector<ucontext_t> fibers;
static std::vector<char> is_done;
static unsigned first, running;

static void wait() { swapcontext(&fibers[running], &scheduler); }
static void __syncthreads() { wait(); }

template <class T>
static T __shfl_xor_sync(unsigned, T value, int apart) {
    static T cells[1024];
    cells[running] = value;
    wait();
    T other = cells[running ^ apart];
    wait();
    return other;
}

#include "step.cu"

static Arguments given;
static void fiber() {
    step(given);
    is_done[running] = 1;
    wait();
}

extern "C" void launch(Arguments* arguments, int blocks) {
    given = *arguments;
    static std::vector<std::vector<char>> stacks(THREADS, std::vector<char>(1 << 16));
    for (int block = 0; block < blocks; block++)
        for (first = 0; first < THREADS * TOGETHER; first += THREADS) {
            fibers.assign(THREADS, ucontext_t());
            is_done.assign(THREADS, 0);
            for (int i = 0; i < THREADS; i++) {
                getcontext(&fibers[i]);
                fibers[i].uc_stack.ss_sp = stacks[i].data();
                fibers[i].uc_stack.ss_size = stacks[i].size();
                makecontext(&fibers[i], fiber, 0);
            }
            for (int left = THREADS; left > 0;) {
                left = 0;
                for (running = 0; running < THREADS; running++)
                    if (!is_done[running]) {
                        blockIdx.x = block, threadIdx.x = first + running;
                        swapcontext(&scheduler, &fibers[running]);
                        left += !is_done[running];
                    }
            }
        }
}
