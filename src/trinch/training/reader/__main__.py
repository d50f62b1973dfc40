"""`python -m trinch.training.reader`: train the reader, measure it and write its weights."""

import sys

from trinch.training.reader.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
