"""`python -m autoscaler` is the same as `autoscaler`."""

from autoscaler.cli import main

if __name__ == "__main__":
    main()
