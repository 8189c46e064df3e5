"""The command line, ``resnet-book``."""
