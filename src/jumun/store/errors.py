"""What only a store can find wrong."""

from jumun.model.errors import BatchRefused

__all__ = ["BatchRefused"]
