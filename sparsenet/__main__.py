"""``python -m sparsenet`` is the command line too."""

from sparsenet.cli import main

if __name__ == "__main__":
    main()
