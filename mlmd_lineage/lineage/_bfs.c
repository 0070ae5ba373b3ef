/* Breadth-first search over the index of a lineage graph, compiled. It is a plain library that
   bfs.py calls through ctypes, so one build serves every Python and needs none of its headers. */

#include <stdint.h>

#ifdef _WIN32
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

/* Where passes is NULL every edge of a node may be followed. Otherwise an edge says how many edges
   of the node that it leads to may be followed after it: the first so many. Of each node that a
   search has seen, opens is the greatest of these numbers, and opened how many of its edges have
   been followed already. Where present is not NULL it tells for each block of nodes whether its
   edges are there; a node of another block is reached, and not passed. */
#define BLOCK_BITS 12

struct graph {
    const int32_t *offsets;
    const int32_t *neighbours;
    const uint8_t *roles;
    const int32_t *node_types;
    int32_t *seen;
    int32_t *queue;
    int32_t *hops;
    const int32_t *passes;
    int32_t *opens;
    int32_t *opened;
    const uint8_t *present;
};

EXPORTED int32_t search_blocks(const struct graph *graph, int32_t starts, uint32_t allowed_roles,
                               const uint8_t *type_flags, int32_t max_hops, int32_t ticket)
{
    const int32_t *node_types = graph->node_types, *passes = graph->passes;
    int32_t *seen = graph->seen, *queue = graph->queue, *hops = graph->hops;
    int32_t *opens = graph->opens, *opened = graph->opened;
    int32_t size = 0, again = 0, first, at, edge;

    for (at = 0; at < starts; at++) {
        int32_t start = queue[at];
        if (seen[start] == ticket)
            continue;
        seen[start] = ticket;
        queue[size] = start;
        hops[size++] = 0;
        if (passes) {
            opens[start] = INT32_MAX;
            opened[start] = 0;
        }
    }
    first = size;
    for (at = 0; at < size; at++) {
        /* A node that was reached again, with more edges to follow, stands inverted. */
        int32_t node = queue[at] < 0 ? ~queue[at] : queue[at], hop = hops[at];
        int32_t begin, end;
        if (graph->present && !graph->present[node >> BLOCK_BITS])
            continue;
        begin = graph->offsets[node];
        end = graph->offsets[node + 1];
        if (hop >= max_hops || (at >= first && type_flags[node_types[node]] & 1))
            continue;
        if (passes) {
            int32_t edges = end - begin, open = opens[node];
            end = begin + (open < edges ? open : edges);
            begin += opened[node] < edges ? opened[node] : edges;
            opened[node] = open;
        }
        for (edge = begin; edge < end; edge++) {
            int32_t neighbour = graph->neighbours[edge];
            if (!(allowed_roles >> graph->roles[edge] & 1) ||
                type_flags[node_types[neighbour]] & 2)
                continue;
            if (seen[neighbour] != ticket) {
                seen[neighbour] = ticket;
                queue[size] = neighbour;
                hops[size++] = hop + 1;
                if (passes) {
                    opens[neighbour] = passes[edge];
                    opened[neighbour] = 0;
                }
            } else if (passes && passes[edge] > opens[neighbour]) {
                if (opened[neighbour] == opens[neighbour]) {
                    queue[size] = ~neighbour;
                    hops[size++] = hop + 1;
                    again++;
                }
                opens[neighbour] = passes[edge];
            }
        }
    }
    if (again) {
        for (at = first = 0; at < size; at++) {
            if (queue[at] >= 0) {
                queue[first] = queue[at];
                hops[first++] = hops[at];
            }
        }
        size = first;
    }
    return size;
}
