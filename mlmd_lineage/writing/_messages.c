/* Decoder of MLMD's serialized artifacts, executions and event edges into columns, for puts of many
   of them: see message_columns.py, which calls it through ctypes. It is a plain library, so one
   build serves every Python and needs none of its headers.

   https://protobuf.dev/programming-guides/encoding/ is the format. Every function returns -1 where
   the bytes are no messages or hold what it does not decode; fields of other numbers are left out,
   as protobuf does. */

#include <stdint.h>

#ifdef _WIN32
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

#if defined(__GNUC__) && !defined(__clang__)
/* Loops stay loops: calls of memcpy would bind the library to a version of the C library. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };
enum { MOST_NAMES = 1024, NAME_SLOTS = 4096, MOST_SHAPES = 256, MOST_CODES = 8192 };
enum { MOST_PROPERTIES = 512 };

/* What a node has; message_columns.py has the same numbers. */
enum { HAS_ID = 1, HAS_TYPE_ID = 2, HAS_NAME = 4, HAS_URI = 8, HAS_EXTERNAL_ID = 16, HAS_STATE = 32 };

struct field {
    int64_t number;
    int64_t kind;
    int64_t value; /* of a number; otherwise where its bytes begin */
    int64_t end;   /* where its bytes end */
};

static int64_t varint(const uint8_t *data, int64_t at, int64_t end, int64_t *value)
{
    uint64_t found = 0;
    int shift;
    for (shift = 0; shift < 70; shift += 7) {
        if (at >= end)
            return -1;
        found |= (uint64_t)(data[at] & 127) << shift;
        if (!(data[at++] & 128)) {
            *value = (int64_t)found;
            return at;
        }
    }
    return -1;
}

/* Read the field that begins at a place, and return where the next one does. */
static int64_t next_field(const uint8_t *data, int64_t at, int64_t end, struct field *field)
{
    int64_t tag, length;
    uint64_t bits = 0;
    int byte, bytes;
    at = varint(data, at, end, &tag);
    if (at < 0 || tag < 8)
        return -1;
    field->number = tag >> 3;
    field->kind = tag & 7;
    field->end = 0;
    switch (field->kind) {
    case VARINT:
        return varint(data, at, end, &field->value);
    case BYTES:
        at = varint(data, at, end, &length);
        if (at < 0 || length < 0 || length > end - at)
            return -1;
        field->value = at;
        field->end = at + length;
        return field->end;
    case FIXED64:
    case FIXED32:
        bytes = field->kind == FIXED64 ? 8 : 4;
        if (end - at < bytes)
            return -1;
        for (byte = 0; byte < bytes; byte++)
            bits |= (uint64_t)data[at + byte] << (8 * byte);
        field->value = (int64_t)bits;
        return at + bytes;
    default:
        return -1;
    }
}

/* Copy texts one behind the other, each with a NUL behind it but the last one, and return how long
   that is; -1 where one of them has a NUL itself. */
EXPORTED int64_t join_texts(const uint8_t *data, const int64_t *starts, const int64_t *ends,
                            int64_t texts, uint8_t *out)
{
    int64_t text, at, length = 0;
    uint8_t none;
    for (text = 0; text < texts; text++) {
        if (text)
            out[length++] = 0;
        none = 0;
        for (at = starts[text]; at < ends[text]; at++) {
            none |= !data[at];
            out[length++] = data[at];
        }
        if (none)
            return -1;
    }
    return length;
}

/* Find the messages in the fields with a number. Where starts is NULL they are only counted. */
EXPORTED int64_t find_messages(const uint8_t *data, int64_t size, int64_t number, int64_t *starts,
                               int64_t *ends)
{
    struct field field;
    int64_t at = 0, count = 0;
    while (at < size) {
        at = next_field(data, at, size, &field);
        if (at < 0)
            return -1;
        if (field.number != number)
            continue;
        if (field.kind != BYTES)
            return -1;
        if (starts) {
            starts[count] = field.value;
            ends[count] = field.end;
        }
        count++;
    }
    return count;
}

enum { PROPERTIES = 4, CUSTOM_PROPERTIES = 5 };

EXPORTED int64_t count_properties(const uint8_t *data, const int64_t *starts, const int64_t *ends,
                                  int64_t nodes)
{
    struct field field;
    int64_t node, at, count = 0;
    for (node = 0; node < nodes; node++)
        for (at = starts[node]; at < ends[node];) {
            at = next_field(data, at, ends[node], &field);
            if (at < 0)
                return -1;
            count += field.number == PROPERTIES || field.number == CUSTOM_PROPERTIES;
        }
    return count;
}

/* Columns of nodes, and of their properties: those of a node stand together, those that its type
   declares first, then by the numbers of their names. The names are numbered, and so are the
   shapes: a node's shape is the sequence of its properties' codes. */
