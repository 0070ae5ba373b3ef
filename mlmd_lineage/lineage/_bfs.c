/* Breadth-first search over the index of a lineage graph, compiled. It is a plain library that
   bfs.py calls through ctypes, so one build serves every Python and needs none of its headers. */

#include <stdint.h>

#ifdef _WIN32
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

struct graph {
    const int32_t *offsets;
    const int32_t *neighbours;
    const uint8_t *roles;
    const int32_t *node_types;
    int32_t *seen;
    int32_t *queue;
    int32_t *hops;
};

EXPORTED int32_t walk(const struct graph *graph, int32_t starts, uint32_t allowed_roles,
                      const uint8_t *type_flags, int32_t max_hops, int32_t ticket)
{
    const int32_t *node_types = graph->node_types;
    int32_t *seen = graph->seen, *queue = graph->queue, *hops = graph->hops;
    int32_t size = 0, first, at, edge;

    for (at = 0; at < starts; at++) {
        int32_t start = queue[at];
        if (seen[start] != ticket) {
            seen[start] = ticket;
            queue[size] = start;
            hops[size++] = 0;
        }
    }
    first = size;
    for (at = 0; at < size; at++) {
        int32_t node = queue[at], hop = hops[at];
        if (hop >= max_hops || (at >= first && type_flags[node_types[node]] & 1))
            continue;
        for (edge = graph->offsets[node]; edge < graph->offsets[node + 1]; edge++) {
            int32_t neighbour = graph->neighbours[edge];
            if (!(allowed_roles >> graph->roles[edge] & 1) || seen[neighbour] == ticket ||
                type_flags[node_types[neighbour]] & 2)
                continue;
            seen[neighbour] = ticket;
            queue[size] = neighbour;
            hops[size++] = hop + 1;
        }
    }
    return size;
}
