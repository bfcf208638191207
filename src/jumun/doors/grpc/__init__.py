"""The gRPC door: the order service of specification 004, and what the command line asks."""