struct nodes {
    /* for each node */
    int64_t *has;
    int64_t *type_id;
    int64_t *state;
    int64_t *name_start, *name_end;
    int64_t *uri_start, *uri_end;
    int64_t *external_id_start, *external_id_end;
    int64_t *first_property;
    int64_t *shape;
    /* for each property: its value, or where its text or message lies */
    int64_t *value;
    int64_t *value_end;
    int64_t *may_be_reserved; /* a text, by its first two letters */
    /* for each name, of at most MOST_NAMES */
    int64_t *property_name_start, *property_name_end;
    /* for each shape, of at most MOST_SHAPES, where its codes begin, and where the last ends; at
       most MOST_CODES: name * 16 + is custom * 8 + field of the value */
    int64_t *shape_start;
    int64_t *codes;
    int64_t names;
    int64_t shapes;
};

struct property {
    int64_t code, value, end, may_be_reserved;
};

/* Return the number of a name, a new one where it was not seen before. */
static int64_t name_number(const uint8_t *data, int64_t start, int64_t end, struct nodes *out,
                           int16_t *slots)
{
    uint32_t hash = 2166136261u, slot;
    int64_t at, number;
    for (at = start; at < end; at++)
        hash = (hash ^ data[at]) * 16777619u;
    for (slot = hash % NAME_SLOTS; slots[slot] >= 0; slot = (slot + 1) % NAME_SLOTS) {
        number = slots[slot];
        if (out->property_name_end[number] - out->property_name_start[number] != end - start)
            continue;
        for (at = 0; at < end - start; at++)
            if (data[start + at] != data[out->property_name_start[number] + at])
                break;
        if (at == end - start)
            return number;
    }
    if (out->names == MOST_NAMES)
        return -1;
    number = out->names++;
    slots[slot] = (int16_t)number;
    out->property_name_start[number] = start;
    out->property_name_end[number] = end;
    return number;
}

static int decode_property(const uint8_t *data, int64_t at, int64_t end, int64_t custom,
                           struct nodes *out, int16_t *slots, struct property *found)
{
    struct field field;
    int64_t key = 0, key_end = 0, start = 0, stop = 0, name, kind = 0;
    while (at < end) {
        at = next_field(data, at, end, &field);
        if (at < 0 || ((field.number == 1 || field.number == 2) && field.kind != BYTES))
            return -1;
        if (field.number == 1) {
            key = field.value;
            key_end = field.end;
        } else if (field.number == 2) {
            start = field.value;
            stop = field.end;
        }
    }
    name = name_number(data, key, key_end, out, slots);
    if (name < 0)
        return -1;
    for (at = start; at < stop;) {
        static const int8_t kinds[] = {-1, VARINT, FIXED64, BYTES, BYTES, BYTES, VARINT};
        at = next_field(data, at, stop, &field);
        if (at < 0)
            return -1;
        if (field.number > 6)
            continue;
        if (kind || field.kind != kinds[field.number])
            return -1;
        kind = field.number;
        found->value = field.value;
        found->end = field.end;
    }
    if (!kind)
        return -1;
    found->may_be_reserved =
        kind == 3 && found->end - found->value >= 2 &&
        ((data[found->value] == 'm' && data[found->value + 1] == 'l') ||
         (data[found->value] == '_' && data[found->value + 1] == '_'));
    if (kind == 4 || kind == 5) { /* the whole message of the value */
        found->value = start;
        found->end = stop;
    }
    found->code = name * 16 + custom * 8 + kind;
    return 0;
}

static int64_t shape_number(const struct property *properties, int64_t count, struct nodes *out,
                            int64_t last)
{
    int64_t tried, shape, at;
    for (tried = 0; tried < out->shapes; tried++) {
        shape = (last + tried) % out->shapes;
        if (out->shape_start[shape + 1] - out->shape_start[shape] != count)
            continue;
        for (at = 0; at < count; at++)
            if (out->codes[out->shape_start[shape] + at] != properties[at].code)
                break;
        if (at == count)
            return shape;
    }
    if (out->shapes == MOST_SHAPES || out->shape_start[out->shapes] + count > MOST_CODES)
        return -1;
    shape = out->shapes++;
    at = out->shape_start[shape];
    out->shape_start[shape + 1] = at + count;
    for (; count; count--, at++, properties++)
        out->codes[at] = properties->code;
    return shape;
}

