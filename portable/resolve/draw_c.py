"""`random.draw` and `draw_synapse` in C, for backends that generate C or C++: the same bits.

Arguments of BODY are what cells keep as float64: a, b the halves of the population's key (low, high), c the
cell, d the step's end (stamp), e the call's number. There are no arrivals before: assignments of conditions
alone draw by it. Those of SYNAPSE: a, b of the connections' key, c the source, d the target, e the instant, f
256 * which + number.
"""

HEADER = "stdint.h"
_ROUNDS = """
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = 0xD2511F53ull * x0, p1 = 0xCD9E8D57ull * x2;
        x0 = (p1 >> 32) ^ x1 ^ k0; x1 = p1 & 0xFFFFFFFFull;
        x2 = (p0 >> 32) ^ x3 ^ k1; x3 = p0 & 0xFFFFFFFFull;
        k0 = (k0 + 0x9E3779B9ull) & 0xFFFFFFFFull; k1 = (k1 + 0xBB67AE85ull) & 0xFFFFFFFFull;
    }
    return (double)((x0 >> 5) * 67108864ull + (x1 >> 6)) * (1.0 / 9007199254740992.0);
}"""
BODY = (
    """{
    uint64_t k0 = (uint64_t)a, k1 = (uint64_t)b, x0 = (uint64_t)c;
    uint64_t x1 = (uint64_t)d & 0xFFFFFFFFull, x2 = (uint64_t)d >> 32, x3 = (uint64_t)e;"""
    + _ROUNDS
)
SYNAPSE = (
    """{
    uint64_t k0 = (uint64_t)a, k1 = (uint64_t)b, x0 = (uint64_t)c;
    uint64_t x1 = (uint64_t)d, x2 = (uint64_t)e, x3 = (uint64_t)f & 0xFFFFFFFFull;"""
    + _ROUNDS
)
