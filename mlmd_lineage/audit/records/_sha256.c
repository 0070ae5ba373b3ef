/* SHA-256 (FIPS 180-4, https://doi.org/10.6028/NIST.FIPS.180-4) of many slices of one buffer, where
   calling a function for each slice would take longer than hashing it. It is a plain library that
   sha256.py calls through ctypes, so one build serves every Python and needs none of its headers. */

#include <stdint.h>

#ifdef _WIN32
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_INTEL_SHA
#include <cpuid.h>
#include <immintrin.h>
#endif

#if defined(__GNUC__) && !defined(__clang__)
/* Loops stay loops: calls of memcpy would bind the library to a version of the C library. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

#define BLOCK 64

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const uint32_t START[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

typedef void compress_function(uint32_t state[8], const uint8_t *data, int64_t blocks);

#define ROTATED(x, n) ((x) >> (n) | (x) << (32 - (n)))

static void compress_portably(uint32_t state[8], const uint8_t *data, int64_t blocks)
{
    for (; blocks > 0; blocks--, data += BLOCK) {
        uint32_t w[64], s[8];
        int at;
        for (at = 0; at < 16; at++)
            w[at] = (uint32_t)data[4 * at] << 24 | (uint32_t)data[4 * at + 1] << 16 |
                    (uint32_t)data[4 * at + 2] << 8 | data[4 * at + 3];
        for (; at < 64; at++) {
            uint32_t a = w[at - 15], b = w[at - 2];
            w[at] = w[at - 16] + (ROTATED(a, 7) ^ ROTATED(a, 18) ^ a >> 3) + w[at - 7] +
                    (ROTATED(b, 17) ^ ROTATED(b, 19) ^ b >> 10);
        }
        for (at = 0; at < 8; at++)
            s[at] = state[at];
        for (at = 0; at < 64; at++) {
            uint32_t a = s[0], e = s[4];
            uint32_t one = s[7] + (ROTATED(e, 6) ^ ROTATED(e, 11) ^ ROTATED(e, 25)) +
                           ((e & s[5]) ^ (~e & s[6])) + K[at] + w[at];
            uint32_t two = (ROTATED(a, 2) ^ ROTATED(a, 13) ^ ROTATED(a, 22)) +
                           ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
            s[7] = s[6], s[6] = s[5], s[5] = e, s[4] = s[3] + one;
            s[3] = s[2], s[2] = s[1], s[1] = a, s[0] = one + two;
        }
        for (at = 0; at < 8; at++)
            state[at] += s[at];
    }
}

#ifdef HAS_INTEL_SHA
/* The processor's own instructions, in the order that Intel's paper on them gives:
   https://www.intel.com/content/www/us/en/developer/articles/technical/intel-sha-extensions.html */
__attribute__((target("sha,sse4.1,ssse3"))) static void
compress_by_processor(uint32_t state[8], const uint8_t *data, int64_t blocks)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i dcba = _mm_loadu_si128((const __m128i *)state);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)(state + 4));
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

    for (; blocks > 0; blocks--, data += BLOCK) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[4];
        int at;
        for (at = 0; at < 4; at++)
            w[at] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)data + at), swap);
#pragma GCC unroll 16
        for (at = 0; at < 16; at++) {
            __m128i sum = _mm_add_epi32(w[at & 3], _mm_loadu_si128((const __m128i *)K + at));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
            if (at < 12) {
                __m128i next = _mm_sha256msg1_epu32(w[at & 3], w[(at + 1) & 3]);
                next = _mm_add_epi32(next, _mm_alignr_epi8(w[(at + 3) & 3], w[(at + 2) & 3], 4));
                w[at & 3] = _mm_sha256msg2_epu32(next, w[(at + 3) & 3]);
            }
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    abef = _mm_shuffle_epi32(abef, 0x1b), cdgh = _mm_shuffle_epi32(cdgh, 0xb1); /* feba, dchg */
    dcba = _mm_blend_epi16(abef, cdgh, 0xf0), hgfe = _mm_alignr_epi8(cdgh, abef, 8);
    _mm_storeu_si128((__m128i *)state, dcba);
    _mm_storeu_si128((__m128i *)(state + 4), hgfe);
}

static int has_instructions(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1))
        return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1u << 29); /* SHA */
}
#endif

/* Hash the slice of the data from each offset to the next, each after one byte that is given.
   portable is 1 to use none of the processor's own instructions. */
EXPORTED void hash_slices(const uint8_t *data, const int64_t *offsets, int64_t slices,
                          uint8_t prefix, uint8_t *digests, int32_t portable)
{
    compress_function *compress = compress_portably;
    int64_t slice;
#ifdef HAS_INTEL_SHA
    if (!portable && has_instructions())
        compress = compress_by_processor;
#else
    (void)portable;
#endif
    for (slice = 0; slice < slices; slice++, digests += 32) {
        const uint8_t *from = data + offsets[slice], *end = data + offsets[slice + 1];
        uint64_t bits = ((uint64_t)(end - from) + 1) * 8;
        uint32_t state[8];
        uint8_t last[2 * BLOCK];
        int at, filled = 1, size;
        for (at = 0; at < 8; at++)
            state[at] = START[at];
        last[0] = prefix;
        while (filled < BLOCK && from < end)
            last[filled++] = *from++;
        if (filled == BLOCK) {
            int64_t blocks = (end - from) / BLOCK;
            compress(state, last, 1);
            compress(state, from, blocks);
            from += blocks * BLOCK;
            filled = 0;
            while (from < end)
                last[filled++] = *from++;
        }
        last[filled++] = 0x80;
        size = filled <= BLOCK - 8 ? BLOCK : 2 * BLOCK;
        while (filled < size - 8)
            last[filled++] = 0;
        for (at = 7; at >= 0; at--)
            last[filled++] = (uint8_t)(bits >> 8 * at);
        compress(state, last, size / BLOCK);
        for (at = 0; at < 32; at++)
            digests[at] = (uint8_t)(state[at / 4] >> (24 - 8 * (at % 4)));
    }
}
