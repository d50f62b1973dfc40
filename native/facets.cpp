// The facets of a post as one string. `trinch.store.facets` holds the rules, and does what concerns text that is not
// ASCII; both give the same terms, in any order (tests/store/test_native_facets.py).

#include "common.h"

#include <set>

namespace {

constexpr size_t kLinks = 20, kHost = 253, kLabels = 10, kParts = 20, kPart = 64; // as in facets.py

bool is_one_of(const char *kinds, char c) { return c && std::strchr(kinds, c); }

string lowered(PyObject *text) {
    string_view written = utf8(text);
    if (!is_ascii(written)) {
        Reference other{PyObject_CallMethod(text, "lower", nullptr)};
        return string(utf8(other.object));
    }
    string found(written);
    std::transform(found.begin(), found.end(), found.begin(), lower);
    return found;
}

string_view strip(string_view part) {
    while (!part.empty() && is_one_of(".-", part.front())) part.remove_prefix(1);
    while (!part.empty() && is_one_of(".-", part.back())) part.remove_suffix(1);
    return part.substr(0, kPart);
}

// Where the host of a link begins and ends (_HOST of facets.py); false for none.
bool find_host(string_view url, size_t &begin, size_t &end) {
    size_t scheme = 0;
    if (!url.empty() && url[0] >= 'a' && url[0] <= 'z') {
        size_t at = 1;
        while (at < url.size() && (is(kAlnum, url[at]) || is_one_of("+.-", url[at]))) at++;
        if (url.substr(at, 3) == "://") scheme = at + 3;
    }
    for (size_t start : {scheme, size_t(0)}) {
        size_t user = std::min(url.find_first_of("/@?#", start), url.size());
        for (size_t from : {user < url.size() && url[user] == '@' ? user + 1 : start, start}) {
            begin = from;
            end = std::min(url.find_first_of("/:?#", from), url.size());
            if (end > begin) return true;
        }
    }
    return false;
}

class Collected {
  public:
    void add(string_view field, string_view value = {}) {
        if (!terms.empty()) terms += ' ';
        terms += field;
        terms += value;
    }

    void add_url(string_view url) { // ASCII, in lower case
        size_t begin, end;
        if (!find_host(url, begin, end)) return;
        std::set<string_view> found;
        string_view host = url.substr(begin, end - begin);
        if (host.substr(0, 4) == "www.") host.remove_prefix(4);
        if (host.size() > kHost) host.remove_prefix(host.size() - kHost);
        size_t labels = 0, last = host.size();
        for (size_t at = host.size() + 1; at-- > 0 && labels < kLabels;) {
            if (at && host[at - 1] != '.') continue;
            found.insert(host.substr(at, last - at));
            if (labels++) found.insert(host.substr(at)); // a domain: this label and those behind it
            last = at ? at - 1 : 0;
        }
        add_path(url.substr(end), found);
        for (string_view term : found) add("url:", term);
    }

    string terms;