/* Decode artifacts, or executions. */
EXPORTED int64_t decode_nodes(const uint8_t *data, const int64_t *starts, const int64_t *ends,
                              int64_t nodes, int64_t are_artifacts, struct nodes *out)
{
    int16_t slots[NAME_SLOTS];
    struct property held[MOST_PROPERTIES], next;
    struct field field;
    int64_t node, at, place, count, has, total = 0, last = 0;
    int64_t state = are_artifacts ? 6 : 3, name = are_artifacts ? 7 : 6;
    int64_t uri = are_artifacts ? 3 : -1, external_id = are_artifacts ? 11 : 10;
    for (at = 0; at < NAME_SLOTS; at++)
        slots[at] = -1;
    out->names = out->shapes = out->shape_start[0] = 0;
    for (node = 0; node < nodes; node++) {
        has = count = 0;
        out->first_property[node] = total;
        for (at = starts[node]; at < ends[node];) {
            at = next_field(data, at, ends[node], &field);
            if (at < 0)
                return -1;
            if (field.number == PROPERTIES || field.number == CUSTOM_PROPERTIES) {
                if (field.kind != BYTES || count == MOST_PROPERTIES ||
                    decode_property(data, field.value, field.end,
                                    field.number == CUSTOM_PROPERTIES, out, slots, &next))
                    return -1;
                /* sorted by whether it is custom, then by its code */
                for (place = count++; place; place--) {
                    const struct property *before = &held[place - 1];
                    if ((before->code & 8) != (next.code & 8) ? (before->code & 8) < (next.code & 8)
                                                              : before->code < next.code)
                        break;
                    held[place] = *before;
                }
                held[place] = next;
            } else if (field.number == 1 || field.number == 2 || field.number == state) {
                if (field.kind != VARINT)
                    return -1;
                if (field.number == 1) {
                    has |= HAS_ID;
                } else if (field.number == 2) {
                    has |= HAS_TYPE_ID;
                    out->type_id[node] = field.value;
                } else {
                    has |= HAS_STATE;
                    out->state[node] = field.value;
                }
            } else if (field.number == name || field.number == uri ||
                       field.number == external_id) {
                if (field.kind != BYTES)
                    return -1;
                if (field.number == name) {
                    has |= HAS_NAME;
                    out->name_start[node] = field.value;
                    out->name_end[node] = field.end;
                } else if (field.number == uri) {
                    has |= HAS_URI;
                    out->uri_start[node] = field.value;
                    out->uri_end[node] = field.end;
                } else {
                    has |= HAS_EXTERNAL_ID;
                    out->external_id_start[node] = field.value;
                    out->external_id_end[node] = field.end;
                }
            }
        }
        out->has[node] = has;
        last = shape_number(held, count, out, last);
        if (last < 0)
            return -1;
        out->shape[node] = last;
        for (place = 0; place < count; place++, total++) {
            out->value[total] = held[place].value;
            out->value_end[total] = held[place].end;
            out->may_be_reserved[total] = held[place].may_be_reserved;
        }
    }
    return total;
}

/* Columns of event edges. An event without a time has the given one; one without a path has no
   bytes of a path. */
struct edges {
    int64_t *artifact_index;
    int64_t *execution_index;
    int64_t *type;
    int64_t *time;
    int64_t *path_start, *path_end;
};

static int decode_event(const uint8_t *data, int64_t at, int64_t end, int64_t edge,
                        const struct edges *out)
{
    struct field field;
    while (at < end) {
        at = next_field(data, at, end, &field);
        if (at < 0 || field.number < 3)
            return -1; /* an id of a node */
        if (field.number > 5)
            continue;
        if (field.kind != (field.number == 3 ? BYTES : VARINT))
            return -1;
        if (field.number == 3) {
            out->path_start[edge] = field.value;
            out->path_end[edge] = field.end;
        } else if (field.number == 4) {
            out->type[edge] = field.value;
        } else {
            out->time[edge] = field.value;
        }
    }
    return 0;
}

static void clear_edge(int64_t edge, int64_t now, const struct edges *out)
{
    out->type[edge] = out->path_start[edge] = out->path_end[edge] = 0;
    out->time[edge] = now;
}

/* Decode events, whose edges' places are known. */
EXPORTED int64_t decode_events(const uint8_t *data, const int64_t *starts, const int64_t *ends,
                               int64_t events, int64_t now, const struct edges *out)
{
    int64_t event;
    for (event = 0; event < events; event++) {
        clear_edge(event, now, out);
        if (decode_event(data, starts[event], ends[event], event, out))
            return -1;
    }
    return events;
}

/* Decode event edges that join new nodes by their places. */
EXPORTED int64_t decode_edges(const uint8_t *data, const int64_t *starts, const int64_t *ends,
                              int64_t edges, int64_t now, const struct edges *out)
{
    struct field field;
    int64_t edge, at, event, event_end, has;
    for (edge = 0; edge < edges; edge++) {
        has = event = event_end = 0;
        clear_edge(edge, now, out);
        for (at = starts[edge]; at < ends[edge];) {
            at = next_field(data, at, ends[edge], &field);
            if (at < 0)
                return -1;
            if (field.number > 3)
                continue;
            if (field.kind != (field.number == 3 ? BYTES : VARINT))
                return -1;
            has |= 1 << field.number;
            if (field.number == 1) {
                out->execution_index[edge] = field.value;
            } else if (field.number == 2) {
                out->artifact_index[edge] = field.value;
            } else {
                event = field.value;
                event_end = field.end;
            }
        }
        if (has != (1 << 1 | 1 << 2 | 1 << 3))
            return -1;
        if (decode_event(data, event, event_end, edge, out))
            return -1;
    }
    return edges;
}
