"""What only a store can find wrong."""

from jumun.model.errors import StoreUnavailable


class BatchRefused(StoreUnavailable):
    """A batch contradicts what is stored: a gap, a key that is taken, an illegal status.

    Nothing was written and the store is sound: the next good batch is welcome. `reason` is KEY_CONFLICT
    when an order's key, client id, broker number or fill is taken.
    """
