"""Build the extension with any C++17 compiler; one wheel serves every Python from 3.11 on."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "trinch_native",
            ["module.cpp", "terms.cpp", "facets.cpp"],
            depends=["common.h"],
            language="c++",
            extra_compile_args=["-std=c++17", "-O2"],
            py_limited_api=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
