"""The sample in a store, and a server over it, for the tests of this folder."""

from tests.server.conftest import http, sample_data, server

__all__ = ["http", "sample_data", "server"]