  private:
    static void add_path(string_view path, std::set<string_view> &found) {
        size_t parts = 0;
        for (size_t start = 0; parts < kParts; parts++) {
            size_t end = start;
            while (end < path.size() && (is(kAlnum, path[end]) || is_one_of(".%-", path[end]))) end++;
            if (string_view part = strip(path.substr(start, end - start)); !part.empty()) found.insert(part);
            if (end >= path.size()) return;
            start = end + 1; // one `_`, or all that is neither word nor part of one
            if (path[end] != '_')
                while (start < path.size() && !is_word(path[start]) && !is_one_of(".%-", path[start])) start++;
        }
    }
};

// Adds the handles in a text (_MENTION of facets.py), in lower case.
void find_mentions(string_view text, std::set<string> &found) {
    for (size_t at = text.find('@'); at != text.npos; at = text.find('@', at + 1)) {
        if (!begins_mention(text, at)) continue;
        size_t end = at + 1;
        while (end < text.size() && is_word(text[end])) end++;
        if (end == at + 1) continue;
        for (;;) {
            size_t next = end;
            while (next < text.size() && is_one_of(".-", text[next])) next++;
            size_t more = next;
            while (more < text.size() && is_word(text[more])) more++;
            if (next == end || more == next) break;
            end = more;
        }
        if (text.substr(end, 1) == "@" || text.substr(end, 3) == "://") continue;
        string name(text.substr(at + 1, end - at - 1));
        std::transform(name.begin(), name.end(), name.begin(), lower);
        found.insert(name);
        at = end - 1;
    }
}

// ------------------------------------------------------------------------------------------------ the Python type

enum Name {
    kNetwork, kLang, kAuthor, kAuthorId, kReplyToAuthor, kVerified, kConversationId, kId, kQuoteOf, kReplyTo, kRepostOf,
    kSensitive, kMedia, kUrls, kText, kTags, kMentions, kLikes, kReposts, kReplies, kCreatedAt, kNames
};
const char *const kWritten[kNames] = {
    "network", "lang", "author", "author_id", "reply_to_author", "author_verified", "conversation_id", "id", "quote_of",
    "reply_to", "repost_of", "sensitive", "media", "urls", "text", "tags", "mentions", "likes", "reposts", "replies",
    "created_at"};

struct State {
    Reference names[kNames], mentions, url_terms;
};

class Reading : public Collected {
  public:
    Reading(const State &state, PyObject *post) : state_(state) {
        for (size_t i = 0; i < kNames; i++)
            if (!(values_[i].object = PyObject_GetAttr(post, state.names[i].object))) throw Failed();
        post_ = post;
    }

    string facets() {
        add("net:", text(kNetwork));
        add("lang:", text(kLang));
        people();
        references();
        if (!truth(kSensitive)) add("is:safe");
        media();
        links();
        text_kinds();
        if (truth(kLikes) || truth(kReposts) || truth(kReplies)) {
            levels(kLikes);
            levels(kReposts);
            levels(kReplies);
            add("is:engagement");
        }
        if (values_[kCreatedAt].object == Py_None) add("is:undated");
        return std::move(terms);
    }

  private:
    string_view text(Name name) { return utf8(values_[name].object); }

    bool truth(Name name) {
        int found = PyObject_IsTrue(values_[name].object);
        if (found < 0) throw Failed();
        return found;
    }

    void people() {
        author_ = lowered(values_[kAuthor].object);
        author_id_ = lowered(values_[kAuthorId].object);
        if (!author_.empty()) add("from:", author_);
        if (!author_id_.empty()) add("from:", author_id_);
        if (truth(kReplyToAuthor)) add("to:", lowered(values_[kReplyToAuthor].object));
        if (truth(kVerified)) add("is:verified");
    }

    void references() {
        string_view conversation = text(kConversationId);
        if (!conversation.empty() && conversation != text(kId)) add("conversation:", lowered(values_[kConversationId].object));
        if (truth(kQuoteOf)) {
            add("quoted:", lowered(values_[kQuoteOf].object));
            add("is:quote");
        }
        if (truth(kReplyTo)) {
            add("is:reply");
            string answered = lowered(values_[kReplyToAuthor].object);
            if (!answered.empty() && (answered == author_ || answered == author_id_)) add("is:self_thread");
        }
        if (truth(kRepostOf)) add("is:retweet");
    }

    void media() {
        Py_ssize_t size = length(kMedia);
        std::vector<string> seen;
        for (Py_ssize_t i = 0; i < size; i++) {
            Reference item{PySequence_GetItem(values_[kMedia].object, i)};
            string kind(utf8(item.object));
            if (std::find(seen.begin(), seen.end(), kind) != seen.end()) continue;
            seen.push_back(kind);
            add("is:", kind == "image" ? "images" : kind == "video" || kind == "gif" ? "videos" : string_view(kind));
        }
        if (size) add("is:media");
    }

    void links() {
        Py_ssize_t size = length(kUrls);
        if (!size && text(kText).find("http") == string_view::npos) return;
        add("is:links");
        for (Py_ssize_t i = 0; i < std::min(size, Py_ssize_t(kLinks)); i++) {
            Reference url{PySequence_GetItem(values_[kUrls].object, i)};
            if (is_ascii(utf8(url.object)))
                add_url(lowered(url.object));
            else
                add_each("url:", PyObject_CallFunctionObjArgs(state_.url_terms.object, url.object, nullptr));
        }
    }

