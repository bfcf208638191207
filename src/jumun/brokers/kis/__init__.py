"""Korea Investment & Securities: Korean and US shares through its Open API."""
