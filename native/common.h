// What the native parts share: kinds of ASCII characters, and owned references to Python objects.

#pragma once

#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

using std::string;
using std::string_view;

// Kinds of ASCII characters.
constexpr uint8_t kAlnum = 1;
constexpr uint8_t kEdge = 2;  // _EDGES of text.py
constexpr uint8_t kUrl = 4;   // _URL_REST of text.py
constexpr uint8_t kHandle = 8; // of the name of a host, as it is mentioned
constexpr uint8_t kDigit = 16;
constexpr uint8_t kSimple = 32; // a chunk without elisions, tags and tickers consists of these

constexpr auto kKinds = [] {
    std::array<uint8_t, 256> kinds{};
    for (int c = 0; c < 128; c++) {
        if (c >= '0' && c <= '9') kinds[c] |= kDigit;
        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z')) kinds[c] |= kAlnum | kUrl | kHandle;
        if (c != '\'' && c != '#' && c != '$') kinds[c] |= kSimple;
    }
    for (const char *c = ".,!?:;\"'()[]*/<>"; *c; c++) kinds[int(*c)] |= kEdge;
    for (const char *c = "_!#$%&'()*+-./:;=?@[]|~"; *c; c++) kinds[int(*c)] |= kUrl;
    for (const char *c = "_-"; *c; c++) kinds[int(*c)] |= kHandle;
    return kinds;
}();

inline bool is(uint8_t kind, char c) { return kKinds[uint8_t(c)] & kind; }

inline bool all(uint8_t kind, string_view chunk) {
    return std::all_of(chunk.begin(), chunk.end(), [=](char c) { return is(kind, c); });
}

inline bool is_ascii(string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return uint8_t(c) < 0x80; });
}

struct Reference { // an owned reference, or null
    explicit Reference(PyObject *owned = nullptr) : object(owned) {}
    Reference(const Reference &) = delete;
    ~Reference() { Py_XDECREF(object); }
    PyObject *object;
};

inline char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c | 32) : c; }
inline bool is_word(char c) { return is(kAlnum, c) || c == '_'; }

// Whether the `@` at `at` begins a mention: what is before it, as in _USER of text.py and _MENTION of facets.py.
inline bool begins_mention(string_view text, size_t at) {
    if (!at) return true;
    char before = text[at - 1];
    if (!is(kAlnum, before) && !(before && std::strchr("_!#$%&*@", before))) return true;
    return at >= 2 && lower(text[at - 2]) == 'r' && lower(before) == 't' && (at == 2 || !is_word(text[at - 3]));
}

struct Failed {}; // a Python exception is set

inline string_view utf8(PyObject *text) {
    Py_ssize_t size;
    const char *bytes = text ? PyUnicode_AsUTF8AndSize(text, &size) : nullptr;
    if (!bytes) throw Failed();
    return {bytes, size_t(size)};
}

// The Python types of the module, each defined in the file of its name; null with an exception set.
PyObject *make_terms_type();
PyObject *make_facets_type();
