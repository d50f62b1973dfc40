"""How the weights of `trinch.reader` are made and measured (docs/reader.md)."""
