"""The error that every step of the build raises when it fails."""


class BuildError(RuntimeError):
    """A step failed; the message says which, why and where to look."""
