"""What tests of jumun, and of programs that use it, may stand on: builders, fakes, the simulated day."""
