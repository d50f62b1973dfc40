// The terms of a post, faster: a cache from words to terms in one compact table, and the plain cases of the tokenizer.
//
// `trinch.posts.text` holds the rules. This file repeats those for ASCII chunks without elisions, tags and tickers, and
// asks Python for every other chunk; both give the same bytes (tests/posts/test_native.py). It uses the limited API of Python 3.11.

#include "common.h"

namespace {

constexpr size_t kMaxToken = 64;     // MAX_TOKEN of text.py
constexpr size_t kEntries = 1 << 18; // 16 MB of cache lines
constexpr size_t kWays = 4;          // neighbours that are searched
constexpr uint8_t kSame = 255;       // the terms are the chunk itself

// One cache line: the bytes of a chunk, then its terms, then its signed terms (tags and tickers).
struct alignas(64) Entry {
    uint32_t hash;
    uint8_t language; // 1 and up; 0: empty
    uint8_t chunk, terms, tags;
    char bytes[56];
};
static_assert(sizeof(Entry) == 64);

uint64_t hash_of(string_view chunk, uint8_t language) {
    uint64_t hash = 0x9e3779b97f4a7c15u * (language + 1u);
    for (size_t i = 0; i < chunk.size(); i += 8) {
        uint64_t part = 0;
        std::memcpy(&part, chunk.data() + i, std::min<size_t>(8, chunk.size() - i));
        hash = (hash ^ part) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    return hash ^ chunk.size();
}

// A bounded map from a chunk in a language to its terms. What does not fit into a line is not kept.
class Cache {
  public:
    Cache() : entries_(new Entry[kEntries]()) {}

    const Entry *find(string_view chunk, uint8_t language, uint64_t hash) const {
        const Entry *set = &entries_[hash % kEntries & ~(kWays - 1)];
        for (size_t i = 0; i < kWays; i++) {
            const Entry &entry = set[i];
            if (entry.hash == uint32_t(hash >> 32) && entry.language == language && entry.chunk == chunk.size() &&
                std::memcmp(entry.bytes, chunk.data(), chunk.size()) == 0)
                return &entry;
        }
        return nullptr;
    }

    void keep(string_view chunk, uint8_t language, uint64_t hash, string_view terms, string_view tags) {
        bool same = terms == chunk;
        if (chunk.size() + (same ? 0 : terms.size()) + tags.size() > sizeof(Entry::bytes)) return;
        Entry *set = &entries_[hash % kEntries & ~(kWays - 1)];
        size_t place = 0;
        while (place < kWays && set[place].language) place++;
        Entry &entry = set[place < kWays ? place : next_++ % kWays];
        entry = {uint32_t(hash >> 32), language, uint8_t(chunk.size()), same ? kSame : uint8_t(terms.size()),
                 uint8_t(tags.size()), {}};
        char *end = entry.bytes;
        for (string_view part : {chunk, same ? string_view() : terms, tags}) {
            std::memcpy(end, part.data(), part.size());
            end += part.size();
        }
    }

  private:
    std::unique_ptr<Entry[]> entries_;
    size_t next_ = 0;
};

// Length in bytes of the white space at `at`, as `str.split` knows it; 0 for none.
size_t space_at(const unsigned char *at, const unsigned char *end) {
    if (*at < 0x80) return *at == ' ' || (*at >= 9 && *at <= 13) || (*at >= 0x1c && *at <= 0x1f);
    if (*at == 0xc2) return at + 1 < end && (at[1] == 0x85 || at[1] == 0xa0) ? 2 : 0;
    if (*at < 0xe1 || *at > 0xe3 || at + 2 >= end) return 0;
    unsigned point = (*at & 15u) << 12 | (at[1] & 63u) << 6 | (at[2] & 63u);
    bool space = point == 0x1680 || (point >= 0x2000 && point <= 0x200a) || point == 0x2028 || point == 0x2029 ||
                 point == 0x202f || point == 0x205f || point == 0x3000;
    return space ? 3 : 0;
}

bool is_link(string_view chunk) { // _LINK of text.py, with the scheme in lower case
    if (chunk.substr(0, 4) != "http") return false;
    chunk.remove_prefix(chunk.substr(4, 1) == "s" ? 5 : 4);
    return chunk.substr(0, 3) == "://" && all(kUrl, chunk.substr(3));
}

bool is_www(string_view word) {
    return word.size() == 3 && std::all_of(word.begin(), word.end(), [](char c) { return (c | 32) == 'w'; });
}

void append(string &terms, string_view more) {
    if (more.empty()) return;
    if (!terms.empty()) terms += ' ';
    terms += more;
}

// The three bytes of one of “”‘’…–— (the rest of _EDGES of text.py).
bool is_wide_edge(string_view sign) {
    return sign[0] == '\xe2' && sign[1] == '\x80' && std::memchr("\x93\x94\x98\x99\x9c\x9d\xa6", sign[2], 7);
}

string_view without_edges(string_view core) { // str.strip(_EDGES)
    for (;;) {
        if (!core.empty() && is(kEdge, core.front()))
            core.remove_prefix(1);
        else if (core.size() > 2 && is_wide_edge(core.substr(0, 3)))
            core.remove_prefix(3);
        else if (!core.empty() && is(kEdge, core.back()))
            core.remove_suffix(1);
        else if (core.size() > 2 && is_wide_edge(core.substr(core.size() - 3)))
            core.remove_suffix(3);
        else
            return core;
    }
}

bool is_letter(char c) { return is(kAlnum, c) && !is(kDigit, c); }
string_view cut(string_view token) { return token.substr(0, kMaxToken); }

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

bool is_plain_tag(string_view core) { // _PLAIN_TAG of text.py, without the signs around it
    if (core.size() < 2 || core.size() > kMaxToken || (core[0] != '#' && core[0] != '$')) return false;
    string_view name = core.substr(1);
    if (!all(kAlnum, name)) return false;
    if (core[0] == '$') return name.size() <= 6 && std::all_of(name.begin(), name.end(), is_letter);
    string start(name.substr(0, 4));
    std::transform(start.begin(), start.end(), start.begin(), lower);
    return start != "http" && std::any_of(name.begin(), name.end(), is_letter);
}

bool is_hump(string_view tag, size_t at) { // _HUMP of text.py
    char before = tag[at - 1], here = tag[at];
    bool title = is_upper(here) && at + 1 < tag.size() && is_lower(tag[at + 1]);
    if (is_lower(before)) return is_upper(here) || is(kDigit, here);
    return title || (is(kDigit, before) && is_letter(here));
}

size_t run(uint8_t kind, string_view text) {
    return size_t(std::find_if(text.begin(), text.end(), [=](char c) { return !is(kind, c); }) - text.begin());
}

string without(char sign, string_view text) {
    string found(text);
    found.erase(std::remove(found.begin(), found.end(), sign), found.end());
    return found;
}

// Where a link that begins at `at` ends (_URL of text.py, in lower case); 0 for none.
size_t link_end(string_view chunk, size_t at) {
    string_view from = chunk.substr(at);
    if (from.substr(0, 4) == "www.") return at + 4 + run(kUrl, from.substr(4));
    if (from.substr(0, 4) != "http") return 0;
    size_t scheme = from.substr(4, 1) == "s" ? 5 : 4;
    if (from.substr(scheme, 3) != "://") return 0;
    scheme += 3;
    if (from.substr(scheme, 5) == "t.co/") return at + scheme + 5 + run(kAlnum, from.substr(scheme + 5));
    return at + scheme + run(kUrl, from.substr(scheme));
}

// Where a mention that begins at `at` ends (_USER of text.py); 0 for none.
size_t mention_end(string_view chunk, size_t at) {
    if (chunk[at] != '@' || !begins_mention(chunk, at)) return 0;
    size_t end = at + 1 + run(kHandle, chunk.substr(at + 1)), labels = end > at + 1;
    while (labels && chunk.substr(end, 1) == ".") {
        size_t more = run(kHandle, chunk.substr(end + 1));
        if (!more) break;
        end += 1 + more;
        labels++;
    }
    if (labels > 1) return end;
    end = at + 1;
    while (end < chunk.size() && is_word(chunk[end])) end++;
    bool other = chunk.substr(end, 1) == "@" || chunk.substr(end, 3) == "://";
    return end > at + 1 && !other ? end : 0;
}

// Length of digits with points or commas between them (_NUMBER of text.py); 0 for none.
size_t number_size(string_view from) {
    size_t end = run(kDigit, from), first = end;
    while (end && end + 1 < from.size() && (from[end] == '.' || from[end] == ',') && is(kDigit, from[end + 1]))
        end += 1 + run(kDigit, from.substr(end + 1));
    return end > first ? end : 0;
}

// A number as it is indexed (_tidy of text.py): without separators of thousands, and with a decimal point.
string number(string_view written) {
    for (char thousands : {',', '.'}) {
        size_t end = run(kDigit, written), groups = 0;
        if (end > 3) break;
        while (end < written.size() && written[end] == thousands && run(kDigit, written.substr(end + 1)) == 3) {
            end += 4;
            groups++;
        }
        if (groups < (thousands == ',' ? 1 : 2)) continue;
        string_view rest = written.substr(end);
        if (!rest.empty() && (rest[0] == thousands || 1 + run(kDigit, rest.substr(1)) != rest.size())) continue;
        string found = without(thousands, written.substr(0, end));
        return rest.empty() ? found : found + '.' + string(rest.substr(1));
    }
    string found(written);
    std::replace(found.begin(), found.end(), ',', '.');
    return found;
}

// Length of at least two letters, each with a point (_ODD of text.py); 0 for none.
size_t initials_size(string_view chunk, size_t at) {
    if (at && is_word(chunk[at - 1])) return 0;
    size_t end = at;
    while (end + 1 < chunk.size() && is_letter(chunk[end]) && chunk[end + 1] == '.') end += 2;
    return end - at > 2 ? end - at : 0;
}

// The analysis of one text.
class Reading {
  public:
    Reading(Cache &cache, uint8_t language, PyObject *name, PyObject *stem, PyObject *read)
        : cache_(cache), language_(language), name_(name), stem_(stem), read_(read) {}

    string terms(string_view text) {
        // Tags and tickers again with their sign, behind the words; "\xef\xbc\x83" is the wide `#`.
        signed_ = text.find_first_of("#$") != text.npos || text.find("\xef\xbc\x83") != text.npos;
        terms_.reserve(text.size() + 16);
        auto *at = reinterpret_cast<const unsigned char *>(text.data()), *end = at + text.size();
        while (at < end) {
            if (size_t space = space_at(at, end)) {
                at += space;
                continue;
            }
            auto *start = at;
            while (at < end && !space_at(at, end)) at++;
            chunk({reinterpret_cast<const char *>(start), size_t(at - start)});
        }
        append(terms_, tags_);
        return std::move(terms_);
    }

  private:
    void chunk(string_view chunk) {
        if (is_link(chunk)) return;
        string_view core = without_edges(chunk);
        bool is_word = !core.empty() && all(kAlnum, core) && !is_www(core);
        if (is_word && (is_ascii(chunk) || chunk.find("://") == chunk.npos))
            word(core);
        else if (is_plain_tag(core))
            tag(core);
        else if (all(kSimple, chunk))
            simple(chunk);
        else
            other(chunk);
    }

    // An ASCII chunk without elisions, tags and tickers: the matches of _ASCII of text.py, in its order.
    void simple(string_view written) {
        string chunk(written);
        std::transform(chunk.begin(), chunk.end(), chunk.begin(), lower);
        for (size_t end, at = 0; at < chunk.size(); at = std::max(end, at + 1)) {
            if ((end = link_end(chunk, at))) continue;
            string_view from = string_view(chunk).substr(at);
            if ((end = mention_end(chunk, at)))
                keep(from.substr(0, end - at));
            else if (size_t size = number_size(from))
                end = at + size, keep(number(from.substr(0, size)));
            else if ((size = initials_size(chunk, at)))
                end = at + size, word(without('.', from.substr(0, size)));
            else if (from.size() > 2 && is_letter(from[0]) && from[1] == '+' && from[2] == '+')
                end = at + 3, keep(from.substr(0, 3));
            else if ((size = run(kAlnum, from)))
                end = at + size, word(from.substr(0, size));
        }
    }

    // A plain tag or ticker: its words, and itself with its sign.
    void tag(string_view written) {
        string_view name = written.substr(1);
        for (size_t begin = 0, at = 1; at <= name.size(); at++) {
            if (at < name.size() && (written[0] == '$' || !is_hump(name, at))) continue;
            word(name.substr(begin, at - begin));
            begin = at;
        }
        string lowered(written);
        std::transform(lowered.begin(), lowered.end(), lowered.begin(), lower);
        append(tags_, lowered);
    }

    void keep(string_view token) { append(terms_, cut(token)); }

    // An ASCII word: its stem.
    void word(string_view written) {
        char lowered[kMaxToken];
        size_t size = std::min(written.size(), kMaxToken);
        std::transform(written.begin(), written.begin() + size, lowered, lower);
        string_view word{lowered, size};
        if (!stem_ || std::any_of(word.begin(), word.end(), [](char c) { return is(kDigit, c); }))
            return append(terms_, word);
        uint64_t hash = hash_of(word, language_);
        if (recall(word, hash)) return;
        Reference text{PyUnicode_FromStringAndSize(lowered, Py_ssize_t(size))};
        Reference stemmed{text.object ? PyObject_CallFunctionObjArgs(stem_, text.object, nullptr) : nullptr};
        string_view terms = utf8(stemmed.object);
        if (terms.empty()) terms = word;
        cache_.keep(word, language_, hash, terms, {});
        append(terms_, terms);
    }

    // Any other chunk: what Python says.
    void other(string_view chunk) {
        uint64_t hash = hash_of(chunk, language_);
        if (recall(chunk, hash)) return;
        Reference text{PyUnicode_FromStringAndSize(chunk.data(), Py_ssize_t(chunk.size()))};
        Reference found{text.object ? PyObject_CallFunctionObjArgs(read_, text.object, name_, nullptr) : nullptr};
        if (!found.object) throw Failed();
        Reference terms{PySequence_GetItem(found.object, 0)}, tags{PySequence_GetItem(found.object, 1)};
        string_view plain = utf8(terms.object), marked = utf8(tags.object);
        cache_.keep(chunk, language_, hash, plain, marked);
        append(terms_, plain);
        if (signed_) append(tags_, marked);
    }

    bool recall(string_view chunk, uint64_t hash) {
        const Entry *entry = cache_.find(chunk, language_, hash);
        if (!entry) return false;
        bool same = entry->terms == kSame;
        append(terms_, {entry->bytes + (same ? 0 : entry->chunk), same ? entry->chunk : entry->terms});
        if (signed_) append(tags_, {entry->bytes + entry->chunk + (same ? 0 : entry->terms), entry->tags});
        return true;
    }

    Cache &cache_;
    uint8_t language_;
    PyObject *name_, *stem_, *read_;
    bool signed_ = false;
    string terms_, tags_;
};

// ------------------------------------------------------------------------------------------------ the Python type

struct Language {
    string code;
    PyObject *name, *stem;
};

struct State {
    std::vector<Language> languages; // the first: not stemmed
    PyObject *read = nullptr;
    Cache cache;
    ~State() {
        for (Language &language : languages) Py_XDECREF(language.name), Py_XDECREF(language.stem);
        Py_XDECREF(read);
    }
};

struct Object {
    PyObject_HEAD State *state;
};

void free_object(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    delete reinterpret_cast<Object *>(self)->state;
    reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

PyObject *make_object(PyTypeObject *type, PyObject *arguments, PyObject *) {
    PyObject *stems, *read;
    if (!PyArg_ParseTuple(arguments, "O!O:Terms", &PyDict_Type, &stems, &read)) return nullptr;
    Reference self{reinterpret_cast<allocfunc>(PyType_GetSlot(type, Py_tp_alloc))(type, 0)};
    if (!self.object) return nullptr;
    try {
        State *state = reinterpret_cast<Object *>(self.object)->state = new State();
        state->languages.push_back({"", PyUnicode_FromString(""), nullptr});
        state->read = Py_NewRef(read);
        PyObject *name, *stem;
        for (Py_ssize_t at = 0; PyDict_Next(stems, &at, &name, &stem);)
            state->languages.push_back({string(utf8(name)), Py_NewRef(name), Py_NewRef(stem)});
        if (state->languages.size() > 250) {
            PyErr_SetString(PyExc_ValueError, "at most 249 languages");
            return nullptr;
        }
    } catch (const Failed &) {
        return nullptr;
    } catch (const std::bad_alloc &) {
        return PyErr_NoMemory();
    }
    return Py_NewRef(self.object);
}

PyObject *terms_of(PyObject *self, PyObject *arguments) {
    PyObject *text, *lang;
    if (!PyArg_ParseTuple(arguments, "UU:terms", &text, &lang)) return nullptr;
    State &state = *reinterpret_cast<Object *>(self)->state;
    try {
        size_t number = 0;
        string_view code = utf8(lang);
        for (size_t i = 1; i < state.languages.size(); i++)
            if (state.languages[i].code == code) number = i;
        Language &language = state.languages[number];
        Reading reading(state.cache, uint8_t(number + 1), language.name, language.stem, state.read);
        string found = reading.terms(utf8(text));
        return PyUnicode_FromStringAndSize(found.data(), Py_ssize_t(found.size()));
    } catch (const Failed &) {
        return nullptr;
    } catch (const std::bad_alloc &) {
        return PyErr_NoMemory();
    }
}

PyMethodDef methods[] = {
    {"terms", terms_of, METH_VARARGS,
     "terms(text, lang)\n--\n\nThe terms of a text, a space between each two. UnicodeEncodeError for half a surrogate pair."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_new, reinterpret_cast<void *>(make_object)},
    {Py_tp_dealloc, reinterpret_cast<void *>(free_object)},
    {Py_tp_methods, methods},
    {Py_tp_doc, const_cast<char *>(
                    "Terms(stems, read)\n--\n\n`stems`: language -> function from a word to its stem (empty: the word); words of other languages "
                    "stay whole. `read(chunk, lang)` returns the terms and the signed terms of a chunk as two strings.")},
    {0, nullptr},
};

PyType_Spec spec = {"trinch_native.Terms", sizeof(Object), 0, Py_TPFLAGS_DEFAULT, slots};

} // namespace

PyObject *make_terms_type() { return PyType_FromSpec(&spec); }