    void text_kinds() {
        string_view written = text(kText);
        if (length(kTags) || written.find('#') != written.npos) add("is:hashtags");
        if (written.find('$') != written.npos) add("is:cashtags");
        Py_ssize_t listed = length(kMentions);
        bool ascii = is_ascii(written);
        // "\xef\xbc\xa0" is the wide `@`.
        if (!listed && written.find('@') == written.npos && written.find("\xef\xbc\xa0") == written.npos) return;
        add("is:mentions");
        if (!ascii) return add_each("mention:", PyObject_CallFunctionObjArgs(state_.mentions.object, post_, nullptr));
        std::set<string> found;
        find_mentions(written, found);
        for (Py_ssize_t i = 0; i < listed; i++) {
            Reference name{PySequence_GetItem(values_[kMentions].object, i)};
            found.insert(lowered(name.object));
        }
        for (const string &name : found) add("mention:", name);
    }

    void levels(Name name) {
        if (values_[name].object == Py_None) return;
        Reference bits{PyObject_CallMethod(values_[name].object, "bit_length", nullptr)};
        long count = bits.object ? PyLong_AsLong(bits.object) : -1;
        if (count < 0) throw Failed();
        for (long level = 0; level < std::min(count, 64L); level++) {
            add(kWritten[name], ":");
            terms += std::to_string(level);
        }
    }

    void add_each(string_view field, PyObject *made) {
        Reference terms{made};
        Reference items{terms.object ? PyObject_GetIter(terms.object) : nullptr};
        if (!items.object) throw Failed();
        while (PyObject *next = PyIter_Next(items.object)) {
            Reference term{next};
            add(field, utf8(term.object));
        }
        if (PyErr_Occurred()) throw Failed();
    }

    Py_ssize_t length(Name name) {
        Py_ssize_t size = PySequence_Size(values_[name].object);
        if (size < 0) throw Failed();
        return size;
    }

    const State &state_;
    PyObject *post_;
    Reference values_[kNames];
    string author_, author_id_;
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
    PyObject *mentions, *url_terms;
    if (!PyArg_ParseTuple(arguments, "OO:Facets", &mentions, &url_terms)) return nullptr;
    Reference self{reinterpret_cast<allocfunc>(PyType_GetSlot(type, Py_tp_alloc))(type, 0)};
    if (!self.object) return nullptr;
    State *state = reinterpret_cast<Object *>(self.object)->state = new (std::nothrow) State();
    if (!state) return PyErr_NoMemory();
    state->mentions.object = Py_NewRef(mentions);
    state->url_terms.object = Py_NewRef(url_terms);
    for (size_t i = 0; i < kNames; i++)
        if (!(state->names[i].object = PyUnicode_InternFromString(kWritten[i]))) return nullptr;
    return Py_NewRef(self.object);
}

PyObject *facets_of(PyObject *self, PyObject *post) {
    try {
        string found = Reading(*reinterpret_cast<Object *>(self)->state, post).facets();
        return PyUnicode_FromStringAndSize(found.data(), Py_ssize_t(found.size()));
    } catch (const Failed &) {
        return nullptr;
    } catch (const std::bad_alloc &) {
        return PyErr_NoMemory();
    }
}

PyMethodDef methods[] = {
    {"facets", facets_of, METH_O,
     "facets(post)\n--\n\nThe facets of a post, a space between each two. UnicodeEncodeError for half a surrogate pair."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_new, reinterpret_cast<void *>(make_object)},
    {Py_tp_dealloc, reinterpret_cast<void *>(free_object)},
    {Py_tp_methods, methods},
    {Py_tp_doc, const_cast<char *>("Facets(mentions, url_terms)\n--\n\nThe two functions of that name in "
                                   "`trinch.store.facets`, for text that is not ASCII.")},
    {0, nullptr},
};

PyType_Spec spec = {"trinch_native.Facets", sizeof(Object), 0, Py_TPFLAGS_DEFAULT, slots};

} // namespace

PyObject *make_facets_type() { return PyType_FromSpec(&spec); }
