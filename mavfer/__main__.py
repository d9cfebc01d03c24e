"""`python -m mavfer` is the command `mavfer`."""

from mavfer.cli import main

if __name__ == "__main__":
    main()
