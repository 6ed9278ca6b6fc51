"""The payment context: authorize, capture and release an order's money at a card gateway."""
