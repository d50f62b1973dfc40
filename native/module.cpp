// The Python module `trinch_native`.

#include "common.h"

namespace {

int fill_module(PyObject *module) {
    Reference terms{make_terms_type()}, facets{make_facets_type()};
    if (!terms.object || PyModule_AddObjectRef(module, "Terms", terms.object) < 0) return -1;
    return facets.object ? PyModule_AddObjectRef(module, "Facets", facets.object) : -1;
}

PyModuleDef_Slot module_slots[] = {{Py_mod_exec, reinterpret_cast<void *>(fill_module)}, {0, nullptr}};
PyModuleDef definition = {PyModuleDef_HEAD_INIT, "trinch_native", "Optional native parts of Trinch.", 0, nullptr,
                          module_slots,          nullptr,         nullptr,                            nullptr};

} // namespace

PyMODINIT_FUNC PyInit_trinch_native() { return PyModuleDef_Init(&definition); }
