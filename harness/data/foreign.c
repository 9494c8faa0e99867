/* SPDX-License-Identifier: Apache-2.0
 *
 * The signatures: fixed bytes are a table, relations between fields are functions. Sources: the formats' specifications
 * and file(1); llm.c's train_gpt2.py, train_llama3.py and data_common.py; fairseq's and Megatron-LM's
 * indexed_dataset.py; LitGPT's packed_dataset.py; the writers of LitData and MosaicML streaming. */
#include "data/foreign.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "data/text.h"

#define UNPACK "unpack it and give a file from it"
#define EXPORT "write its tokens as raw uint16 or uint32, or its texts as one plain text, and give that"
#define NO_DATA "give a file of tokens or a plain text"
#define ARRAY "write the array's tokens with tofile(), as uint16 or uint32, and give that with --data-format"

static const struct signature {
    size_t at;
    const char *bytes;
    size_t count;
    bool text; /* applies to text files too; a text may begin like any of the others */
    struct data_foreign foreign;
} signatures[] = {
#define AT(at, bytes, name, cure)                                                                                      \
    {                                                                                                                  \
        at, bytes, sizeof bytes - 1, false, {                                                                          \
            name, cure                                                                                                 \
        }                                                                                                              \
    }
#define TEXT(bytes, name, cure)                                                                                        \
    {                                                                                                                  \
        0, bytes, sizeof bytes - 1, true, {                                                                            \
            name, cure                                                                                                 \
        }                                                                                                              \
    }
    AT(0, "PK\3\4", "a zip archive (as .npz, .pt and .docx are)", UNPACK),
    AT(0, "PK\5\6", "an empty zip archive", NO_DATA),
    AT(0, "PK\7\x8", "a zip archive in parts", UNPACK),
    AT(0, "\x1f\x8b\x8", "a gzip file", UNPACK),
    AT(0, "\x28\xb5\x2f\xfd", "a zstd file", UNPACK),
    AT(0,
       "\xfd"
       "7zXZ\0",
       "an xz file", UNPACK),
    AT(4, "1AY&SY", "a bzip2 file", UNPACK),
    AT(0, "\x04\x22\x4d\x18", "an lz4 file", UNPACK),
    AT(0, "\xff\x06\0\0sNaPpY", "a snappy file", UNPACK),
    AT(0, "7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    AT(0, "Rar!\x1a\7", "a rar archive", UNPACK),
    AT(257, "ustar", "a tar archive", UNPACK),
    AT(0, "\x93NUMPY", "a NumPy array (.npy)", ARRAY),
    AT(0, "PAR1", "a Parquet file", EXPORT),
    AT(0, "PARE", "an encrypted Parquet file", EXPORT),
    AT(0, "ARROW1", "an Arrow file (Feather)", EXPORT),
    AT(0, "FEA1", "a Feather file", EXPORT),
    AT(0, "Obj\1", "an Avro file", EXPORT),
    AT(0, "ORC\n", "an ORC file", EXPORT),
    AT(0, "\x89HDF\r\n\x1a\n", "an HDF5 file", EXPORT),
    AT(0, "\x0e\x03\x13\x01", "an HDF4 file", EXPORT),
    AT(0, "MATLAB 5.0", "a MATLAB file", EXPORT),
    AT(0, "SQLite format 3\0", "an SQLite database", EXPORT),
    AT(16, "\xde\xc0\xef\xbe", "an LMDB database", EXPORT),
    AT(0, "LITPKDS", "a packed dataset of LitGPT", EXPORT),
    AT(0, "\x80\2\x8a\x0al\xfc\x9c\x46\xf9\x20j\xa8P\x19", "a file of torch.save", ARRAY),
    AT(0, "GGUF", "a GGUF model", NO_DATA),
    AT(0, "\xc6\xd7\x34\x01", "llm.c's GPT-2 weights (magic 20240326 at byte 0)", NO_DATA),
    AT(0, "\xc7\xd7\x34\x01", "llm.c's GPT-2 state (magic 20240327 at byte 0)", NO_DATA),
    AT(0, "\xc8\xd7\x34\x01", "llm.c's tokenizer (magic 20240328 at byte 0)", NO_DATA),
    AT(0, "\x8a\xd8\x34\x01", "llm.c's evaluation data (magic 20240522 at byte 0)", NO_DATA),
    AT(0, "\xa3\xd9\x34\x01", "llm.c's Llama 3 weights (magic 20240803 at byte 0)", NO_DATA),
    AT(0, "\xa4\xd9\x34\x01", "llm.c's Llama 3 state (magic 20240804 at byte 0)", NO_DATA),
    AT(0, "\x01\x34\xd8\x88", "llm.c tokens of a big-endian machine", "write them again as little-endian"),
    AT(0, "\x01\x34\xd9\xa1", "llm.c tokens of a big-endian machine", "write them again as little-endian"),
    AT(0, "MMIDIDX\0\0", "an index (MMIDIDX)",
       "name it PREFIX.idx, put the tokens PREFIX.bin in the same folder, and give PREFIX"),
    AT(0, "TNTIDX\0\0", "an index (TNTIDX)", "write the dataset again with --dataset-impl mmap and give its prefix"),
    TEXT("%PDF-", "a PDF", NO_DATA),
    AT(0, "\x89PNG\r\n", "an image (PNG)", NO_DATA),
    AT(0, "\xff\xd8\xff", "an image (JPEG)", NO_DATA),
    AT(0, "GIF8", "an image (GIF)", NO_DATA),
    AT(0, "II*\0", "an image (TIFF)", NO_DATA),
    AT(0, "MM\0*", "an image (TIFF)", NO_DATA),
    AT(0, "RIFF", "an image or a sound (RIFF)", NO_DATA),
    AT(0, "OggS", "a sound (Ogg)", NO_DATA),
    AT(0, "fLaC", "a sound (FLAC)", NO_DATA),
    AT(4, "ftyp", "a film (MP4)", NO_DATA),
    AT(0, "\x1a\x45\xdf\xa3", "a film (Matroska)", NO_DATA),
    AT(0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document", NO_DATA),
    AT(0,
       "\x7f"
       "ELF",
       "a program (ELF)", NO_DATA),
    AT(0, "\xcf\xfa\xed\xfe", "a program (Mach-O)", NO_DATA),
    AT(0, "\xca\xfe\xba\xbe", "a program (Java or Mach-O)", NO_DATA),
    AT(0, "\0asm", "a program (WebAssembly)", NO_DATA),
    AT(0, "!<arch>\n", "a library (ar)", NO_DATA),
    TEXT("version https://git-lfs.github.com/spec/", "a Git LFS pointer, not the file itself",
         "fetch the file with git lfs pull"),
#undef AT
#undef TEXT
};

static uint32_t u32_at(const struct data_map *map, size_t at) {
    uint32_t x;
    memcpy(&x, (const char *)map->bytes + at, sizeof x);
    return x;
}

/* Protocols 4 and 5 begin with a frame, 2 and 3 with an opcode that makes an object. All end in '.'. */
static bool is_pickle(const struct data_map *map) {
    const unsigned char *b = map->bytes;
    if (map->size < 4 || b[0] != 0x80 || b[1] < 2 || b[1] > 5 || b[map->size - 1] != '.') return false;
    return b[1] >= 4 ? b[2] == 0x95 : b[2] && strchr("]}()cXUKMJG\x8a\x89\x88", b[2]);
}

static bool is_arrow_stream(const struct data_map *map) {
    if (map->size < 16 || u32_at(map, 0) != UINT32_MAX) return false;
    const uint32_t metadata = u32_at(map, 4); /* its length, padded to 8 */
    return metadata && metadata % 8 == 0 && metadata < map->size;
}

/* The header's length, then the header's JSON. */
static bool is_safetensors(const struct data_map *map) {
    const char *b = map->bytes;
    return map->size > 10 && !u32_at(map, 4) && u32_at(map, 0) <= map->size - 8 && u32_at(map, 0) >= 2 && b[8] == '{' &&
           (b[9] == '"' || b[9] == '}');
}

/* n, then n + 1 offsets; the last is the file's size. */
static bool is_chunk(const struct data_map *map) {
    if (map->size < 12) return false;
    const uint64_t n = u32_at(map, 0), last = 4 + 4 * n;
    return n && last + 4 < map->size && u32_at(map, last) == map->size && u32_at(map, 4) >= last + 4 &&
           u32_at(map, 4) <= map->size;
}

static bool is_program(const struct data_map *map) {
    const char *b = map->bytes;
    if (map->size < 64 || memcmp(b, "MZ", 2)) return false;
    const uint32_t at = u32_at(map, 60);
    return at < map->size - 4 && !memcmp(b + at, "PE\0\0", 4);
}

static const struct {
    bool (*is)(const struct data_map *);
    struct data_foreign foreign;
} shapes[] = {
    {is_pickle, {"a pickle", ARRAY}},
    {is_arrow_stream, {"an Arrow stream (as Hugging Face's datasets write)", EXPORT}},
    {is_safetensors, {"a safetensors file", "give weights with --init, and a file of tokens or a plain text here"}},
    {is_chunk, {"a shard of LitData or MosaicML streaming", EXPORT}},
    {is_program, {"a program (Windows)", NO_DATA}},
};

const struct data_foreign *data_foreign_find(const struct data_map *map) {
    const bool text = data_text_looks(map);
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
        const struct signature *s = &signatures[i];
        if ((s->text || !text) && map->size >= s->at + s->count &&
            !memcmp((const char *)map->bytes + s->at, s->bytes, s->count))
            return &s->foreign;
    }
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (!text && shapes[i].is(map)) return &shapes[i].foreign;
    return NULL;
}
