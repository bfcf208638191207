"""A local KIS: the REST and WebSocket faces of the Open API on the simulated market."""
