"""`python -m nextchar` is the same program as `nextchar`."""

from nextchar.cli.main import main

if __name__ == "__main__":
    main()
