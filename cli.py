"""The entry point: builds the command line, nothing else."""

from hub.commands import run


def main() -> None:
    """Run `relais`."""
    run()


if __name__ == "__main__":
    main()
