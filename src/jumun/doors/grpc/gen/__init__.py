"""Written by protoc from proto/; `make proto` writes it again."""
